/**
 * The node under etcd's names, as its dashboards and alerts ask for them, and under names of its own what etcd does not
 * have. Where the thing behind an etcd name is another one here, the help says which.
 */
import type { Engine } from '../engine/api.ts'
import type { EngineCounts } from './engine-counts.ts'
import { counter, type Family, gauge, histogram } from './exposition.ts'

export interface NodeParts {
  readonly engine: Pick<
    Engine,
    'identity' | 'leaderId' | 'leading' | 'members' | 'revision' | 'term' | 'status' | 'gauges' | 'onLeaderChange'
  >
  readonly counts: EngineCounts
  /** etcd's version whose behaviour this is. */
  readonly version: string
}

export interface NodeMetrics {
  readonly families: readonly Family[]
  stop(): void
}

export function nodeMetrics({ engine, counts, version }: NodeParts): NodeMetrics {
  const changes = leaderChanges(engine)
  return {
    families: [
      ...serverFamilies(engine, counts, version, changes.count),
      ...storeFamilies(engine, counts),
      ...logFamilies(counts),
    ],
    stop: changes.stop,
  }
}

/** As etcd counts: the first leader that is seen is a change too. */
function leaderChanges(engine: NodeParts['engine']): { readonly count: () => number; readonly stop: () => void } {
  let last = engine.leaderId
  let count = last === 0n ? 0 : 1
  const stop = engine.onLeaderChange(() => {
    const { leaderId } = engine
    if (leaderId !== 0n && leaderId !== last) count++
    if (leaderId !== 0n) last = leaderId
  })
  return { count: () => count, stop }
}

function serverFamilies(
  engine: NodeParts['engine'],
  counts: EngineCounts,
  version: string,
  changes: () => number,
): readonly Family[] {
  const labelled = (labels: Readonly<Record<string, string>>) => () => [{ labels, value: 1 }]
  return [
    gauge('etcd_server_has_leader', '1 if a leader is known.', () => Number(engine.leaderId !== 0n)),
    gauge('etcd_server_is_leader', '1 if this member leads.', () => Number(engine.leading)),
    gauge('etcd_server_is_learner', 'Always 0: there are no learners.', () => 0),
    counter('etcd_server_leader_changes_seen_total', 'Changes of the leader that this member has seen.', changes),
    gauge(
      'etcd_server_id',
      'Member id, in hexadecimal.',
      labelled({ server_id: engine.identity.memberId.toString(16) }),
    ),
    gauge('etcd_server_version', 'Version of etcd whose behaviour this is.', labelled({ server_version: version })),
    gauge(
      'etcd_cluster_version',
      'Version of the cluster.',
      labelled({ cluster_version: version.replace(/\.\d+$/, '') }),
    ),
    gauge(
      'etcd_server_proposals_committed_total',
      'Records that the log is known to hold.',
      () => engine.status().appendedIndex,
    ),
    gauge('etcd_server_proposals_applied_total', 'Records that are applied.', () => engine.status().appliedIndex),
    gauge('etcd_server_proposals_pending', 'Requests that wait for the log.', () => engine.gauges().pendingProposals),
    counter(
      'etcd_server_proposals_failed_total',
      'Requests given up: too late, or the lead was lost.',
      () => counts.failedProposals,
    ),
    gauge('etcd_server_quota_backend_bytes', 'Quota of the stored versions.', () => engine.status().dbSizeQuota),
    gauge('etcd_network_known_peers', 'Other members.', () =>
      engine.members
        .filter(({ id }) => id !== engine.identity.memberId)
        .map(({ id }) => ({
          labels: { Local: engine.identity.memberId.toString(16), Remote: id.toString(16) },
          value: 1,
        })),
    ),
    counter('etcd_debugging_server_lease_expired_total', 'Leases whose time ran out.', () => counts.leasesExpired),
    counter('etcd_debugging_lease_granted_total', 'Leases granted.', () => counts.leasesGranted),
    counter(
      'etcd_debugging_lease_revoked_total',
      'Leases revoked, those that ran out among them.',
      () => counts.leasesRevoked,
    ),
    counter(
      'etcd_debugging_lease_renewed_total',
      'Renewals that this member, leading, has granted.',
      () => counts.leasesRenewed,
    ),
    gauge('keta_leases', 'Leases there are.', () => engine.gauges().leases),
    gauge('keta_server_term', 'Number of the term: the claims that the log has seen.', () => engine.term),
  ]
}

