/** What this backend is to promise, written down once more: what the driver says is compared with it. */
import type { Capabilities } from '../../spi/index.ts'

/** T of the suite with one node: short, and long enough for a machine that is busy. */
export const SESSION_TTL_MS = 2000

export const PROMISES: Capabilities = {
  backend: 'cassandra',
  persistent: true,
  multiProcess: true,
  linearizableReads: true,
  atomicFencing: true,
  snapshotScan: false,
  transactions: { maxOps: 128 },
  notifications: { mode: 'poll', maxLagMs: 1000 },
  session: { minTtlMs: 500, granularityMs: 0 },
  limits: { maxKeyBytes: 1024, maxValueBytes: 1_048_576 },
}
