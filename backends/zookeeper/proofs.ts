/**
 * Since when the leader surely knows that a session lives.
 *
 * A follower answers our signs of life itself, and tells the leader of them only when that asks, every half tick, on
 * the same connection on which it forwards our requests. A request that went to the leader and was agreed on (a check)
 * thus proves nothing of the moment at which it was sent, but this: what the follower had heard of us when the leader
 * last asked, the leader knew before the check was answered. It asks in time unless it stands still; how long it may
 * have stood still shows in how long the checks were under way, and how far apart. So an earlier check counts that was
 * answered half a tick and the longest such gap before the last one was sent. That a connection is taken up again goes
 * to the leader itself, and counts at once.
 */
import type { Moment } from './connection/client.ts'

interface Check {
  readonly sent: Moment
  /** By the steady clock. */
  readonly answeredAt: number
}

export class Proofs {
  readonly #tickMs: number
  #established: Moment
  /** By when they were sent. */
  #checks: Check[] = []
  /** What is proved so far. */
  #since: Moment

  /** @param established when the session was asked for. */
  constructor(tickMs: number, established: Moment) {
    this.#tickMs = tickMs
    this.#established = established
    this.#since = established
  }

  /** The leader has heard of the session at this moment, or later. */
  get since(): Moment {
    return this.#since
  }

  /**
   * A check has been answered.
   * @param established when the connection was asked for that it was answered on.
   * @param now by the steady clock, milliseconds.
   */
  answered(sent: Moment, established: Moment, now: number): void {
    if (established !== this.#established) this.#begin(established)
    // its request may have gone over the connection before
    if (sent.steady < established.steady) return
    const later = this.#checks.findIndex((check) => check.sent.steady > sent.steady)
    this.#checks.splice(later === -1 ? this.#checks.length : later, 0, { sent, answeredAt: now })
    this.#conclude()
  }

  #begin(established: Moment): void {
    this.#established = established
    this.#checks = []
    this.#since = established
  }

  #conclude(): void {
    const latest = this.#checks.at(-1)
    if (latest === undefined) return
    let widest = 0
    for (let at = this.#checks.length - 2; at >= 0; at--) {
      const [check, next] = [this.#checks[at], this.#checks[at + 1]]
      if (check === undefined || next === undefined) return
      widest = Math.max(widest, next.answeredAt - check.sent.steady)
      if (latest.sent.steady - check.answeredAt < this.#tickMs / 2 + widest) continue
      if (check.sent.steady > this.#since.steady) this.#since = check.sent
      this.#checks.splice(0, at)
      return
    }
  }
}
