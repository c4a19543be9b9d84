/**
 * A batch of records, as it lies on disk and travels between brokers and to consumers, unchanged:
 *
 *     size: u32 (of all that follows) · crc32: u32 (of all that follows) · base offset: u64 · leader epoch: u32 ·
 *     records: u32 · for each record: size: u32, bytes
 *
 * Numbers are big-endian.
 */
import { crc32 } from 'node:zlib'
import { BrokerError } from '../errors.ts'

export interface BatchHeader {
  /** Of the whole batch, its size field too. Bytes. */
  readonly size: number
  readonly baseOffset: number
  readonly leaderEpoch: number
  readonly count: number
}

export const HEADER_BYTES = 24
const SIZE_BYTES = 4
const CRC_END = 8

/** @throws BrokerError INVALID_REQUEST without records. */
export function encodeBatch(baseOffset: number, leaderEpoch: number, records: readonly Uint8Array[]): Buffer {
  if (records.length === 0) throw new BrokerError('INVALID_REQUEST', 'a batch has at least one record')
  const body = encodeRecords(records)
  const batch = Buffer.alloc(HEADER_BYTES + body.length)
  batch.writeUInt32BE(batch.length - SIZE_BYTES, 0)
  batch.writeBigUInt64BE(BigInt(baseOffset), 8)
  batch.writeUInt32BE(leaderEpoch, 16)
  batch.writeUInt32BE(records.length, 20)
  body.copy(batch, HEADER_BYTES)
  batch.writeUInt32BE(crc32(batch.subarray(CRC_END)), SIZE_BYTES)
  return batch
}

/**
 * The header of the batch that begins at `position`; undefined if there is no whole and sound one.
 */
export function readBatch(bytes: Buffer, position = 0): BatchHeader | undefined {
  if (position + HEADER_BYTES > bytes.length) return undefined
  const size = SIZE_BYTES + bytes.readUInt32BE(position)
  if (size < HEADER_BYTES || position + size > bytes.length) return undefined
  const checked = bytes.subarray(position + CRC_END, position + size)
  if (crc32(checked) !== bytes.readUInt32BE(position + SIZE_BYTES)) return undefined
  return {
    size,
    baseOffset: Number(bytes.readBigUInt64BE(position + 8)),
    leaderEpoch: bytes.readUInt32BE(position + 16),
    count: bytes.readUInt32BE(position + 20),
  }
}

/** All batches, each with its bytes. @throws BrokerError CORRUPT_LOG if anything is not a sound batch. */
export function splitBatches(bytes: Buffer): readonly (BatchHeader & { readonly bytes: Buffer })[] {
  const batches: (BatchHeader & { readonly bytes: Buffer })[] = []
  for (let position = 0; position < bytes.length; ) {
    const header = readBatch(bytes, position)
    if (header === undefined) throw new BrokerError('CORRUPT_LOG', `at byte ${position} is no sound batch`)
    batches.push({ ...header, bytes: bytes.subarray(position, position + header.size) })
    position += header.size
  }
  return batches
}

export function encodeRecords(records: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    records.flatMap((record) => {
      const size = Buffer.alloc(SIZE_BYTES)
      size.writeUInt32BE(record.length)
      return [size, record]
    }),
  )
}

/** @throws BrokerError INVALID_REQUEST if the bytes are not whole records. */
export function decodeRecords(bytes: Buffer): readonly Buffer[] {
  const records: Buffer[] = []
  for (let position = 0; position < bytes.length; ) {
    const start = position + SIZE_BYTES
    const size = start <= bytes.length ? bytes.readUInt32BE(position) : bytes.length
    if (start + size > bytes.length) throw new BrokerError('INVALID_REQUEST', 'the last record is cut short')
    records.push(bytes.subarray(start, start + size))
    position = start + size
  }
  return records
}
