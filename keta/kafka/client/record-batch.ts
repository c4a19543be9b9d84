/**
 * Kafka's record batch (format 2), the unit that is appended atomically. Values only: no keys, headers or compression
 * when writing. What others wrote is read as far as it has values.
 * (The library's encoder takes six times as long, which is more than all the rest of an append; its decoder checks no
 * checksum.)
 */
import { compressionsAlgorithmsByBitmask } from '@platformatic/kafka'
import { crc32c } from '../../bytes/crc32c.ts'

/** Places in the header, in bytes from the start of the batch. */
const LENGTH_AT = 8
const LEADER_EPOCH_AT = 12
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_DELTA_AT = 23
const FIRST_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_ID_AT = 43
const PRODUCER_EPOCH_AT = 51
const BASE_SEQUENCE_AT = 53
const COUNT_AT = 57
const HEADER_BYTES = 61

/** What stands before the length that LENGTH_AT gives. */
const UNCOUNTED_BYTES = 12
const MAGIC = 2
const COMPRESSION_BITS = 0b111
const CONTROL_BIT = 0b10_0000
/** "None": the broker puts its own time there if the topic says so. A batch has the same bytes at every sending. */
const NO_TIMESTAMP = -1n
/** Zigzag of -1: no key. */
const NULL_KEY = 1

export interface ValueAt {
  readonly offset: number
  /** A view of the bytes that were decoded; empty for a record without a value. */
  readonly bytes: Uint8Array
}

export interface DecodedBatches {
  readonly values: readonly ValueAt[]
  /** The offset to read on from: behind the last whole batch, even if some of its records were not values. */
  readonly nextOffset: number
}

export class RecordBatchError extends Error {
  override readonly name = 'RecordBatchError'
}

/** The size of `encodeBatch(values)` in bytes: what the topic's max.message.bytes limits. */
export function batchBytes(values: readonly Uint8Array[]): number {
  let bytes = HEADER_BYTES
  for (let index = 0; index < values.length; index++) {
    const body = bodyBytes(index, (values[index] as Uint8Array).length)
    bytes += signedVarintBytes(body) + body
  }
  return bytes
}

/** One batch of at least one value, copied. */
export function encodeBatch(values: readonly Uint8Array[]): Buffer {
  const batch = Buffer.allocUnsafe(batchBytes(values))
  writeHeader(batch, values.length)
  let at = HEADER_BYTES
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as Uint8Array
    at = writeSignedVarint(batch, at, bodyBytes(index, value.length))
    batch[at++] = 0 // attributes
    batch[at++] = 0 // time since the first record
    at = writeSignedVarint(batch, at, index)
    batch[at++] = NULL_KEY
    at = writeSignedVarint(batch, at, value.length)
    batch.set(value, at)
    at += value.length
    batch[at++] = 0 // number of headers
  }
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT)
  return batch
}

/**
 * The values with offsets from `fromOffset` on. Brokers cut an answer off at its size limit, so the last batch may be
 * there in part: it is left for the next time.
 * @throws RecordBatchError when a checksum does not hold or a batch contradicts itself.
 */
export function decodeBatches(bytes: Buffer, fromOffset: number): DecodedBatches {
  const values: ValueAt[] = []
  let nextOffset = fromOffset
  let at = 0
  while (bytes.length - at >= MAGIC_AT + 1) {
    const length = UNCOUNTED_BYTES + bytes.readInt32BE(at + LENGTH_AT)
    if (length <= MAGIC_AT) throw new RecordBatchError(`a record batch at offset ${nextOffset} has no length`)
    if (length > bytes.length - at) break
    nextOffset = Math.max(nextOffset, decodeBatch(bytes.subarray(at, at + length), fromOffset, values))
    at += length
  }
  if (at === 0 && bytes.length > 0) throw new RecordBatchError(`the record batch at offset ${fromOffset} is cut off`)
  return { values, nextOffset }
}

