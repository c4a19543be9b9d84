/** Waits for a Kafka cluster that is not there yet, as at the start of everything at once. */
import { KafkaError } from './client.ts'
import type { Clock, Logger } from './ports.ts'
import { pause } from './ports.ts'
import { Trouble } from './trouble.ts'

const LONGEST_DELAY_MS = 2000

/**
 * The outcome of `attempt`, made again while it fails with 'UNREACHABLE' or 'UNSETTLED'; the log tells what for.
 * @throws whatever else `attempt` throws, at once; its last error when the signal is aborted.
 */
export async function untilReachable<Value>(
  attempt: () => Promise<Value>,
  { clock, logger, signal }: { readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<Value> {
  const trouble = new Trouble(clock, logger, 'waiting for Kafka', LONGEST_DELAY_MS)
  for (;;) {
    try {
      const value = await attempt()
      trouble.over()
      return value
    } catch (error) {
      if (!mayPass(error)) throw error
      await pause(clock, trouble.next(error), signal)
      if (signal.aborted) throw error
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof KafkaError && (error.code === 'UNREACHABLE' || error.code === 'UNSETTLED')
}
