/** A store of etcd's API with access control, for the cases on credentials. */
import type { BackendHarness } from '../../../conformance/harness.ts'
import type { TestServer } from '../../../test-servers/server.ts'
import { type Admin, adminOf } from './admin.fixture.ts'

const PASSWORD = 'correct horse'

/**
 * Users: `broker` may do everything below `/`; `guest` may do nothing in the cluster `forbidden`.
 * @returns an administrator, of the servers as they are now
 */
export async function withAccessControl(servers: readonly TestServer[]): Promise<Admin> {
  const { etcd, close } = adminOf(servers)
  const permission = (from: string, to: string) =>
    ({ permType: 'Readwrite', key: Buffer.from(from), range_end: Buffer.from(to) }) as const
  try {
    for (const name of ['root', 'broker', 'guest']) {
      await etcd.auth.userAdd({ name, password: PASSWORD })
      await etcd.auth.roleAdd({ name })
      await etcd.auth.userGrantRole({ user: name, role: name })
    }
    await etcd.auth.roleGrantPermission({ name: 'broker', perm: permission('/', '0') })
    await etcd.auth.roleGrantPermission({ name: 'guest', perm: permission('/elsewhere/', '/elsewhere0') })
    await etcd.auth.authEnable()
  } finally {
    close()
  }
  return adminOf(servers, { auth: { username: 'root', password: PASSWORD } })
}

/** The harness for clients that log in as `broker`. @param plugin its name in properties: `plugin.NAME.username`. */
export function asBroker(harness: BackendHarness, plugin: string): BackendHarness {
  const user = (name: string, password = PASSWORD) => ({
    [`plugin.${plugin}.username`]: name,
    [`plugin.${plugin}.password`]: password,
  })
  return {
    ...harness,
    properties: (endpoints) => ({ ...harness.properties(endpoints), ...user('broker') }),
    hooks: {
      ...harness.hooks,
      wrongCredentials: user('broker', 'battery staple'),
      forbidden: { clusterId: 'forbidden', properties: user('guest') },
    },
  }
}
