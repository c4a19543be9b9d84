/**
 * Reads the protobuf wire format. Every length is checked before it is used, so that no input makes it read outside its
 * bytes, loop for ever, or allocate more than the input's own size.
 *
 * A varint is left in two 32-bit halves inside the reader: no object per number, and no bigint unless one is asked for.
 */
import type { Key } from './key.ts'
import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from './proto-writer.ts'

/** Groups are of old protobuf dialects: nothing here has any, so they are only ever passed over. */
const WIRE_START_GROUP = 3
const WIRE_END_GROUP = 4

/** The bytes are not a message of the expected type. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
}

const TWO_32 = 0x1_0000_0000
const MAX_FIELD_NUMBER = 0x1fff_ffff

export class ProtoReader {
  readonly #bytes: Buffer
  readonly #end: number
  #position: number
  /** Unsigned halves of the varint read last. */
  #low = 0
  #high = 0

  /** Wire type of the field that `next()` announced. */
  wireType = 0

  /** Reads `bytes`, or the part of it from `start` to `end` (exclusive). The bytes are not copied. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#position = start
    this.#end = end
  }

  /** Index of the next byte to read. */
  get position(): number {
    return this.#position
  }

  /** Number of the next field, 0 at the end. */
  next(): number {
    if (this.#position >= this.#end) return 0
    this.#varint()
    const field = this.#high * (TWO_32 / 8) + (this.#low >>> 3)
    this.wireType = this.#low & 7
    if (field < 1 || field > MAX_FIELD_NUMBER) throw new MalformedMessage(`illegal field number ${field}`)
    return field
  }

  /** Passes over the announced field. */
  skip(): void {
    switch (this.wireType) {
      case WIRE_VARINT:
        this.#varint()
        return
      case WIRE_FIXED64:
        this.#advance(8)
        return
      case WIRE_BYTES:
        this.#advance(this.#length())
        return
      case WIRE_FIXED32:
        this.#advance(4)
        return
      case WIRE_START_GROUP:
        this.#skipGroup()
        return
      default:
        throw new MalformedMessage(`illegal wire type ${this.wireType}`)
    }
  }

  /** An int64/int32/enum as a number: exact to ±2^53, nearest representable beyond. */
  int(): number {
    this.#expect(WIRE_VARINT)
    this.#varint()
    return (this.#high | 0) * TWO_32 + this.#low
  }

  /** An enum or int32: the low 32 bits, signed, as protobuf truncates. */
  int32(): number {
    this.#expect(WIRE_VARINT)
    this.#varint()
    return this.#low | 0
  }

  /** An int64 with all its bits. */
  big(): bigint {
    this.#expect(WIRE_VARINT)
    this.#varint()
    if (this.#high === 0) return BigInt(this.#low)
    return (BigInt(this.#high | 0) << 32n) | BigInt(this.#low)
  }

  bool(): boolean {
    this.#expect(WIRE_VARINT)
    this.#varint()
    return this.#low !== 0 || this.#high !== 0
  }

  /** A view of the field's bytes. */
  bytes(): Uint8Array {
    const start = this.#content()
    return this.#bytes.subarray(start, this.#position)
  }

  key(): Key {
    const start = this.#content()
    return this.#bytes.toString('latin1', start, this.#position) as Key
  }

  /** A string field; bytes that are not UTF-8 become U+FFFD. */
  text(): string {
    const start = this.#content()
    return this.#bytes.toString('utf8', start, this.#position)
  }

  /** A reader of the embedded message. */
  message(): ProtoReader {
    const start = this.#content()
    return new ProtoReader(this.#bytes, start, this.#position)
  }

  /** To the end of the group, and of the groups in it; like etcd's decoder, whatever numbers their ends carry. */
  #skipGroup(): void {
    for (let depth = 1; depth > 0; ) {
      if (this.#position >= this.#end) throw new MalformedMessage('a group does not end')
      this.#varint()
      this.wireType = this.#low & 7
      if (this.wireType === WIRE_START_GROUP) depth++
      else if (this.wireType === WIRE_END_GROUP) depth--
      else this.skip()
    }
  }

  /** Passes over a length-delimited field; returns where its content starts, it ends at the new position. */
  #content(): number {
    this.#expect(WIRE_BYTES)
    const length = this.#length()
    const start = this.#position
    this.#position = start + length
    return start
  }

  #expect(wireType: number): void {
    if (this.wireType !== wireType) throw new MalformedMessage(`wire type ${this.wireType} where ${wireType} belongs`)
  }

  #advance(count: number): void {
    if (count > this.#end - this.#position) throw new MalformedMessage('field runs past the end of its message')
    this.#position += count
  }

  #length(): number {
    this.#varint()
    if (this.#high !== 0 || this.#low > this.#end - this.#position) {
      throw new MalformedMessage('length runs past the end of its message')
    }
    return this.#low
  }

  #byte(): number {
    const byte = this.#bytes[this.#position]
    if (this.#position >= this.#end || byte === undefined) throw new MalformedMessage('truncated varint')
    this.#position++
    return byte
  }

  #varint(): void {
    const first = this.#byte()
    if (first < 0x80) {
      this.#low = first
      this.#high = 0
      return
    }
    this.#longVarint(first)
  }

  #longVarint(first: number): void {
    let low = first & 0x7f
    let high = 0
    for (let shift = 7; shift < 70; shift += 7) {
      const byte = this.#byte()
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high |= bits >>> 4
      } else if (shift < 63) high |= bits << (shift - 32)
      else high |= (bits & 1) << 31
      if (byte < 0x80) {
        this.#low = low >>> 0
        this.#high = high >>> 0
        return
      }
    }
    throw new MalformedMessage('varint longer than 10 bytes')
  }
}
