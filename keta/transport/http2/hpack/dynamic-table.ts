/** The header fields that a client has asked to be remembered (RFC 7541, 2.3.2): a ring, the newest first. */
import type { HeaderField } from './static-table.ts'

/** What a field takes at least: it has its overhead, if nothing else. */
const SMALLEST_FIELD_BYTES = 32

export class DynamicTable {
  /** Of a power of two; it grows up to what the largest size can hold. */
  #ring: (HeaderField | undefined)[] = []
  /** Where the newest is. */
  #newest = 0
  #count = 0
  #bytes = 0
  #maxBytes: number

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @param index 0 is the newest. undefined: there is none. */
  at(index: number): HeaderField | undefined {
    if (index >= this.#count) return undefined
    return this.#ring[(this.#newest - index) & (this.#ring.length - 1)]
  }

  /** The oldest make room. A field larger than the table empties it. */
  add(field: HeaderField): void {
    this.#shrinkTo(this.#maxBytes - field.size)
    if (field.size > this.#maxBytes) return
    if (this.#count === this.#ring.length) this.#grow()
    this.#newest = (this.#newest + 1) & (this.#ring.length - 1)
    this.#ring[this.#newest] = field
    this.#count++
    this.#bytes += field.size
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes
    this.#shrinkTo(maxBytes)
  }

  #shrinkTo(bytes: number): void {
    while (this.#bytes > bytes && this.#count > 0) {
      const oldest = (this.#newest - this.#count + 1) & (this.#ring.length - 1)
      this.#bytes -= this.#ring[oldest]?.size ?? SMALLEST_FIELD_BYTES
      this.#ring[oldest] = undefined
      this.#count--
    }
  }

  #grow(): void {
    const fields = Array.from({ length: this.#count }, (_, index) => this.at(this.#count - 1 - index))
    this.#ring = new Array<HeaderField | undefined>(Math.max(8, this.#ring.length * 2)).fill(undefined)
    fields.forEach((field, index) => {
      this.#ring[index] = field
    })
    this.#newest = (this.#count - 1) & (this.#ring.length - 1)
  }
}
