/** Time as the group membership needs it: a sleep that can be cut short, growing pauses. */
import type { Clock } from './client/ports.ts'

const PAUSE_MS = { first: 50, longest: 1_000 }

/**
 * How long to wait after so many failures in a row (at least one).
 * @param random from 0 up to 1: members that have failed together try again one by one
 */
export function pauseAfter(failures: number, random: number): number {
  const longest = Math.min(PAUSE_MS.first * 2 ** (failures - 1), PAUSE_MS.longest)
  return longest * (0.5 + random / 2)
}

/** For one sleeper. */
export class Alarm {
  readonly #clock: Clock
  #wake: (() => void) | undefined
  #isEarly = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when the time has passed or `ring` is called; at once if it was called since the last sleep. */
  async sleep(delayMs: number): Promise<void> {
    if (!this.#isEarly) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.setTimer(delayMs, resolve)
        this.#wake = () => {
          timer.cancel()
          resolve()
        }
      })
    }
    this.#wake = undefined
    this.#isEarly = false
  }

  ring(): void {
    this.#isEarly = true
    this.#wake?.()
  }
}

/** Resolves when the promise does or the time is over, whichever is first; rejects with the promise. */
export async function atMost(clock: Clock, delayMs: number, promise: Promise<void>): Promise<void> {
  let cancel: () => void = () => undefined
  const timeout = new Promise<void>((resolve) => {
    const timer = clock.setTimer(delayMs, resolve)
    cancel = () => timer.cancel()
  })
  try {
    await Promise.race([promise, timeout])
  } finally {
    cancel()
  }
}
