/** A clock that stands still until it is advanced; what is due then runs in its order. */
import type { Clock } from '../../spi/index.ts'

export interface ManualClock extends Clock {
  advance(ms: number): void
  /** How many timers wait. */
  readonly waiting: number
}

export function makeManualClock(): ManualClock {
  let now = 0
  const timers = new Set<{ readonly at: number; readonly fn: () => void }>()
  const due = () => [...timers].filter(({ at }) => at <= now).sort((a, b) => a.at - b.at)[0]
  return {
    now: () => now,
    get waiting() {
      return timers.size
    },
    setTimeout(fn, ms) {
      const timer = { at: now + ms, fn }
      timers.add(timer)
      return { [Symbol.dispose]: () => timers.delete(timer) }
    },
    advance(ms) {
      now += ms
      for (let timer = due(); timer !== undefined; timer = due()) {
        timers.delete(timer)
        timer.fn()
      }
    },
  }
}
