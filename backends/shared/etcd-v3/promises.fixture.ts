/** What backends of etcd's API are to promise, written down once more: what the driver says is compared with it. */
import type { Capabilities } from '../../../spi/index.ts'

/** T of the suite: the shortest time to live that etcd grants with its default election timeout. */
export const SESSION_TTL_MS = 2000

export function promisesOf(backend: string): Capabilities {
  return {
    backend,
    persistent: true,
    multiProcess: true,
    linearizableReads: true,
    atomicFencing: true,
    snapshotScan: true,
    transactions: { maxOps: 126 },
    notifications: { mode: 'push', maxLagMs: 1000 },
    session: { minTtlMs: SESSION_TTL_MS, granularityMs: 0 },
    limits: { maxKeyBytes: 1024, maxValueBytes: 1_048_576 },
  }
}
