/** Read, decide, write on condition that nothing has moved: again and again while something has. */
import { CoordinationError, type PluginContext } from '../../spi/index.ts'
import { backoffMs, sleep } from '../../spi/helpers/backoff.ts'
import type { Call } from '../shared/driver.ts'
import { BACKEND } from './connection/errors.ts'

/** What an attempt says when somebody else was faster, and nothing was done. */
export const MOVED = Symbol('moved')

export type Pace = Pick<PluginContext, 'clock' | 'random'>

/** @throws what the attempt throws; CoordinationError OVERLOADED when the time is up; the call's reason to end */
export async function again<T>(
  { clock, random }: Pace,
  call: Call,
  attempt: (call: Call, count: number) => Promise<T | typeof MOVED>,
): Promise<T> {
  const until = clock.now() + call.timeoutMs
  for (let count = 1; ; count++) {
    call.signal.throwIfAborted()
    const left = until - clock.now()
    if (count > 1 && left <= 0) {
      const message = 'others were faster each time'
      throw new CoordinationError('OVERLOADED', message, { backend: BACKEND, effect: 'none' })
    }
    const outcome = await attempt({ signal: call.signal, timeoutMs: Math.max(1, left) }, count)
    if (outcome !== MOVED) return outcome
    // the second time at once: most often nobody else is there any more
    if (count > 1) await sleep(clock, backoffMs(count - 1, random), call.signal)
  }
}