function storeFamilies(engine: NodeParts['engine'], counts: EngineCounts): readonly Family[] {
  return [
    gauge('etcd_mvcc_db_total_size_in_bytes', 'Bytes held for stored versions.', () => engine.status().dbSize),
    gauge(
      'etcd_mvcc_db_total_size_in_use_in_bytes',
      'Of these the bytes of versions that can still be read.',
      () => engine.status().dbSizeInUse,
    ),
    counter('etcd_mvcc_put_total', 'Keys put, in transactions too.', () => counts.puts),
    counter('etcd_mvcc_delete_total', 'Keys deleted, in transactions too.', () => counts.deletes),
    counter('etcd_mvcc_range_total', 'Ranges read, without those in transactions.', () => counts.ranges),
    counter('etcd_mvcc_txn_total', 'Transactions that went through the log.', () => counts.txns),
    gauge('etcd_debugging_mvcc_total_put_size_in_bytes', 'Bytes of the versions put.', () => counts.putBytes),
    gauge('etcd_debugging_mvcc_keys_total', 'Keys alive.', () => engine.gauges().keys),
    gauge('etcd_debugging_mvcc_current_revision', 'Current revision.', () => engine.revision),
    gauge(
      'etcd_debugging_mvcc_compact_revision',
      'Revision of the last compaction.',
      () => engine.gauges().compactRevision,
    ),
    gauge('etcd_debugging_mvcc_watch_stream_total', 'Streams of watches.', () => engine.gauges().streams),
    gauge('etcd_debugging_mvcc_watcher_total', 'Watches.', () => engine.gauges().watchers),
    gauge('etcd_debugging_mvcc_slow_watcher_total', 'Watches that are behind.', () => engine.gauges().laggingWatchers),
    gauge(
      'etcd_debugging_mvcc_pending_events_total',
      'Always 0: a watch that is behind keeps a place in the history, and no events.',
      () => 0,
    ),
    counter('etcd_debugging_mvcc_events_total', 'Events given to watches.', () => engine.gauges().eventsSent),
    histogram(
      'etcd_disk_backend_commit_duration_seconds',
      'Time that applying a batch to the state took on the leader.',
      () => counts.commitSeconds,
    ),
    histogram(
      'etcd_disk_backend_snapshot_duration_seconds',
      'Time that saving a snapshot took.',
      () => counts.snapshotSeconds,
    ),
    counter('keta_snapshots_total', 'Snapshots saved.', () => counts.snapshots),
  ]
}

function logFamilies(counts: EngineCounts): readonly Family[] {
  return [
    histogram(
      'etcd_disk_wal_fsync_duration_seconds',
      'Time until a batch was durable in the log: write and fdatasync, or the acknowledgement of Kafka.',
      () => counts.appendSeconds,
    ),
    histogram(
      'keta_log_append_duration_seconds',
      'The same as etcd_disk_wal_fsync_duration_seconds, by its own name.',
      () => counts.appendSeconds,
    ),
    histogram('keta_log_batch_records', 'Records of a batch.', () => counts.batchRecords),
    counter('keta_log_appended_records_total', 'Records that this member appended.', () => counts.appendedRecords),
    counter('keta_log_appended_bytes_total', 'Bytes that this member appended.', () => counts.appendedBytes),
    gauge('etcd_disk_wal_write_bytes_total', 'Bytes that this member appended to the log.', () => counts.appendedBytes),
    counter(
      'keta_log_applied_records_total',
      'Records applied since the start, whoever wrote them.',
      () => counts.appliedRecords,
    ),
    counter(
      'keta_log_ignored_records_total',
      'Records of deposed leaders that were passed over.',
      () => counts.ignoredRecords,
    ),
  ]
}
