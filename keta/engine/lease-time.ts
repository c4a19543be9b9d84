/**
 * Time as leases see it: it runs only while this process does. If the event loop stood still (a sync on a disk that
 * hangs, a huge deletion, a machine that was suspended), clients renewed and were not heard: their leases must not be
 * over before they are. A pulse shows that the process runs; however late it comes, time has moved by little.
 */
import type { Clock, Timer } from './ports.ts'

const PULSE_MS = 500
/** A pulse that is later than this counts as a standstill. It is what a lease can lose by one. */
const MAX_STEP_MS = 2 * PULSE_MS

export class LeaseTime {
  readonly #clock: Clock
  /** What `now` was at the last pulse, and when that was on the clock. */
  #atPulse = 0
  #lastPulse = 0
  #timer: Timer | undefined

  /** It stands still until `run`. */
  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds, monotonic; only differences mean something. */
  now(): number {
    if (this.#timer === undefined) return this.#atPulse
    return this.#atPulse + Math.min(this.#clock.now() - this.#lastPulse, MAX_STEP_MS)
  }

  /** Idempotent. */
  run(): void {
    if (this.#timer === undefined) this.#pulse()
  }

  /** Idempotent. */
  halt(): void {
    this.#atPulse = this.now()
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #pulse(): void {
    this.#atPulse = this.now()
    this.#lastPulse = this.#clock.now()
    this.#timer = this.#clock.setTimer(PULSE_MS, () => {
      this.#pulse()
    })
  }
}
