/** Real Cassandra for the conformance suite: one node, three nodes, and one with access control. */
import type { BackendHarness } from '../../conformance/harness.ts'
import { type CassandraCluster, startCassandra, SUPERUSER } from '../../test-servers/cassandra.ts'
import { type Admin, adminOf } from './admin.fixture.ts'
import { Drivers, propertiesOf } from './opened.fixture.ts'
import { PROMISES, SESSION_TTL_MS } from './promises.fixture.ts'

export type StartedHarness = BackendHarness & AsyncDisposable

type Properties = Readonly<Record<string, string>>

const LOCATOR = `${new URL('./index.ts', import.meta.url).href}#CassandraPluginLocator`
/** Three nodes on one small machine agree more slowly. */
const CLUSTER_TTL_MS = 4000
/** Observers look every eighth of T or so, count a hundredth more than T, and then end the session in three steps. */
const LOOK_PART = 0.2
const STEPS_MS = { one: 600, three: 2500 }

const PASSWORD = 'correct horse'

const ELSEWHERE = { E8a: 'cassandra (access control) runs it', E8b: 'cassandra (access control) runs it' }

export function startCassandraHarness(): Promise<StartedHarness> {
  return startHarness('cassandra', 1)
}

export function startCassandraClusterHarness(): Promise<StartedHarness> {
  return startHarness('cassandra (3 nodes)', 3)
}

async function startHarness(name: string, count: 1 | 3): Promise<StartedHarness> {
  const cluster = await startCassandra({ nodes: count })
  const harness = await harnessOf(name, cluster, {})
  return { ...harness, notRun: ELSEWHERE }
}

/** Roles: `broker` may do everything, `guest` nothing. One keyspace has all clusters. */
export async function startCassandraAccessControlHarness(): Promise<StartedHarness> {
  const cluster = await startCassandra({ accessControl: true })
  const harness = await harnessOf('cassandra (access control)', cluster, userOf(SUPERUSER.username, SUPERUSER.password))
  const broker = userOf('broker', PASSWORD)
  return {
    ...harness,
    properties: (endpoints) => ({ ...harness.properties(endpoints), ...broker }),
    hooks: {
      ...harness.hooks,
      wrongCredentials: userOf('broker', 'battery staple'),
      forbidden: { clusterId: 'forbidden', properties: userOf('guest', PASSWORD) },
    },
  }
}

async function createRoles({ define }: Admin): Promise<void> {
  for (const role of ['broker', 'guest']) {
    await define(`CREATE ROLE ${role} WITH PASSWORD = '${PASSWORD}' AND LOGIN = true`)
  }
  for (const permission of ['SELECT', 'MODIFY']) {
    await define(`GRANT ${permission} ON KEYSPACE conformance TO broker`)
  }
}

function userOf(name: string, password: string): Properties {
  return { 'plugin.cassandra.username': name, 'plugin.cassandra.password': password }
}

async function harnessOf(name: string, cluster: CassandraCluster, user: Properties): Promise<StartedHarness> {
  const endpoints = cluster.nodes.map(({ endpoint }) => endpoint)
  const sessionTtlMs = endpoints.length > 1 ? CLUSTER_TTL_MS : SESSION_TTL_MS
  const properties = (reached: readonly string[]) => ({ ...propertiesOf(cluster, reached), ...user })
  const admin = await withTables(cluster, properties(endpoints))
  if (Object.keys(user).length > 0) await createRoles(admin)
  return {
    name,
    locator: LOCATOR,
    endpoints,
    properties,
    expect: PROMISES,
    sessionTtlMs,
    expiryLagMs: sessionTtlMs * LOOK_PART + (endpoints.length > 1 ? STEPS_MS.three : STEPS_MS.one),
    hooks: admin.hooks,
    [Symbol.asyncDispose]: async () => {
      await admin.close()
      await cluster.stop()
    },
  }
}

/** Made once, by one client, before all others come. */
async function withTables(cluster: CassandraCluster, properties: Properties): Promise<Admin> {
  try {
    const drivers = new Drivers()
    await drivers.open(properties)
    await drivers.close()
    await cluster.ready()
    return await adminOf(cluster, properties)
  } catch (error) {
    await cluster.stop()
    throw error
  }
}
