/** A call that is repeated, in attempts of bounded length, until the store has said what became of it. */
import { isCoordinationError } from '../../spi/index.ts'
import type { Call } from './driver.ts'
import type { About, Kernel } from './kernel.ts'

const NO_ANSWER = new Set(['CONNECTION', 'TIMEOUT', 'OVERLOADED'])
/** A connection that swallows requests must not have all the time there is; one that is slow gets more each time. */
const FIRST_PART = 1 / 3

/**
 * Of something that may safely be done twice. Not ended by closing: only by `signal`, with its reason, or by the
 * store's refusal.
 */
export async function untilKnown<T>(
  kernel: Kernel,
  about: About,
  signal: AbortSignal,
  attempt: (call: Call) => Promise<T>,
): Promise<T> {
  for (let round = 1; ; round++) {
    try {
      const timeoutMs = kernel.context.sessionTimeoutMs * Math.min(1, FIRST_PART * round)
      return await kernel.farewells.repeat(about, { signal, timeoutMs }, attempt)
    } catch (error) {
      if (signal.aborted || !isCoordinationError(error) || !NO_ANSWER.has(error.code)) throw error
    }
  }
}
