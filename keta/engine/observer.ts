/**
 * What the engine tells of its work, for metrics. It is told on hot paths: an observer only counts, and does not throw.
 */
import type { Applied } from '../state/state.ts'

export interface EngineObserver {
  /** A batch of so many records and bytes became durable, so long after it was sent. */
  appended(records: number, bytes: number, tookMs: number): void
  /** A batch that this node had appended was applied. */
  committed(tookMs: number): void
  /** A record was applied, whoever wrote it. */
  applied(applied: Applied): void
  /** Requests were given up: their time was over, or the log no longer this node's. */
  gaveUp(requests: number): void
  /** A range was read outside of a transaction. */
  ranged(): void
  leaseRenewed(): void
  /** The time of a lease ran out. */
  leaseExpired(): void
  /** A snapshot was saved. */
  snapshotSaved(bytes: number, tookMs: number): void
}

/** Sees nothing. */
export const NO_OBSERVER: EngineObserver = {
  appended: () => undefined,
  committed: () => undefined,
  applied: () => undefined,
  gaveUp: () => undefined,
  ranged: () => undefined,
  leaseRenewed: () => undefined,
  leaseExpired: () => undefined,
  snapshotSaved: () => undefined,
}
