/** What the reference store promises, as it is reached. */
import type { Capabilities } from '../../spi/index.ts'
import { BACKEND } from './store.ts'

export const MAX_TRANSACTION_OPS = 128
const MAX_VALUE_BYTES = 1024 * 1024
const MAX_KEY_BYTES = 1024

export function memoryCapabilities(store: {
  /** It has a journal. */
  readonly persistent: boolean
  /** It is served. */
  readonly multiProcess: boolean
}): Capabilities {
  return {
    backend: BACKEND,
    persistent: store.persistent,
    multiProcess: store.multiProcess,
    linearizableReads: true,
    atomicFencing: true,
    snapshotScan: true,
    transactions: { maxOps: MAX_TRANSACTION_OPS },
    notifications: { mode: 'push', maxLagMs: store.multiProcess ? 200 : 50 },
    session: {
      minTtlMs: 100,
      // timers are exact to a millisecond, but a SystemClock may run late by ten (spi/clock.ts)
      granularityMs: 10,
    },
    limits: { maxKeyBytes: MAX_KEY_BYTES, maxValueBytes: MAX_VALUE_BYTES },
  }
}
