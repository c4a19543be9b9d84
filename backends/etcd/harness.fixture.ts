/** Real etcd for the conformance suite: one member, three members, and one with access control. */
import type { BackendHarness } from '../../conformance/harness.ts'
import { startEtcdCluster } from '../../test-servers/etcd-cluster.ts'
import { startEtcd } from '../../test-servers/etcd.ts'
import type { TestServer } from '../../test-servers/server.ts'
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

/** Users: `broker` may do everything; `guest` may do nothing in the cluster `forbidden`. */
export async function startEtcdAccessControlHarness(): Promise<StartedHarness> {
  const server = await startEtcd({ fsync: false })
  const password = 'correct horse'
  await enableAccessControl([server], password)
  const admin = adminOf([server], { auth: { username: 'root', password } })
  const user = (name: string, secret = password) => ({ 'plugin.etcd.username': name, 'plugin.etcd.password': secret })
  const harness = harnessOf('etcd (access control)', [server], admin)
  return {
    ...harness,
    properties: (endpoints) => ({ ...harness.properties(endpoints), ...user('broker') }),
    hooks: {
      ...harness.hooks,
      wrongCredentials: user('broker', 'battery staple'),
      forbidden: { clusterId: 'forbidden', properties: user('guest') },
    },
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

async function enableAccessControl(servers: readonly TestServer[], password: string): Promise<void> {
  const admin = adminOf(servers)
  const { auth } = admin.etcd
  const permission = (from: string, to: string) =>
    ({ permType: 'Readwrite', key: Buffer.from(from), range_end: Buffer.from(to) }) as const
  try {
    for (const name of ['root', 'broker', 'guest']) {
      await auth.userAdd({ name, password })
      await auth.roleAdd({ name })
      await auth.userGrantRole({ user: name, role: name })
    }
    await auth.roleGrantPermission({ name: 'broker', perm: permission('/', '0') })
    await auth.roleGrantPermission({ name: 'guest', perm: permission('/elsewhere/', '/elsewhere0') })
    await auth.authEnable()
  } finally {
    admin.close()
  }
}

async function stopAll(admin: Admin, servers: readonly TestServer[]): Promise<void> {
  admin.close()
  await Promise.all(servers.map((server) => server.stop()))
}
