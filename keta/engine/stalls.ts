/**
 * Whether a node that writes are forwarded to has stopped answering. What is sent to one that stands still, and is
 * deposed for it, ends as unknown; what is kept back meanwhile can be sent to its successor.
 */

interface Traffic {
  waiting: number
  /** Since when something has been waiting for the next answer, on the clock. */
  since: number
}

export class Stalls {
  readonly #limitMs: number
  readonly #now: () => number
  readonly #traffic = new WeakMap<object, Traffic>()

  /** @param limitMs how long nothing may be answered while something waits. */
  constructor(limitMs: number, now: () => number) {
    this.#limitMs = limitMs
    this.#now = now
  }

  isStalled(node: object): boolean {
    const traffic = this.#traffic.get(node)
    return traffic !== undefined && traffic.waiting > 0 && this.#now() - traffic.since > this.#limitMs
  }

  /** Counts a request until it is settled. */
  async during<T>(node: object, request: () => Promise<T>): Promise<T> {
    const traffic = this.#traffic.get(node) ?? { waiting: 0, since: 0 }
    this.#traffic.set(node, traffic)
    if (traffic.waiting === 0) traffic.since = this.#now()
    traffic.waiting++
    try {
      return await request()
    } finally {
      traffic.waiting--
      traffic.since = this.#now()
    }
  }
}
