/**
 * When is a session over, if no clock is shared and no server watches? When somebody has watched it for its time to
 * live, on a clock of his own, and has seen no renewal. What he says then names the renewal that he saw, and is void if
 * the log has a later one before it.
 */
import type { LiveSession } from './state.ts'

/**
 * By so much at most an observer may count too much. The clock of the SPI may run fast – to an owner that is safe, he
 * gives up too early –, and to an observer it is not: it jumps when a machine wakes up or its clock is set, and
 * sessions of other machines would seem to have been silent for that long. So time between two looks counts for no
 * more than this.
 */
export const LONGEST_STEP_MS = 100

export interface Silence {
  readonly session: string
  readonly renewal: number
}

export class ExpiryWatch {
  readonly #seen = new Map<string, { readonly renewal: number; silentMs: number }>()
  #lastLook: number | undefined

  /** To be called again and again, less than LONGEST_STEP_MS apart; slower looks make sessions live longer. */
  look(now: number, sessions: ReadonlyMap<string, Pick<LiveSession, 'ttlMs' | 'renewal'>>): readonly Silence[] {
    const step = Math.min(now - (this.#lastLook ?? now), LONGEST_STEP_MS)
    this.#lastLook = now
    for (const id of [...this.#seen.keys()]) if (!sessions.has(id)) this.#seen.delete(id)
    const silent: Silence[] = []
    for (const [session, { ttlMs, renewal }] of sessions) {
      const seen = this.#seen.get(session)
      if (seen?.renewal !== renewal) {
        this.#seen.set(session, { renewal, silentMs: 0 })
        continue
      }
      seen.silentMs += step
      if (seen.silentMs >= ttlMs) silent.push({ session, renewal })
    }
    return silent
  }
}
