/** Real Cassandra clusters for tests and benches: one node or three. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from 'cassandra-driver'
import { setClock } from './cassandra-clock.ts'
import type { CassandraNode, NodeSettings } from './cassandra-configuration.ts'
import { CASSANDRA } from './cassandra-installation.ts'
import { startNode } from './cassandra-node.ts'
import { clientOf, schemaVersions } from './cassandra-ready.ts'
import { ensureArchive, installJars, type JavaInstallation } from './java-installation.ts'
import { freePorts, isRunning, startTogether, stopAll } from './server-group.ts'
import type { TestServer } from './server.ts'

export interface CassandraOptions {
  /** Default 1. Three are at 127.0.0.1, .2 and .3, at the same port: clients take all nodes of a cluster to be. */
  readonly nodes?: 1 | 3
  /** true: clients log in, at first as `SUPERUSER`, and do what their role may. Default false. */
  readonly accessControl?: boolean
  /** Further entries of every node's cassandra.yaml; they win over all others. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Of each node. Default 256. */
  readonly heapMb?: number
  /** How far the clocks of the nodes are ahead of ours, in their order; less than 0: behind. Default: not at all. */
  readonly clockAheadMs?: readonly number[]
}

export interface CassandraCluster {
  /** A node that is started again is ready when it answers clients: the others may still take it for dead. */
  readonly nodes: readonly TestServer[]
  /**
   * Resolves when all nodes that run know each other to be alive, and have one schema. They may go on to ask a node
   * that was killed, and not get its answer, for another 12 s. A paused node runs, but does not answer.
   * @throws after 60 s
   */
  ready(): Promise<void>
  /**
   * Sets the clock of a node, which takes effect within 50 ms, and holds for its restarts too. The clock by which it
   * measures how much time has passed is not touched. @throws if the cluster was started without `clockAheadMs`
   */
  setClockAhead(index: number, aheadMs: number): void
  /** Kills all nodes and removes their data. May be called twice. */
  stop(): Promise<void>
}

/** The role that a cluster with access control has at first. */
export const SUPERUSER = { username: 'cassandra', password: 'cassandra' }

const HEAP_MB = 256
const READY_MS = 60_000
/** Java writes its archive when it ends, which takes some seconds. */
const ARCHIVE_MS = 60_000
let installation: Promise<JavaInstallation> | undefined

/**
 * Fetches Cassandra, or finds it fetched by an earlier run, and records its classes so that nodes start quickly.
 * The first time takes up to two minutes.
 * @throws MissingToolchainError without Java 17 or later, or without Maven
 */
export function ensureCassandra(): Promise<JavaInstallation> {
  if (installation) return installation
  const installed = installWithArchive()
  installation = installed
  installed.catch(() => (installation = undefined))
  return installed
}

/**
 * A fresh cluster, ready.
 * @throws MissingToolchainError as ensureCassandra, and without javac if clocks are to be set
 */
export async function startCassandra(options: CassandraOptions = {}): Promise<CassandraCluster> {
  const installed = await ensureCassandra()
  const java = [`-XX:SharedArchiveFile=${installed.archive}`]
  return startCluster(installed, options, java, 0)
}

async function startCluster(
  installed: JavaInstallation,
  { nodes: count = 1, accessControl = false, settings = {}, heapMb = HEAP_MB, clockAheadMs }: CassandraOptions,
  java: readonly string[],
  stopGrace: number,
): Promise<CassandraCluster> {
  const plans = await planNodes(count)
  const clusterName = `test ${randomUUID()}`
  const start = (node: CassandraNode): Promise<TestServer> => {
    const nodeSettings: NodeSettings = { node, nodes: plans, clusterName, accessControl, settings }
    const aheadMs = clockAheadMs && (clockAheadMs[node.id - 1] ?? 0)
    return startNode({ installation: installed, settings: nodeSettings, heapMb, aheadMs, java, stopGrace })
  }
  const nodes = await startTogether(plans.map(start))
  const ready = (): Promise<void> => allAgree(nodes, accessControl)
  const stop = (): Promise<void> => stopAll(nodes)
  try {
    await ready()
  } catch (error) {
    await stop()
    throw error
  }
  const setClockAhead = (index: number, aheadMs: number): void => {
    const node = nodes[index]
    if (!clockAheadMs || !node) throw new Error('only clusters started with clockAheadMs have clocks to set')
    setClock(join(node.dataDir, 'data'), aheadMs)
  }
  return { nodes, ready, setClockAhead, stop }
}

async function planNodes(count: number): Promise<readonly CassandraNode[]> {
  const addresses = Array.from({ length: count }, (_, index) => `127.0.0.${index + 1}`)
  const [nativePort = 0, storagePort = 0] = await freePorts(2, addresses)
  return addresses.map((address, index) => ({ id: index + 1, address, nativePort, storagePort }))
}

async function allAgree(nodes: readonly TestServer[], accessControl: boolean): Promise<void> {
  const deadline = performance.now() + READY_MS
  for (;;) {
    const doubt = await disagreement(nodes.filter(isRunning), accessControl)
    if (doubt === undefined) return
    if (performance.now() > deadline) throw new Error(`Cassandra is not ready after ${READY_MS} ms: ${doubt}`)
    await delay(100)
  }
}

/** What is not yet as it should be. */
async function disagreement(running: readonly TestServer[], accessControl: boolean): Promise<string | undefined> {
  const addresses = running.map(({ endpoint }) => endpoint.split(':')[0] ?? '')
  const views = await Promise.allSettled(running.map(({ endpoint }) => view(endpoint, addresses, accessControl)))
  const versions = new Set<string>()
  for (const each of views) {
    if (each.status === 'rejected') return String(each.reason)
    if (each.value === undefined) return 'the nodes have not found each other'
    for (const version of each.value) versions.add(version)
  }
  return versions.size === 1 ? undefined : 'the nodes have different schemas'
}

async function view(
  endpoint: string,
  addresses: readonly string[],
  accessControl: boolean,
): Promise<readonly string[] | undefined> {
  const client = clientOf(endpoint, accessControl ? SUPERUSER : undefined)
  try {
    await client.connect()
    return await schemaVersions(client, addresses)
  } finally {
    await client.shutdown()
  }
}

async function installWithArchive(): Promise<JavaInstallation> {
  const installed = await installJars(CASSANDRA)
  await ensureArchive(CASSANDRA, installed, (file) => recordClasses(installed, file))
  return installed
}

/** With one of each kind of statement, so that what they take is in the archive too. */
async function recordClasses(installed: JavaInstallation, file: string): Promise<void> {
  const cluster = await startCluster(installed, {}, [`-XX:ArchiveClassesAtExit=${file}`], ARCHIVE_MS)
  try {
    for (const { endpoint } of cluster.nodes) await useOnce(clientOf(endpoint, undefined))
  } finally {
    await cluster.stop()
  }
}

async function useOnce(client: Client): Promise<void> {
  try {
    const replication = `{'class': 'SimpleStrategy', 'replication_factor': 1}`
    await client.execute(`CREATE KEYSPACE records WITH replication = ${replication}`)
    await client.execute('CREATE TABLE records.one (id text PRIMARY KEY, version bigint)')
    await client.execute(`INSERT INTO records.one (id, version) VALUES ('a', 1) IF NOT EXISTS`)
    await client.execute(`UPDATE records.one SET version = 2 WHERE id = 'a' IF version = 1`)
    await client.execute('SELECT version FROM records.one')
  } finally {
    await client.shutdown()
  }
}
