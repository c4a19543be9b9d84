/** The engine's clock in a real process. */
import { performance } from 'node:perf_hooks'
import type { Clock } from './ports.ts'

/** Node turns a longer delay into 1 ms. Whoever set a timer that fires early sets it again. */
const MAX_DELAY_MS = 0x7fff_ffff

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (delayMs, fire) => {
    const handle = setTimeout(fire, Math.min(delayMs, MAX_DELAY_MS))
    return { cancel: () => clearTimeout(handle) }
  },
  soon: (task) => {
    setImmediate(task)
  },
}
