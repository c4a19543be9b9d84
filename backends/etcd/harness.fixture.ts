/** Real etcd for the conformance suite: one member, three members, and one with access control. */
import type { BackendHarness } from '../../conformance/harness.ts'
import { startEtcdCluster } from '../../test-servers/etcd-cluster.ts'
import { startEtcd } from '../../test-servers/etcd.ts'
import type { TestServer } from '../../test-servers/server.ts'
import { asBroker, withAccessControl } from '../shared/etcd-v3/access-control.fixture.ts'
import { type Admin, adminOf } from '../shared/etcd-v3/admin.fixture.ts'
import { promisesOf, SESSION_TTL_MS } from '../shared/etcd-v3/promises.fixture.ts'

export type StartedHarness = BackendHarness & AsyncDisposable

const LOCATOR = `${new URL('./index.ts', import.meta.url).href}#EtcdPluginLocator`
/** etcd looks for leases that have ended every 500 ms, and then removes their keys. */
const EXPIRY_LAG_MS = 1000

export async function startEtcdHarness(): Promise<StartedHarness> {
  const server = await startEtcd({ fsync: false })
  const admin = adminOf([server])
  return {
    ...harnessOf('etcd', [server], admin),
    notRun: { E8a: 'etcd (access control) runs it', E8b: 'etcd (access control) runs it' },
    [Symbol.asyncDispose]: () => stopAll(admin, [server]),
  }
}

export async function startEtcdClusterHarness(): Promise<StartedHarness> {
  const { members } = await startEtcdCluster({ fsync: false })
  const admin = adminOf(members)
  return {
    ...harnessOf('etcd (3 members)', members, admin),
    notRun: { E8a: 'etcd (access control) runs it', E8b: 'etcd (access control) runs it' },
    [Symbol.asyncDispose]: () => stopAll(admin, members),
  }
}

export async function startEtcdAccessControlHarness(): Promise<StartedHarness> {
  const server = await startEtcd({ fsync: false })
  const admin = await withAccessControl([server])
  return {
    ...asBroker(harnessOf('etcd (access control)', [server], admin), 'etcd'),
    [Symbol.asyncDispose]: () => stopAll(admin, [server]),
  }
}

function harnessOf(name: string, servers: readonly TestServer[], admin: Admin): BackendHarness {
  return {
    name,
    locator: LOCATOR,
    endpoints: servers.map(({ endpoint }) => endpoint),
    properties: (endpoints) => ({ 'plugin.etcd.endpoints': endpoints.join(',') }),
    expect: promisesOf('etcd'),
    sessionTtlMs: SESSION_TTL_MS,
    expiryLagMs: EXPIRY_LAG_MS,
    hooks: admin.hooks,
  }
}

async function stopAll(admin: Admin, servers: readonly TestServer[]): Promise<void> {
  admin.close()
  await Promise.all(servers.map((server) => server.stop()))
}
