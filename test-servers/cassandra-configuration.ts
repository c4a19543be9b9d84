/** The cassandra.yaml of one node of a test cluster. */
import { join } from 'node:path'
import { stringify } from 'yaml'

/** One node: every node has an address of its own, and all have the same ports, for clients take them to be. */
export interface CassandraNode {
  /** From 1. */
  readonly id: number
  /** 127.0.0.x */
  readonly address: string
  readonly nativePort: number
  readonly storagePort: number
}

export interface NodeSettings {
  readonly node: CassandraNode
  readonly nodes: readonly CassandraNode[]
  /** Nodes of another name are strangers: no cluster joins another that was there before it. */
  readonly clusterName: string
  readonly accessControl: boolean
  /** Further entries of cassandra.yaml. */
  readonly settings: Readonly<Record<string, unknown>>
}

/** Little memory and few threads: a node of a test has little to do. */
const SMALL = {
  commitlog_segment_size: '4MiB',
  commitlog_total_space: '64MiB',
  memtable_heap_space: '32MiB',
  memtable_offheap_space: '32MiB',
  memtable_allocation_type: 'heap_buffers',
  key_cache_size: '0MiB',
  row_cache_size: '0MiB',
  counter_cache_size: '0MiB',
  file_cache_size: '16MiB',
  networking_cache_size: '16MiB',
  prepared_statements_cache_size: '4MiB',
  concurrent_reads: 8,
  concurrent_writes: 8,
  concurrent_compactors: 1,
  native_transport_max_threads: 32,
}

/** @param dataDir where the node keeps all its data */
export function cassandraYaml(settings: NodeSettings, dataDir: string): string {
  const { node, nodes, clusterName, accessControl } = settings
  return stringify({
    cluster_name: clusterName,
    listen_address: node.address,
    rpc_address: node.address,
    native_transport_port: node.nativePort,
    storage_port: node.storagePort,
    start_native_transport: true,
    seed_provider: [seeds(nodes)],
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    num_tokens: 1,
    initial_token: token(node, nodes.length),
    auto_bootstrap: false,
    // one that is started without the others would wait for them for 10 s
    block_for_peers_timeout_in_secs: 1,
    endpoint_snitch: 'SimpleSnitch',
    dynamic_snitch: false,
    data_file_directories: [join(dataDir, 'data')],
    commitlog_directory: join(dataDir, 'commitlog'),
    saved_caches_directory: join(dataDir, 'saved_caches'),
    hints_directory: join(dataDir, 'hints'),
    // a killed node is known to be dead after 12 s, not after 18
    phi_convict_threshold: 5,
    // the log is written before the answer, so that a killed node has all that it has acknowledged
    commitlog_sync: 'batch',
    hinted_handoff_enabled: false,
    auto_snapshot: false,
    cdc_enabled: false,
    paxos_variant: 'v2',
    write_request_timeout: '2s',
    cas_contention_timeout: '1000ms',
    ...SMALL,
    ...(accessControl && { authenticator: 'PasswordAuthenticator', authorizer: 'CassandraAuthorizer' }),
    ...settings.settings,
  })
}

/** All of them are seeds: whichever is started again first starts without the others. */
function seeds(nodes: readonly CassandraNode[]): unknown {
  const addresses = nodes.map(({ address, storagePort }) => `${address}:${storagePort}`)
  return {
    class_name: 'org.apache.cassandra.locator.SimpleSeedProvider',
    parameters: [{ seeds: addresses.join(',') }],
  }
}

/** The ring in equal parts. */
function token({ id }: CassandraNode, count: number): string {
  return String(-(2n ** 63n) + BigInt(id - 1) * (2n ** 64n / BigInt(count)))
}
