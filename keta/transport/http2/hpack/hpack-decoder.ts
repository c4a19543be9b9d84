/** Decodes header blocks (RFC 7541, sections 5 and 6). One for each connection: what it reads changes its table. */
import { ProtocolError } from '../protocol-error.ts'
import { DynamicTable } from './dynamic-table.ts'
import { decodedBytesMax, decodeHuffman } from './huffman.ts'
import { type HeaderField, headerField, STATIC_TABLE } from './static-table.ts'

/** The size of the table before any setting, which this server does not change. */
export const TABLE_BYTES = 4096

/** More than any number that makes sense here; with it the arithmetic stays exact. */
const LARGEST_INTEGER = 2 ** 28

export interface HeaderList {
  readonly fields: readonly HeaderField[]
  /** The list is larger than allowed, and incomplete. What was left out is in the table where it belongs. */
  readonly isTooLarge: boolean
}

export class HpackDecoder {
  readonly #maxListBytes: number
  readonly #table = new DynamicTable(TABLE_BYTES)
  /** Huffman codes are decoded into it. */
  #scratch = Buffer.alloc(0)
  #bytes: Buffer = this.#scratch
  #at = 0
  #end = 0

  /** @param maxListBytes of one decoded block, as RFC 9113, 6.5.2 counts them. */
  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes
  }

  /** @throws ProtocolError COMPRESSION_ERROR; the decoder is useless then. */
  decode(bytes: Buffer, start: number, end: number): HeaderList {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    const fields: HeaderField[] = []
    let listBytes = 0
    this.#resizeTable()
    while (this.#at < this.#end) {
      const field = this.#field()
      listBytes += field.size
      if (listBytes <= this.#maxListBytes) fields.push(field)
    }
    return { fields, isTooLarge: listBytes > this.#maxListBytes }
  }

  /** Changes of the table's size stand at the beginning of a block. */
  #resizeTable(): void {
    while (this.#at < this.#end && ((this.#bytes[this.#at] ?? 0) & 0xe0) === 0x20) {
      const size = this.#integer(0x1f)
      if (size > TABLE_BYTES) throw corrupt(`a table of ${size} bytes: at most ${TABLE_BYTES} are allowed`)
      this.#table.resize(size)
    }
  }

  #field(): HeaderField {
    const first = this.#bytes[this.#at] ?? 0
    if ((first & 0x80) !== 0) return this.#indexed(this.#integer(0x7f))
    if ((first & 0x40) !== 0) {
      const field = this.#literal(0x3f)
      this.#table.add(field)
      return field
    }
    if ((first & 0x20) !== 0) throw corrupt('a change of the table within a header block')
    return this.#literal(0x0f)
  }

  #indexed(index: number): HeaderField {
    const field =
      index <= STATIC_TABLE.length ? STATIC_TABLE[index - 1] : this.#table.at(index - STATIC_TABLE.length - 1)
    if (field === undefined) throw corrupt(`there is no header field ${index}`)
    return field
  }

  #literal(prefix: number): HeaderField {
    const index = this.#integer(prefix)
    const name = index === 0 ? this.#string() : this.#indexed(index).name
    return headerField(name, this.#string())
  }

  #string(): string {
    if (this.#at >= this.#end) throw corrupt('a header block that is cut off')
    const isHuffman = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0
    const length = this.#integer(0x7f)
    const start = this.#at
    this.#at += length
    if (this.#at > this.#end) throw corrupt('a string that is longer than its header block')
    if (!isHuffman) return this.#bytes.toString('latin1', start, this.#at)
    const needed = decodedBytesMax(length)
    if (this.#scratch.length < needed) this.#scratch = Buffer.allocUnsafe(Math.max(256, needed))
    return this.#scratch.toString('latin1', 0, decodeHuffman(this.#bytes, start, this.#at, this.#scratch))
  }

  /** @param prefix the bits of the first byte that belong to the number. */
  #integer(prefix: number): number {
    let value = (this.#bytes[this.#at++] ?? 0) & prefix
    if (value < prefix) return value
    for (let factor = 1; ; factor *= 128) {
      if (this.#at >= this.#end) throw corrupt('a header block that is cut off')
      const byte = this.#bytes[this.#at++] ?? 0
      value += (byte & 0x7f) * factor
      if (value > LARGEST_INTEGER || factor > LARGEST_INTEGER) throw corrupt('a number that is too large')
      if (byte < 0x80) return value
    }
  }
}

function corrupt(message: string): ProtocolError {
  return new ProtocolError('COMPRESSION_ERROR', message)
}
