/** Trouble that may pass: how long to wait before the next attempt, and what the operator reads of it meanwhile. */
import type { Clock, Logger } from './ports.ts'
import { inWords } from './protocol-errors.ts'

const FIRST_DELAY_MS = 50
const SHORT_DELAY_MS = 200
const REPORT_EVERY_MS = 5000

export class Trouble {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #doing: string
  readonly #longestDelayMs: number
  #attempts = 0
  #since = 0
  #reportedAt: number | undefined

  /** @param doing what is tried: "appending to topic x" */
  constructor(clock: Clock, logger: Logger, doing: string, longestDelayMs = SHORT_DELAY_MS) {
    this.#clock = clock
    this.#logger = logger
    this.#doing = doing
    this.#longestDelayMs = longestDelayMs
  }

  /** Takes note of a failed attempt; returns the milliseconds to wait before the next one. */
  next(error: unknown): number {
    const now = this.#clock.now()
    this.#attempts++
    if (this.#attempts === 1) this.#since = now
    // The first failure is the routine of a leader that moves: only what lasts is worth a line.
    if (this.#attempts > 1 && now - (this.#reportedAt ?? -Infinity) >= REPORT_EVERY_MS) {
      this.#reportedAt = now
      const fields = { reason: inWords(error), attempts: this.#attempts, forMs: Math.round(now - this.#since) }
      this.#logger.warn(`${this.#doing}: trying again`, fields)
    }
    return Math.min(this.#longestDelayMs, FIRST_DELAY_MS * 2 ** Math.min(this.#attempts - 1, 16))
  }

  /** An attempt succeeded. */
  over(): void {
    if (this.#attempts === 0) return
    if (this.#reportedAt !== undefined) {
      this.#logger.info(`${this.#doing}: works again`, { afterMs: Math.round(this.#clock.now() - this.#since) })
    }
    this.#attempts = 0
    this.#reportedAt = undefined
  }
}
