/** What an administrator does to the tables, past the SPI: the hooks of a harness. */
import { Client, types } from 'cassandra-driver'
import type { HarnessHooks, ServerHook } from '../../conformance/harness.ts'
import { pluginContext, silentLogger } from '../../spi/index.ts'
import type { CassandraCluster } from '../../test-servers/cassandra.ts'
import type { TestServer } from '../../test-servers/server.ts'
import type { Seat, StoreDriver } from '../shared/driver.ts'
import { connectionsTo } from '../shared/etcd-v3/connections.fixture.ts'
import { openCassandraDriver } from './driver.ts'
import { parseSettings } from './opened.fixture.ts'

export interface Admin {
  readonly client: Client
  readonly hooks: Required<
    Pick<HarnessHooks, 'servers' | 'expireSession' | 'removeLeader' | 'removeMember' | 'compact' | 'usage'>
  >
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
  const { keyspace, contactPoints, port, user } = parseSettings(properties)
  const client = new Client({
    contactPoints: [...contactPoints],
    protocolOptions: { port },
    localDataCenter: 'datacenter1',
    encoding: { useBigIntAsLong: true },
    queryOptions: {
      prepare: true,
      consistency: types.consistencies.localQuorum,
      serialConsistency: types.consistencies.localSerial,
    },
    ...(user && { credentials: { username: user.name, password: user.password.reveal() } }),
  })
  const store = `"${keyspace}".store`
  await client.connect()
  const withDriver = async <T>(clusterId: string, work: (driver: StoreDriver) => Promise<T>): Promise<T> => {
    const context = pluginContext({ clusterId, logger: silentLogger })
    const driver = await openCassandraDriver(parseSettings(properties), context, call())
    try {
      return await work(driver)
    } finally {
      await driver.close()
    }
  }
  const remove = (clusterId: string, seat: Seat) =>
    withDriver(clusterId, async (driver) => {
      const seated = await driver.readSeat(seat, { ...call(), consistency: 'linearizable' })
      if (seated !== undefined) await driver.emptySeat(seat, seated.token, call())
    })
  const clusters = async () => {
    const { rows } = await client.execute(`SELECT DISTINCT cluster, rev FROM ${store}`)
    return rows.map((row) => ({ id: String(row['cluster']), revision: row['rev'] as bigint }))
  }
  const forget = async (cluster: string, revision: bigint): Promise<boolean> => {
    const query = `SELECT name FROM ${store} WHERE cluster = ? AND kind = 'change' LIMIT ${ROWS_AT_ONCE}`
    const { rows } = await client.execute(query, [cluster])
    if (rows.length === 0) return true
    const keep = `UPDATE ${store} SET rev = ? WHERE cluster = ? IF rev = ?`
    const gone = `DELETE FROM ${store} WHERE cluster = ? AND kind = 'change' AND name = ?`
    const removals = rows.map((row) => ({ query: gone, params: [cluster, String(row['name'])] }))
    await client.batch([{ query: keep, params: [revision, cluster, revision] }, ...removals], { prepare: true })
    return false
  }
  return {
    client,
    hooks: {
      servers: nodes.map((node) => serverHook(node, ready)),
      expireSession: async (id) => {
        const query = `SELECT cluster FROM "${keyspace}".session WHERE id = ? ALLOW FILTERING`
        const [row] = (await client.execute(query, [id])).rows
        if (row !== undefined) await withDriver(String(row['cluster']), (driver) => driver.endSession(id, call()))
      },
      removeLeader: (clusterId, service) => remove(clusterId, { kind: 'leader', service }),
      removeMember: (clusterId, group, id) => remove(clusterId, { kind: 'member', group, id }),
      compact: async () => {
        for (let left = await clusters(); left.length > 0; left = await clusters()) {
          const done = await Promise.all(left.map(({ id, revision }) => forget(id, revision)))
          if (done.every((isDone) => isDone)) return
        }
      },
      usage: async () => {
        const { rows } = await client.execute(`SELECT name FROM ${store} WHERE kind = 'session' ALLOW FILTERING`)
        const connections = connectionsTo(nodes)
        return { sessions: rows.length, ...(connections !== undefined && { connections }) }
      },
    },
    close: () => client.shutdown(),
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

function call() {
  return { signal: AbortSignal.timeout(PATIENCE_MS), timeoutMs: PATIENCE_MS }
}
