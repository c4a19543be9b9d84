/** Waiting a random while before trying again, on the clock that was handed in. */
import type { Clock } from '../clock.ts'

const FIRST_MS = 2
const LONGEST_MS = 250

/**
 * A wait before the given attempt (1 is the first retry): uniform from 0 to a bound that doubles. All of the range, not
 * its upper half: those who met once must not meet again.
 */
export function backoffMs(attempt: number, random: () => number): number {
  return random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 30))
}

/** Resolves after `ms`; rejects with `signal.reason` as soon as the signal aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(reasonOf(signal))
      return
    }
    const abort = () => {
      timer[Symbol.dispose]()
      if (signal !== undefined) reject(reasonOf(signal))
    }
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** A signal's reason, as given: it is the caller's, of whatever type. */
export function reasonOf(signal: AbortSignal): Error {
  return signal.reason as Error
}
