/** Real ZooKeeper for the conformance suite: one server, three, and one whose clients show who they are. */
import type { BackendHarness } from '../../conformance/harness.ts'
import type { Capabilities } from '../../spi/index.ts'
import { startZooKeeper, type ZooKeeperEnsemble } from '../../test-servers/zookeeper.ts'
import { adminHooks } from './admin.fixture.ts'
import { visit } from './foreign-client.fixture.ts'

export type StartedHarness = BackendHarness & AsyncDisposable

const LOCATOR = `${new URL('./index.ts', import.meta.url).href}#ZooKeeperPluginLocator`
export const TICK_MS = 200
/** A renewal is worth half a tick and a quarter of it less; what remains must outlast a busy machine. */
export const SESSION_TTL_MS = 2500
/** In ticks: servers give each other up after 2 s. */
const SYNC_LIMIT = { syncLimit: '10', initLimit: '100' }
/** Sessions end at a full tick, and a follower's word of them may be half a tick old. */
const EXPIRY_LAG_MS = 5 * TICK_MS

/** What the backend is to promise, written down once more. */
export const PROMISES: Capabilities = {
  backend: 'zookeeper',
  persistent: true,
  multiProcess: true,
  linearizableReads: true,
  atomicFencing: true,
  snapshotScan: false,
  transactions: { maxOps: 100 },
  notifications: { mode: 'push', maxLagMs: 1000 },
  session: { minTtlMs: 2 * TICK_MS, granularityMs: 0 },
  limits: { maxKeyBytes: 1024, maxValueBytes: 524_288 },
}

const NOT_RUN = {
  E8a: 'a user of the digest scheme with another password is another user: there are no wrong credentials',
}

export function startZooKeeperHarness(): Promise<StartedHarness> {
  return start('zookeeper', 1)
}

export function startZooKeeperEnsembleHarness(): Promise<StartedHarness> {
  return start('zookeeper (3 servers)', 3)
}

/** By TLS. `guest` may do nothing in the cluster `forbidden`. */
export async function startZooKeeperAccessControlHarness(): Promise<StartedHarness> {
  const ensemble = await startZooKeeper({ tickMs: TICK_MS, accessControl: true, tls: true })
  await visit(ensemble.connectString, (visitor) => visitor.createPrivate('/forbidden', null), {
    digest: 'admin:secret',
  })
  const user = (name: string) => ({
    'plugin.zookeeper.username': name,
    'plugin.zookeeper.password': 'correct horse',
  })
  const harness = harnessOf('zookeeper (access control)', ensemble)
  return {
    ...harness,
    endpoints: ensemble.secureEndpoints,
    properties: (endpoints) => ({
      ...harness.properties(endpoints),
      'plugin.zookeeper.tls': 'true',
      ...(ensemble.tls && { 'plugin.zookeeper.tls.ca.file': ensemble.tls.caFile }),
      ...user('broker'),
    }),
    hooks: { ...harness.hooks, forbidden: { clusterId: 'forbidden', properties: user('guest') } },
    [Symbol.asyncDispose]: () => ensemble.stop(),
  }
}

async function start(name: string, servers: 1 | 3): Promise<StartedHarness> {
  const ensemble = await startZooKeeper({
    servers,
    tickMs: TICK_MS,
    ...(servers > 1 && { properties: SYNC_LIMIT }),
  })
  return {
    ...harnessOf(name, ensemble),
    notRun: { ...NOT_RUN, E8b: 'zookeeper (access control) runs it' },
    [Symbol.asyncDispose]: () => ensemble.stop(),
  }
}

function harnessOf(name: string, { servers }: ZooKeeperEnsemble): BackendHarness {
  return {
    name,
    locator: LOCATOR,
    endpoints: servers.map(({ endpoint }) => endpoint),
    properties: (endpoints) => ({ 'plugin.zookeeper.connect': endpoints.join(',') }),
    expect: PROMISES,
    sessionTtlMs: SESSION_TTL_MS,
    expiryLagMs: EXPIRY_LAG_MS,
    hooks: adminHooks(servers),
  }
}
