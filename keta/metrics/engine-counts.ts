/** Counts what the engine tells of its work. */
import type { EngineObserver } from '../engine/observer.ts'
import type { Applied } from '../state/state.ts'
import { exponentialBounds, Histogram } from './histogram.ts'

const MILLISECONDS = 1000

export class EngineCounts implements EngineObserver {
  /** Seconds, in etcd's buckets. */
  readonly appendSeconds = new Histogram(exponentialBounds(0.001, 2, 14))
  readonly commitSeconds = new Histogram(exponentialBounds(0.001, 2, 14))
  readonly snapshotSeconds = new Histogram(exponentialBounds(0.01, 2, 17))
  readonly batchRecords = new Histogram(exponentialBounds(1, 2, 11))
  appendedRecords = 0
  appendedBytes = 0
  appliedRecords = 0
  ignoredRecords = 0
  failedProposals = 0
  puts = 0
  deletes = 0
  ranges = 0
  txns = 0
  putBytes = 0
  leasesGranted = 0
  leasesRevoked = 0
  leasesRenewed = 0
  leasesExpired = 0
  snapshots = 0

  appended(records: number, bytes: number, tookMs: number): void {
    this.appendSeconds.observe(tookMs / MILLISECONDS)
    this.batchRecords.observe(records)
    this.appendedRecords += records
    this.appendedBytes += bytes
  }

  committed(tookMs: number): void {
    this.commitSeconds.observe(tookMs / MILLISECONDS)
  }

  applied(applied: Applied): void {
    if (applied.status === 'ignored') this.ignoredRecords++
    else this.appliedRecords++
    if (applied.status !== 'applied' || applied.failure !== undefined) return
    const { command, commit } = applied
    if (command.kind === 'txn') this.txns++
    else if (command.kind === 'leaseGrant') this.leasesGranted++
    else if (command.kind === 'leaseRevoke') this.leasesRevoked++
    if (commit === undefined) return
    for (const { version } of commit.events) {
      if (version.version === 0) this.deletes++
      else {
        this.puts++
        this.putBytes += version.encodedLength
      }
    }
  }

  gaveUp(requests: number): void {
    this.failedProposals += requests
  }

  ranged(): void {
    this.ranges++
  }

  leaseRenewed(): void {
    this.leasesRenewed++
  }

  leaseExpired(): void {
    this.leasesExpired++
  }

  snapshotSaved(_bytes: number, tookMs: number): void {
    this.snapshots++
    this.snapshotSeconds.observe(tookMs / MILLISECONDS)
  }
}
