/** What an administrator does to the tables, past the SPI: the hooks of a harness. */
import type { types } from 'cassandra-driver'
import type { HarnessHooks, ServerHook } from '../../conformance/harness.ts'
import { pluginContext, silentLogger } from '../../spi/index.ts'
import type { CassandraCluster } from '../../test-servers/cassandra.ts'
import type { TestServer } from '../../test-servers/server.ts'
import type { Call, Seat, StoreDriver } from '../shared/driver.ts'
import { connectionsTo } from '../shared/etcd-v3/connections.fixture.ts'
import { Cluster } from './cluster.ts'
import { Committer } from './committer.ts'
import { openCassandraDriver } from './driver.ts'
import { parseSettings } from './opened.fixture.ts'
import { Sessions } from './sessions.ts'
import type { Settings } from './settings.ts'
import { Tables } from './tables.ts'

export interface Admin {
  readonly hooks: Required<
    Pick<HarnessHooks, 'servers' | 'expireSession' | 'removeLeader' | 'removeMember' | 'compact' | 'usage'>
  >
  execute(query: string, params?: readonly unknown[]): Promise<readonly types.Row[]>
  /** A statement that nobody prepares. */
  define(query: string): Promise<void>
  close(): Promise<void>
}

/** How long an administrator's deed may take, milliseconds. */
const PATIENCE_MS = 10_000
const ROWS_AT_ONCE = 500

/** @param properties with which clients reach the servers without a network between. */
export async function adminOf(
  { nodes, ready }: CassandraCluster,
  properties: Readonly<Record<string, string>>,
): Promise<Admin> {
  const settings = parseSettings(properties)
  const cluster = await Cluster.open(settings, contextOf('admin'), call())
  const execute = async (query: string, params: readonly unknown[] = []) =>
    (await cluster.write({ query, params }, call())).rows
  const ofClusters = new Map<string, Sessions>()
  const sessionsOf = (clusterId: string) => {
    const committer = new Committer(new Tables(cluster, clusterId), contextOf(clusterId))
    const sessions = ofClusters.get(clusterId) ?? new Sessions(cluster, committer, clusterId)
    ofClusters.set(clusterId, sessions)
    return sessions
  }
  const remove = (clusterId: string, seat: Seat) =>
    withDriver(settings, clusterId, async (driver) => {
      const seated = await driver.readSeat(seat, { ...call(), consistency: 'linearizable' })
      if (seated !== undefined) await driver.emptySeat(seat, seated.token, call())
    })
  return {
    execute,
    define: (query) => cluster.define(query),
    hooks: {
      servers: nodes.map((node) => serverHook(node, ready)),
      expireSession: async (id) => {
        const query = `SELECT cluster FROM "${settings.keyspace}".session WHERE id = ? ALLOW FILTERING`
        const [row] = await execute(query, [id])
        if (row === undefined) return
        await sessionsOf(String(row['cluster'])).endSession(id, call())
      },
      removeLeader: (clusterId, service) => remove(clusterId, { kind: 'leader', service }),
      removeMember: (clusterId, group, id) => remove(clusterId, { kind: 'member', group, id }),
      compact: () => forgetChanges(cluster),
      usage: async () => {
        const store = `"${settings.keyspace}".store`
        const sessions = await execute(`SELECT name FROM ${store} WHERE kind = 'session' ALLOW FILTERING`)
        const connections = connectionsTo(nodes)
        return { sessions: sessions.length, ...(connections !== undefined && { connections }) }
      },
    },
    close: () => cluster.close(),
  }
}

async function withDriver<T>(
  settings: Settings,
  clusterId: string,
  work: (driver: StoreDriver) => Promise<T>,
): Promise<T> {
  const driver = await openCassandraDriver(settings, contextOf(clusterId), call())
  try {
    return await work(driver)
  } finally {
    await driver.close()
  }
}

/** What was changed, of all clusters; the revisions stay. */
async function forgetChanges(cluster: Cluster): Promise<void> {
  const store = `"${cluster.settings.keyspace}".store`
  const read = async (query: string, params: readonly unknown[]) =>
    (await cluster.read({ query, params }, 'plain', call())).rows
  for (let left = 1; left > 0; ) {
    left = 0
    for (const { id, rev } of await read(`SELECT DISTINCT cluster AS id, rev FROM ${store}`, [])) {
      const changes = `SELECT name FROM ${store} WHERE cluster = ? AND kind = 'change' LIMIT ${ROWS_AT_ONCE}`
      const rows = await read(changes, [id])
      left += rows.length
      if (rows.length === 0) continue
      const keep = { query: `UPDATE ${store} SET rev = ? WHERE cluster = ? IF rev = ?`, params: [rev, id, rev] }
      const query = `DELETE FROM ${store} WHERE cluster = ? AND kind = 'change' AND name = ?`
      await cluster.batch([keep, ...rows.map((row) => ({ query, params: [id, String(row['name'])] }))], call())
    }
  }
}

/** A harness's server that is a node. Those that run take a while to find each other again. */
function serverHook(server: TestServer, ready: () => Promise<void>): ServerHook {
  return {
    endpoint: server.endpoint,
    kill: () => server.kill(),
    start: async () => {
      await server.restart()
      await ready()
    },
    pause: () => server.pause(),
    resume: () => server.resume(),
  }
}

function contextOf(clusterId: string) {
  return pluginContext({ clusterId, logger: silentLogger, sessionTimeoutMs: PATIENCE_MS })
}

function call(): Call {
  return { signal: AbortSignal.timeout(PATIENCE_MS), timeoutMs: PATIENCE_MS }
}
