/** Measures how long another node takes to answer, as long as there is a connection to it. */
import type { Clock, Timer } from './clock.ts'

export interface RoundTripsOptions {
  readonly clock: Clock
  /** Resolves with the answer to a ping. */
  readonly ping: (timeoutMs: number) => Promise<unknown>
  readonly measured: (tookMs: number) => void
}

/** As often as members of etcd ask each other. */
const INTERVAL_MS = 4_000

export class RoundTrips {
  readonly #options: RoundTripsOptions
  #timer: Timer | undefined

  constructor(options: RoundTripsOptions) {
    this.#options = options
  }

  start(): void {
    const { clock, ping, measured } = this.#options
    this.#timer = clock.setTimer(INTERVAL_MS, () => {
      this.start()
      const since = clock.now()
      ping(INTERVAL_MS).then(
        () => measured(clock.now() - since),
        // whoever follows the connection is told of its end, and this is none of the requests that count
        () => undefined,
      )
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }
}
