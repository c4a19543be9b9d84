/** The bytes of a snapshot file: its name, header, chunks and trailer. See segment-format.md, "Snapshots". */
import { crc32 } from 'node:zlib'
import { LOG_ID_BYTES } from './segment.ts'

const MAGIC = Buffer.from('KETASNP\n', 'latin1')
const TRAILER_MAGIC = Buffer.from('KETAEND\n', 'latin1')
const FORMAT_VERSION = 1
export const SNAPSHOT_HEADER_BYTES = 40
export const CHUNK_HEADER_BYTES = 8
export const TRAILER_BYTES = 28

const NAME = /^(\d{20})\.snap$/

export function snapshotName(offset: number): string {
  return `${String(offset).padStart(20, '0')}.snap`
}

/** The offset in a snapshot's name, or undefined if the name is not a snapshot's. */
export function snapshotOffsetOf(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

export function encodeSnapshotHeader(logId: Uint8Array, offset: number): Buffer {
  const header = Buffer.alloc(SNAPSHOT_HEADER_BYTES)
  header.set(MAGIC, 0)
  header.writeUInt32LE(FORMAT_VERSION, 8)
  header.set(logId, 12)
  header.writeBigUInt64LE(BigInt(offset), 12 + LOG_ID_BYTES)
  header.writeUInt32LE(crc32(header.subarray(0, 36)), 36)
  return header
}

/** Adds up what the trailer says, and seeds each chunk's CRC with all that precedes it: order and identity count. */
export class SnapshotSum {
  #crc: number
  #chunks = 0
  #bytes = 0

  constructor(header: Buffer) {
    this.#crc = header.readUInt32LE(36)
  }

  /** The chunk's header: length and CRC. */
  add(chunk: Uint8Array): Buffer {
    const header = Buffer.alloc(CHUNK_HEADER_BYTES)
    header.writeUInt32LE(chunk.length, 0)
    this.#crc = crc32(header.subarray(0, 4), this.#crc)
    if (chunk.length > 0) {
      // zlib forgets the seed when given nothing.
      this.#crc = crc32(chunk, this.#crc)
    }
    header.writeUInt32LE(this.#crc, 4)
    this.#chunks++
    this.#bytes += chunk.length
    return header
  }

  trailer(): Buffer {
    const trailer = Buffer.alloc(TRAILER_BYTES)
    trailer.set(TRAILER_MAGIC, 0)
    trailer.writeUInt32LE(this.#chunks, 8)
    trailer.writeBigUInt64LE(BigInt(this.#bytes), 12)
    trailer.writeUInt32LE(this.#crc, 20)
    trailer.writeUInt32LE(crc32(trailer.subarray(0, 24)), 24)
    return trailer
  }
}

/** Whether the trailer is whole and the file as long as it says. */
export function trailerFits(trailer: Buffer, fileBytes: number): boolean {
  if (!trailer.subarray(0, 8).equals(TRAILER_MAGIC) || trailer.readUInt32LE(24) !== crc32(trailer.subarray(0, 24))) {
    return false
  }
  const content = CHUNK_HEADER_BYTES * trailer.readUInt32LE(8) + Number(trailer.readBigUInt64LE(12))
  return SNAPSHOT_HEADER_BYTES + content + TRAILER_BYTES === fileBytes
}
