/** Time as the peer link needs it: an injected clock, so that tests decide when time passes. */

import { performance } from 'node:perf_hooks'

export interface Clock {
  /** Milliseconds since whatever moment; never goes back. */
  now(): number
  /** Fires once, not before `delayMs` have passed (a delay of more than 24 days is cut short). */
  setTimer(delayMs: number, fire: () => void): Timer
  /** Runs `task` after the input that has already arrived has been handled. */
  soon(task: () => void): void
}

export interface Timer {
  cancel(): void
}

/** Node turns a longer delay into 1 ms. */
const MAX_DELAY_MS = 0x7fff_ffff

/** The clock of a real process. */
export const processClock: Clock = {
  now: () => performance.now(),
  setTimer: (delayMs, fire) => {
    const handle = setTimeout(fire, Math.min(delayMs, MAX_DELAY_MS))
    return { cancel: () => clearTimeout(handle) }
  },
  soon: (task) => {
    setImmediate(task)
  },
}
