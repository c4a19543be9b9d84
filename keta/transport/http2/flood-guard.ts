/** Counts frames that cost little to send and do their sender no good: some are harmless, any number is an attack. */
import { ProtocolError } from './protocol-error.ts'

/** What a connection may send at once, and how much of it is forgiven by the second. */
const ALLOWED = {
  /** Calls that are given up. In one go it may be all that may be open, if those are more. */
  resets: { burst: 10_000, perSecond: 1_000 },
  settings: { burst: 200, perSecond: 10 },
  /** Without effect: empty DATA, PRIORITY, unknown types, and frames of streams that are over. */
  'frames without effect': { burst: 10_000, perSecond: 1_000 },
  /** Two for each DATA frame that it was sent are free. */
  'window updates': { burst: 10_000, perSecond: 1_000 },
  'errors of streams': { burst: 10_000, perSecond: 1_000 },
} as const

export type Nuisance = keyof typeof ALLOWED

export class FloodGuard {
  readonly #now: () => number
  readonly #streams: number
  readonly #since: number
  readonly #counts = new Map<Nuisance, { spent: number; forgivenUntil: number }>()

  /**
   * @param streams that may be open.
   * @param now milliseconds of a steady clock.
   */
  constructor(streams: number, now: () => number) {
    this.#now = now
    this.#streams = streams
    this.#since = now()
  }

  /** @throws ProtocolError ENHANCE_YOUR_CALM */
  spend(nuisance: Nuisance): void {
    let count = this.#counts.get(nuisance)
    if (count === undefined) {
      count = { spent: 0, forgivenUntil: this.#since }
      this.#counts.set(nuisance, count)
    }
    count.spent++
    if (count.spent <= this.#burst(nuisance)) return
    // The clock is asked only now, and what has gone by since is forgiven in one.
    const now = this.#now()
    const forgiven = Math.floor(((now - count.forgivenUntil) / 1000) * ALLOWED[nuisance].perSecond)
    if (forgiven < 1) throw new ProtocolError('ENHANCE_YOUR_CALM', `too many ${nuisance}`)
    count.spent = Math.max(0, count.spent - forgiven)
    count.forgivenUntil = now
  }

  #burst(nuisance: Nuisance): number {
    const { burst } = ALLOWED[nuisance]
    return nuisance === 'resets' ? Math.max(burst, this.#streams) : burst
  }

  /** Something was done that makes so many of them legitimate. */
  credit(nuisance: Nuisance, count: number): void {
    const counted = this.#counts.get(nuisance)
    if (counted !== undefined) counted.spent = Math.max(0, counted.spent - count)
  }
}
