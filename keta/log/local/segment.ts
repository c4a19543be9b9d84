/** The bytes of a segment file: its name, its header and its frames. See segment-format.md. Pure but for CRC-32. */
import { crc32 } from 'node:zlib'
import { LogError } from '../log.ts'

const SEGMENT_MAGIC = Buffer.from('KETALOG\n', 'latin1')
const FORMAT_VERSION = 1
export const LOG_ID_BYTES = 16
export const SEGMENT_HEADER_BYTES = 40

export const FRAME_MAGIC = Buffer.from([0xfa, 0x5e, 0xb1, 0x0c])
export const FRAME_HEADER_BYTES = 28
/** A frame is built in memory as one piece. The largest request (256 MiB) fits, as the record that it becomes. */
export const MAX_PAYLOAD_BYTES = 257 * 1024 * 1024

const NAME = /^(\d{20})\.log$/

export function segmentName(baseOffset: number): string {
  return `${String(baseOffset).padStart(20, '0')}.log`
}

/** The base offset in a segment's name, or undefined if the name is not a segment's. */
export function baseOffsetOf(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

export function encodeSegmentHeader(logId: Uint8Array, baseOffset: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.set(SEGMENT_MAGIC, 0)
  header.writeUInt32LE(FORMAT_VERSION, 8)
  header.set(logId, 12)
  header.writeBigUInt64LE(BigInt(baseOffset), 28)
  header.writeUInt32LE(crc32(header.subarray(0, 36)), 36)
  return header
}

/** What is wrong with the header, or undefined. */
export function faultOfSegmentHeader(header: Buffer, logId: Uint8Array, baseOffset: number): string | undefined {
  if (header.length < SEGMENT_HEADER_BYTES) {
    return `the file ends within its header of ${SEGMENT_HEADER_BYTES} bytes`
  }
  if (!header.subarray(0, 8).equals(SEGMENT_MAGIC)) {
    return `expected the magic ${SEGMENT_MAGIC.toString('hex')}, found ${header.subarray(0, 8).toString('hex')}`
  }
  if (header.readUInt32LE(36) !== crc32(header.subarray(0, 36))) {
    return `expected the header's CRC ${hex32(crc32(header.subarray(0, 36)))}, found ${hex32(header.readUInt32LE(36))}`
  }
  if (header.readUInt32LE(8) !== FORMAT_VERSION) {
    return `expected format version ${FORMAT_VERSION}, found ${header.readUInt32LE(8)}`
  }
  const foundId = header.subarray(12, 12 + LOG_ID_BYTES)
  if (!foundId.equals(logId)) {
    const expected = Buffer.from(logId).toString('hex')
    return `expected log id ${expected}, found ${foundId.toString('hex')}: it is another log's`
  }
  if (header.readBigUInt64LE(28) !== BigInt(baseOffset)) {
    return `expected base offset ${baseOffset} as in the name, found ${header.readBigUInt64LE(28)}`
  }
  return undefined
}

/**
 * Where the CRCs of a segment's frames start from. It depends on log and segment, so that a frame which got here from
 * elsewhere (a stale block, a copied file, a value that somebody stored) is not taken for one of this segment.
 */
export function frameSeed(logId: Uint8Array, segmentBaseOffset: number): number {
  return crc32(encodeSegmentHeader(logId, segmentBaseOffset).subarray(0, 36))
}

export interface FrameHeader {
  readonly payloadBytes: number
  readonly baseOffset: number
  readonly recordCount: number
  readonly payloadCrc: number
}

/** One batch as one frame, in one buffer; `prefixBytes` are left free before it for the caller to fill. */
export function encodeFrame(records: readonly Uint8Array[], baseOffset: number, seed: number, prefixBytes = 0): Buffer {
  let payloadBytes = 0
  for (const record of records) {
    payloadBytes += 4 + record.length
  }
  if (records.length === 0 || payloadBytes > MAX_PAYLOAD_BYTES) {
    const found = `${records.length} records in ${payloadBytes} bytes`
    throw new RangeError(`a batch holds at least one record and at most ${MAX_PAYLOAD_BYTES} bytes, not ${found}`)
  }
  const frame = Buffer.allocUnsafe(prefixBytes + FRAME_HEADER_BYTES + payloadBytes)
  let at = prefixBytes + FRAME_HEADER_BYTES
  for (const record of records) {
    frame.writeUInt32LE(record.length, at)
    frame.set(record, at + 4)
    at += 4 + record.length
  }
  frame.set(FRAME_MAGIC, prefixBytes)
  frame.writeUInt32LE(payloadBytes, prefixBytes + 4)
  writeOffset(frame, baseOffset, prefixBytes + 8)
  frame.writeUInt32LE(records.length, prefixBytes + 16)
  frame.writeUInt32LE(crc32(frame.subarray(prefixBytes + FRAME_HEADER_BYTES), seed), prefixBytes + 20)
  frame.writeUInt32LE(crc32(frame.subarray(prefixBytes, prefixBytes + 24), seed), prefixBytes + 24)
  return frame
}

/** The frame header at `at`, or undefined when the bytes there are not one of this segment. */
export function decodeFrameHeader(bytes: Buffer, at: number, seed: number): FrameHeader | undefined {
  if (bytes.length - at < FRAME_HEADER_BYTES || bytes.readUInt32LE(at) !== FRAME_MAGIC.readUInt32LE(0)) {
    return undefined
  }
  if (bytes.readUInt32LE(at + 24) !== crc32(bytes.subarray(at, at + 24), seed)) {
    return undefined
  }
  return {
    payloadBytes: bytes.readUInt32LE(at + 4),
    baseOffset: readOffset(bytes, at + 8),
    recordCount: bytes.readUInt32LE(at + 16),
    payloadCrc: bytes.readUInt32LE(at + 20),
  }
}

/**
 * Calls `visit` with each record of a payload whose CRC held.
 * @throws LogError 'CORRUPT' when the records do not fill the payload exactly: it was written wrong.
 */
export function forEachRecord(payload: Buffer, recordCount: number, visit: (record: Buffer) => void): void {
  let at = 0
  for (let index = 0; index < recordCount; index++) {
    const end = at + 4 <= payload.length ? at + 4 + payload.readUInt32LE(at) : Number.POSITIVE_INFINITY
    if (end > payload.length) {
      throw new LogError(
        'CORRUPT',
        `record ${index} of ${recordCount} ends at ${end}, beyond its payload of ${payload.length}`,
      )
    }
    visit(payload.subarray(at + 4, end))
    at = end
  }
  if (at !== payload.length) {
    throw new LogError('CORRUPT', `${recordCount} records fill ${at} bytes of a payload of ${payload.length}`)
  }
}

export function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}

const TWO_TO_32 = 2 ** 32

/** Two 32-bit halves: half the cost of a BigInt on the append path. */
function writeOffset(into: Buffer, offset: number, at: number): void {
  into.writeUInt32LE(offset % TWO_TO_32, at)
  into.writeUInt32LE(Math.floor(offset / TWO_TO_32), at + 4)
}

function readOffset(from: Buffer, at: number): number {
  return from.readUInt32LE(at + 4) * TWO_TO_32 + from.readUInt32LE(at)
}