/** Appends to `into`; returns the offset behind the batch. */
function decodeBatch(batch: Buffer, fromOffset: number, into: ValueAt[]): number {
  const baseOffset = Number(batch.readBigInt64BE(0))
  // The formats before 2 are older than this software: nothing of it can be in there.
  if (batch.readInt8(MAGIC_AT) !== MAGIC) return baseOffset + 1
  if (batch.length < HEADER_BYTES || batch.readUInt32BE(CRC_AT) !== crc32c(batch.subarray(ATTRIBUTES_AT))) {
    throw new RecordBatchError(`the checksum of the record batch at offset ${baseOffset} does not hold`)
  }
  const attributes = batch.readInt16BE(ATTRIBUTES_AT)
  if ((attributes & CONTROL_BIT) === 0) {
    const body = decompressed(batch.subarray(HEADER_BYTES), attributes & COMPRESSION_BITS, baseOffset)
    readValues(body, { baseOffset, count: batch.readInt32BE(COUNT_AT), fromOffset }, into)
  }
  return baseOffset + batch.readInt32BE(LAST_DELTA_AT) + 1
}

function decompressed(body: Buffer, algorithm: number, baseOffset: number): Buffer {
  if (algorithm === 0) return body
  try {
    const known = compressionsAlgorithmsByBitmask[algorithm]
    if (known === undefined) throw new RangeError(`unknown compression ${algorithm}`)
    return known.decompressSync(body)
  } catch (error) {
    throw new RecordBatchError(`the record batch at offset ${baseOffset} cannot be decompressed`, { cause: error })
  }
}

interface BatchExtent {
  readonly baseOffset: number
  readonly count: number
  readonly fromOffset: number
}

function readValues(body: Buffer, { baseOffset, count, fromOffset }: BatchExtent, into: ValueAt[]): void {
  const cursor = new Cursor(body)
  for (let index = 0; index < count; index++) {
    const length = cursor.signedVarint()
    const end = cursor.at + length
    if (length < 0 || end > body.length) throw new RecordBatchError(`a record of the batch at ${baseOffset} is cut off`)
    cursor.at++ // attributes
    cursor.skipVarint() // time since the first record
    const offset = baseOffset + cursor.signedVarint()
    const keyBytes = Math.max(0, cursor.signedVarint())
    cursor.at += keyBytes
    const valueBytes = Math.max(0, cursor.signedVarint())
    if (cursor.at + valueBytes > end) throw new RecordBatchError(`the record at offset ${offset} is cut off`)
    if (offset >= fromOffset) into.push({ offset, bytes: body.subarray(cursor.at, cursor.at + valueBytes) })
    cursor.at = end
  }
}

function writeHeader(batch: Buffer, count: number): void {
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.length - UNCOUNTED_BYTES, LENGTH_AT)
  batch.writeInt32BE(-1, LEADER_EPOCH_AT)
  batch.writeInt8(MAGIC, MAGIC_AT)
  batch.writeInt16BE(0, ATTRIBUTES_AT)
  batch.writeInt32BE(count - 1, LAST_DELTA_AT)
  batch.writeBigInt64BE(NO_TIMESTAMP, FIRST_TIMESTAMP_AT)
  batch.writeBigInt64BE(NO_TIMESTAMP, MAX_TIMESTAMP_AT)
  batch.writeBigInt64BE(-1n, PRODUCER_ID_AT)
  batch.writeInt16BE(-1, PRODUCER_EPOCH_AT)
  batch.writeInt32BE(-1, BASE_SEQUENCE_AT)
  batch.writeInt32BE(count, COUNT_AT)
}

/** Attributes, time, key and headers take one byte each. */
function bodyBytes(index: number, valueBytes: number): number {
  return 4 + signedVarintBytes(index) + signedVarintBytes(valueBytes) + valueBytes
}

/** Of a number that is not negative; zigzag doubles it. */
function signedVarintBytes(value: number): number {
  let bytes = 1
  for (let rest = value * 2; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

function writeSignedVarint(into: Buffer, start: number, value: number): number {
  let at = start
  let rest = value << 1
  for (; rest >= 0x80; rest >>>= 7) into[at++] = (rest & 0x7f) | 0x80
  into[at++] = rest
  return at
}

class Cursor {
  at = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  signedVarint(): number {
    let raw = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.at++]
      if (byte === undefined) break
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
    }
    throw new RecordBatchError('a number in a record is cut off')
  }

  skipVarint(): void {
    while ((this.#bytes[this.at++] ?? 0) >= 0x80);
  }
}
