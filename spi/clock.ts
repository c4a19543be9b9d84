/**
 * Time as leases need it. Everything in the SPI that waits, times out or computes a deadline does it on a Clock that
 * was handed in, so that a test can hold the time in its hand.
 */

export interface Clock {
  /**
   * Milliseconds since an arbitrary start. Never goes back, and has also counted the time for which the machine was
   * suspended. It may run fast, never slow: a lease is then given up too early, never too late.
   */
  now(): number
  /**
   * Calls `fn` once, not before `ms` have passed; dispose of the result to cancel it. Promptness is not promised: a
   * stalled event loop delays it, which is why `Leadership.held` computes instead of waiting for a timer.
   */
  setTimeout(fn: () => void, ms: number): Disposable
}

/** What a Clock is made of: two clocks that fail in opposite ways. */
export interface ClockSources {
  /** Steady, but stands still while the machine sleeps (CLOCK_MONOTONIC). Milliseconds. */
  readonly monotonic: () => number
  /** Goes on while the machine sleeps, but an operator or NTP may set it. Milliseconds. */
  readonly wall: () => number
}

/**
 * Forward steps of the wall clock that add up to less are noise: its resolution, and the time between two readings.
 * By so much the clock may run late; the margin of a deadline is more.
 */
const STEP_MS = 10

/** The longest delay that the platform's timers know; they take a longer one for 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * The time that has passed by the monotonic clock, plus every forward step of the wall clock against it.
 *
 * A step forward is a suspend, or somebody setting the clock; the two cannot be told apart, and only ignoring the
 * first is dangerous. A step back is somebody setting the clock and changes nothing. (The obvious
 * `max(Δ monotonic, Δ wall)` stands still for an hour after the clock was set forward and back by an hour, and all the
 * while every lease looks alive.)
 */
export function steadyNow({ monotonic, wall }: ClockSources): () => number {
  let ahead = 0
  let reference = wall() - monotonic()
  let latest = -Infinity
  return () => {
    // wall first: a pause between the two readings then looks like a step back, and shows as time later
    const wallNow = wall()
    const steady = monotonic()
    const offset = wallNow - steady
    if (offset - reference >= STEP_MS) {
      ahead += offset - reference
      reference = offset
    } else if (offset < reference) {
      reference = offset
    }
    latest = Math.max(latest, steady + ahead)
    return latest
  }
}

/** The machine's clock and timers. */
export const systemClock: Clock = Object.freeze({
  now: steadyNow({ monotonic: () => performance.now(), wall: () => Date.now() }),
  setTimeout: systemTimeout,
})

function systemTimeout(fn: () => void, ms: number): Disposable {
  let timer: ReturnType<typeof setTimeout>
  const wait = (left: number) => {
    const step = Math.min(left, MAX_TIMER_MS)
    timer = setTimeout(() => (left > step ? wait(left - step) : fn()), step)
  }
  wait(Math.max(0, ms))
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}
