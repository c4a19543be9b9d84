/** Finds out whether a client that is silent still lives, as etcd's servers do. */

export interface KeepaliveOptions {
  readonly afterMs: number
  readonly timeoutMs: number
  /** Milliseconds of a steady clock. */
  readonly now: () => number
  readonly ping: () => void
  readonly onDead: () => void
}

export class Keepalive {
  readonly #options: KeepaliveOptions
  #timer: NodeJS.Timeout
  #heardAt: number
  #isStopped = false

  constructor(options: KeepaliveOptions) {
    this.#options = options
    this.#heardAt = options.now()
    this.#timer = this.#wait(options.afterMs)
  }

  /** Something came from the client. */
  heard(): void {
    this.#heardAt = this.#options.now()
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #wait(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#look(), milliseconds).unref()
  }

  #look(): void {
    const { afterMs, now } = this.#options
    const rest = this.#heardAt + afterMs - now()
    // Timers may be early by less than one.
    if (rest >= 1) this.#timer = this.#wait(rest)
    else this.#ask()
  }

  #ask(): void {
    const { timeoutMs, ping, onDead } = this.#options
    const heardAt = this.#heardAt
    ping()
    const decide = (): void => {
      if (this.#isStopped) return
      if (this.#heardAt === heardAt) onDead()
      else this.#look()
    }
    // What came while this process stood still is read before the decision.
    this.#timer = setTimeout(() => setImmediate(decide), timeoutMs).unref()
  }
}
