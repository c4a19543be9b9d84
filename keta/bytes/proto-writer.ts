/**
 * Writes the protobuf wire format into one growing buffer. Used where messages are written by hand: the hot answers,
 * whose stored KeyValue bytes are spliced in, and the stored KeyValue itself. Zero values are left out, as proto3
 * does; the `length…` functions give sizes, so that nested messages are written in one pass.
 */
const INITIAL_BYTES = 256

export const WIRE_VARINT = 0
export const WIRE_FIXED64 = 1
export const WIRE_BYTES = 2
export const WIRE_FIXED32 = 5

/** Bytes that an unsigned integer (≤ 2^53) takes as a varint; a negative one always takes 10. */
export function varintLength(value: number): number {
  if (value < 0) return 10
  let length = 1
  while (value >= 0x80) {
    value = Math.floor(value / 0x80)
    length++
  }
  return length
}

export function bigVarintLength(value: bigint): number {
  if (value < 0n) return 10
  let length = 1
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) length++
  return length
}

/** Length of field tag + value for an int64 field; 0 for the zero value. Field numbers below 16. */
export function intFieldLength(value: number): number {
  return value === 0 ? 0 : 1 + varintLength(value)
}

export function bigFieldLength(value: bigint): number {
  return value === 0n ? 0 : 1 + bigVarintLength(value)
}

/** Length of tag + length prefix + content; 0 for empty content. */
export function bytesFieldLength(contentLength: number): number {
  return contentLength === 0 ? 0 : 1 + varintLength(contentLength) + contentLength
}

export class ProtoWriter {
  #buffer: Buffer
  #position = 0

  constructor(sizeHint = INITIAL_BYTES) {
    this.#buffer = Buffer.allocUnsafe(sizeHint)
  }

  get length(): number {
    return this.#position
  }

  #reserve(bytes: number): void {
    const needed = this.#position + bytes
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#position)
    this.#buffer = grown
  }

  tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType)
  }

  /** A non-negative integer up to 2^53, or a negative one ≥ -2^53 as 10 bytes of two's complement. */
  varint(value: number): void {
    if (value < 0) {
      this.bigVarint(BigInt(value))
      return
    }
    this.#reserve(10)
    while (value >= 0x80) {
      this.#buffer[this.#position++] = (value % 0x80) | 0x80
      value = Math.floor(value / 0x80)
    }
    this.#buffer[this.#position++] = value
  }

  bigVarint(value: bigint): void {
    this.#reserve(10)
    let rest = BigInt.asUintN(64, value)
    while (rest >= 0x80n) {
      this.#buffer[this.#position++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.#buffer[this.#position++] = Number(rest)
  }

  intField(field: number, value: number): void {
    if (value === 0) return
    this.tag(field, WIRE_VARINT)
    this.varint(value)
  }

  bigField(field: number, value: bigint): void {
    if (value === 0n) return
    this.tag(field, WIRE_VARINT)
    this.bigVarint(value)
  }

  boolField(field: number, value: boolean): void {
    if (value) this.intField(field, 1)
  }

  /** Left out if empty. */
  bytesField(field: number, bytes: Uint8Array): void {
    if (bytes.length !== 0) this.messageField(field, bytes)
  }

  /** A latin1 key as a bytes field; left out if empty. */
  keyField(field: number, key: string): void {
    if (key.length === 0) return
    this.beginField(field, key.length)
    this.#reserve(key.length)
    this.#buffer.write(key, this.#position, 'latin1')
    this.#position += key.length
  }

  stringField(field: number, text: string): void {
    if (text.length !== 0) this.messageField(field, Buffer.from(text, 'utf8'))
  }

  /** Always written, also when empty: presence of a message field means something. */
  messageField(field: number, encoded: Uint8Array): void {
    this.beginField(field, encoded.length)
    this.raw(encoded)
  }

  /** Tag and length; the caller then writes exactly `contentLength` bytes. */
  beginField(field: number, contentLength: number): void {
    this.tag(field, WIRE_BYTES)
    this.varint(contentLength)
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#position)
    this.#position += bytes.length
  }

  /** The bytes written. The writer must not be used afterwards. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#position)
  }
}
