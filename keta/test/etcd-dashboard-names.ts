/**
 * The metrics that etcd's own dashboards and alerts (the etcd mixin, and the Grafana dashboard of its documentation)
 * ask for: written down from their expressions.
 */
export const ETCD_DASHBOARD_NAMES: readonly string[] = [
  'etcd_cluster_version',
  'etcd_debugging_mvcc_keys_total',
  'etcd_debugging_mvcc_pending_events_total',
  'etcd_debugging_mvcc_slow_watcher_total',
  'etcd_debugging_mvcc_watch_stream_total',
  'etcd_debugging_mvcc_watcher_total',
  'etcd_disk_backend_commit_duration_seconds',
  'etcd_disk_wal_fsync_duration_seconds',
  'etcd_mvcc_db_total_size_in_bytes',
  'etcd_mvcc_db_total_size_in_use_in_bytes',
  'etcd_mvcc_delete_total',
  'etcd_mvcc_put_total',
  'etcd_mvcc_range_total',
  'etcd_mvcc_txn_total',
  'etcd_network_client_grpc_received_bytes_total',
  'etcd_network_client_grpc_sent_bytes_total',
  'etcd_server_has_leader',
  'etcd_server_health_failures',
  'etcd_server_health_success',
  'etcd_server_id',
  'etcd_server_is_leader',
  'etcd_server_leader_changes_seen_total',
  'etcd_server_proposals_applied_total',
  'etcd_server_proposals_committed_total',
  'etcd_server_proposals_failed_total',
  'etcd_server_proposals_pending',
  'etcd_server_quota_backend_bytes',
  'etcd_server_version',
  'grpc_server_handled_total',
  'grpc_server_handling_seconds',
  'grpc_server_msg_received_total',
  'grpc_server_msg_sent_total',
  'grpc_server_started_total',
  'os_fd_limit',
  'os_fd_used',
  'process_cpu_seconds_total',
  'process_max_fds',
  'process_open_fds',
  'process_resident_memory_bytes',
  'process_start_time_seconds',
]

/** Asked for too, and there only in a cluster: of the links between its members. */
export const ETCD_PEER_NAMES: readonly string[] = [
  'etcd_network_peer_received_bytes_total',
  'etcd_network_peer_sent_bytes_total',
  'etcd_network_peer_round_trip_time_seconds',
]
