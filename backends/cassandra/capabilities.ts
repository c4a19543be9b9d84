/** What this backend promises. */
import type { Capabilities } from '../../spi/index.ts'

/** How messages and errors call it. */
export const BACKEND = 'cassandra'

/** A transaction is one mutation, which Cassandra limits to half of a segment of its commit log. */
export const MAX_COMMIT_BYTES = 1536 * 1024
const MAX_OPS = 128
const MAX_VALUE_BYTES = 1 << 20
const MAX_KEY_BYTES = 1024
/** A renewal is an agreement of several servers: shorter leases are lost when one of them collects its garbage. */
export const MIN_TTL_MS = 500
/** Of what a look and two reads take beside the wait between looks. */
const READS_MS = 900

/** @param pollMs how long the feed waits between two looks. */
export function capabilitiesOf(pollMs: number): Capabilities {
  return {
    backend: BACKEND,
    persistent: true,
    multiProcess: true,
    linearizableReads: true,
    atomicFencing: true,
    snapshotScan: false,
    transactions: { maxOps: MAX_OPS },
    notifications: { mode: 'poll', maxLagMs: pollMs + READS_MS },
    // sessions are ended by clients that have watched them stand still for longer than their whole time (observer.ts)
    session: { minTtlMs: MIN_TTL_MS, granularityMs: 0 },
    limits: { maxKeyBytes: MAX_KEY_BYTES, maxValueBytes: MAX_VALUE_BYTES },
  }
}
