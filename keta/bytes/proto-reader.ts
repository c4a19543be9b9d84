/**
 * Reads the protobuf wire format. Every length is checked before it is used, so that no input makes it read outside its
 * bytes, loop for ever, or allocate more than the input's own size.
 */
import { type Key, keyFromBytes } from './key.ts'
import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from './proto-writer.ts'

/** The bytes are not a message of the expected type. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
}

const TWO_32 = 0x1_0000_0000

export class ProtoReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #position: number

  /** Wire type of the field that `next()` announced. */
  wireType = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#position = 0
    this.#end = bytes.length
  }

  /** Number of the next field, 0 at the end. */
  next(): number {
    if (this.#position >= this.#end) return 0
    const tag = this.#varint()
    const field = Math.floor(tag / 8)
    this.wireType = tag % 8
    if (field < 1 || field > 0x1fff_ffff) throw new MalformedMessage(`illegal field number ${field}`)
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
      default:
        throw new MalformedMessage(`illegal wire type ${this.wireType}`)
    }
  }

  /** An int64/int32/enum as a number: exact to ±2^53, nearest representable beyond. */
  int(): number {
    this.#expect(WIRE_VARINT)
    const { low, high } = this.#varint64()
    return (high | 0) * TWO_32 + low
  }

  /** An enum or int32: the low 32 bits, signed, as protobuf truncates. */
  int32(): number {
    this.#expect(WIRE_VARINT)
    return this.#varint64().low | 0
  }

  /** An int64 with all its bits. */
  big(): bigint {
    this.#expect(WIRE_VARINT)
    const { low, high } = this.#varint64()
    return (BigInt(high | 0) << 32n) | BigInt(low)
  }

  bool(): boolean {
    this.#expect(WIRE_VARINT)
    const { low, high } = this.#varint64()
    return low !== 0 || high !== 0
  }

  /** A view of the field's bytes. */
  bytes(): Uint8Array {
    this.#expect(WIRE_BYTES)
    const length = this.#length()
    const start = this.#position
    this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  key(): Key {
    return keyFromBytes(this.bytes())
  }

  message(): ProtoReader {
    return new ProtoReader(this.bytes())
  }

  #expect(wireType: number): void {
    if (this.wireType !== wireType) throw new MalformedMessage(`wire type ${this.wireType} where ${wireType} belongs`)
  }

  #advance(count: number): void {
    if (count > this.#end - this.#position) throw new MalformedMessage('field runs past the end of its message')
    this.#position += count
  }

  #length(): number {
    const { low, high } = this.#varint64()
    if (high !== 0 || low > this.#end - this.#position) throw new MalformedMessage('length runs past the end of its message')
    return low
  }

  #byte(): number {
    const byte = this.#bytes[this.#position]
    if (this.#position >= this.#end || byte === undefined) throw new MalformedMessage('truncated varint')
    this.#position++
    return byte
  }

  /** A tag: fits a number. */
  #varint(): number {
    const { low, high } = this.#varint64()
    return high * TWO_32 + low
  }

  #varint64(): { low: number; high: number } {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte()
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high |= bits >>> 4
      } else if (shift < 63) high |= bits << (shift - 32)
      else high |= (bits & 1) << 31
      if (byte < 0x80) return { low: low >>> 0, high: high >>> 0 }
    }
    throw new MalformedMessage('varint longer than 10 bytes')
  }
}
