/**
 * What all connections together hold: answers that are not taken, requests that are not dealt with, open calls. Each
 * connection has limits of its own, but there may be many: when all of them hold too much, the one with the most goes.
 */

export class Memory {
  readonly #bytesMax: number
  readonly #shares = new Set<Share>()
  #bytes = 0
  #isRelieving = false

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** What is held at the moment. */
  get bytes(): number {
    return this.#bytes
  }

  /** Half of it is taken: nobody should hold much. */
  get isTight(): boolean {
    return this.#bytes * 2 > this.#bytesMax
  }

  /** @param evict has to end the connection, and with it the share. */
  share(evict: () => void): Share {
    const share = new Share(this, evict, () => this.#shares.delete(share))
    this.#shares.add(share)
    return share
  }

  /** For shares. */
  add(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes <= this.#bytesMax || this.#isRelieving) return
    this.#isRelieving = true
    // Not at once: this runs in the middle of what some connection does.
    queueMicrotask(() => this.#relieve())
  }

  #relieve(): void {
    this.#isRelieving = false
    while (this.#bytes > this.#bytesMax) {
      const largest = this.#largest()
      if (largest === undefined) return
      largest.evict()
      largest.end()
    }
  }

  #largest(): Share | undefined {
    let largest: Share | undefined
    for (const share of this.#shares) if (share.bytes > (largest?.bytes ?? 0)) largest = share
    return largest
  }
}

/** One connection's part of the memory. */
export class Share {
  readonly evict: () => void
  readonly #memory: Memory
  readonly #onEnd: () => void
  #bytes = 0
  #isOver = false

  constructor(memory: Memory, evict: () => void, onEnd: () => void) {
    this.#memory = memory
    this.evict = evict
    this.#onEnd = onEnd
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Half of all is taken: no connection should hold much. */
  get isTight(): boolean {
    return this.#memory.isTight
  }

  /** It holds so much more, or less. */
  add(bytes: number): void {
    if (this.#isOver) return
    this.#bytes += bytes
    this.#memory.add(bytes)
  }

  /** The connection holds nothing any more. */
  end(): void {
    if (this.#isOver) return
    this.add(-this.#bytes)
    this.#isOver = true
    this.#onEnd()
  }
}
