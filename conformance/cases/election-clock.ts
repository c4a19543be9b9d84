/** Whether an event loop was there to see the time pass. */
import { machineNow } from '../kit/machine-time.ts'

const TICK_MS = 5

export interface LoopWatch {
  /**
   * The latest moment after which the event loop has provably run once more. Who is called late because the loop
   * stalled gets the moment before the stall; otherwise it is a few milliseconds ago.
   */
  ranAt(): number
  stop(): void
}

/** @param eachTick runs with each tick, and is given its time. */
export function watchLoop(eachTick?: (now: number) => void): LoopWatch {
  let latest = machineNow()
  // the last tick may itself be late, and run just before the late caller: the one before is not
  let lastButOne = latest
  const timer = setInterval(() => {
    lastButOne = latest
    latest = machineNow()
    eachTick?.(latest)
  }, TICK_MS)
  timer.unref()
  return { ranAt: () => lastButOne, stop: () => clearInterval(timer) }
}
