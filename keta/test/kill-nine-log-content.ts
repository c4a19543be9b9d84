/**
 * What the killed process writes: a function of seed and offset alone, so that the test knows every byte that may be in
 * the log without being told, and anything else is an invention.
 */
import { createHash } from 'node:crypto'

/** Small, so that a run of a few dozen milliseconds starts new segments. */
export const KILL_NINE_SEGMENT_BYTES = 64 * 1024

/**
 * The batch that is appended when the log ends at `offset`: 1 to 8 records that grow to 8 KB and start small again; one
 * batch in 25 is of 600 KB, because the kernel writes it in many steps, between which a kill can come.
 */
export function batchAt(seed: number, offset: number): Buffer[] {
  const digest = hash(seed, offset)
  const count = 1 + (digest.readUInt8(0) % 8)
  const extraBytes = digest.readUInt8(1) < 10 ? Math.floor(600_000 / count) : 0
  return Array.from({ length: count }, (_, index) => recordAt(seed, offset + index, index, count, extraBytes))
}

/** Chunks of a snapshot that says which offset it is of. */
export function snapshotAt(seed: number, offset: number): Buffer[] {
  return [0, 1, 2].map((part) => Buffer.concat([hash(seed, offset), Buffer.alloc(part * 30_000, offset % 256)]))
}

/** Where the batch of this record begins and ends, as the record says. */
export function batchOf(record: Uint8Array, offset: number): { readonly from: number; readonly to: number } {
  const [index = 0, count = 0] = record
  return { from: offset - index, to: offset - index + count }
}

function recordAt(seed: number, offset: number, index: number, count: number, extraBytes: number): Buffer {
  const digest = hash(seed, offset)
  const record = Buffer.alloc(40 + ((offset * 37) % 8000) + extraBytes, digest.subarray(8))
  record[0] = index
  record[1] = count
  record.writeUInt32LE(offset, 2)
  return record
}

function hash(seed: number, offset: number): Buffer {
  return createHash('sha256').update(`${seed}/${offset}`).digest()
}
