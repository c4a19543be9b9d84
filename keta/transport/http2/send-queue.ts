/** What a stream has to send and cannot send yet. */
import type { Output } from './output.ts'

/** What a chunk costs besides its bytes: small messages without end must fill a stream too. */
const CHUNK_OVERHEAD_BYTES = 256

export class SendQueue {
  #chunks: Uint8Array[] = []
  /** Chunks that have been sent, at the beginning of the list. */
  #sent = 0
  /** What has been sent of the first chunk. */
  #at = 0
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** What it holds, in memory. */
  get cost(): number {
    return this.#bytes + (this.#chunks.length - this.#sent) * CHUNK_OVERHEAD_BYTES
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
  }

  /** Moves so many bytes, of those that there are. */
  moveTo(output: Output, count: number): void {
    this.#bytes -= count
    while (count > 0) {
      const chunk = this.#chunks[this.#sent]
      if (chunk === undefined) return
      const end = Math.min(chunk.length, this.#at + count)
      output.bytes(chunk, this.#at, end)
      count -= end - this.#at
      this.#at = end
      if (end === chunk.length) this.#next()
    }
  }

  #next(): void {
    this.#at = 0
    this.#sent++
    // Not with each of them: the list may be long.
    if (this.#sent * 2 < this.#chunks.length) return
    this.#chunks = this.#chunks.slice(this.#sent)
    this.#sent = 0
  }
}
