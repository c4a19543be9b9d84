/** What an administrator does to a store of etcd's API, past the SPI: the hooks of a harness. */
import { Etcd3 } from 'etcd3'
import type { HarnessHooks, ServerHook } from '../../../conformance/harness.ts'
import type { TestServer } from '../../../test-servers/server.ts'
import type { Seat } from '../driver.ts'
import { connectionsTo } from './connections.fixture.ts'
import { Layout } from './layout.ts'
import { leaseOf } from './leases.ts'

export interface Admin {
  readonly etcd: Etcd3
  readonly hooks: Required<
    Pick<HarnessHooks, 'servers' | 'expireSession' | 'removeLeader' | 'removeMember' | 'compact' | 'usage'>
  >
  close(): void
}

export interface AdminOptions {
  readonly auth?: { readonly username: string; readonly password: string }
  readonly prefix?: string
}

/** How long an administrator's deed may take, milliseconds. */
const PATIENCE_MS = 10_000

export function adminOf(servers: readonly TestServer[], options: AdminOptions = {}): Admin {
  const connect = (hosts: string[]) =>
    new Etcd3({
      hosts,
      defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + PATIENCE_MS }),
      ...(options.auth && { auth: options.auth }),
    })
  const etcd = connect(servers.map(({ endpoint }) => endpoint))
  const each = servers.map(({ endpoint }) => connect([endpoint]))
  const remove = async (clusterId: string, seat: Seat) => {
    await etcd.kv.deleteRange({ key: new Layout(options.prefix ?? '', clusterId).seat(seat) })
  }
  return {
    etcd,
    hooks: {
      servers: servers.map(serverHook),
      expireSession: async (id) => {
        await etcd.leaseClient.leaseRevoke({ ID: leaseOf(id) })
      },
      removeLeader: (clusterId, service) => remove(clusterId, { kind: 'leader', service }),
      removeMember: (clusterId, group, id) => remove(clusterId, { kind: 'member', group, id }),
      compact: async () => {
        const { header } = await etcd.kv.range({ key: Buffer.from('compacted') })
        await etcd.kv.compact({ revision: header.revision, physical: true })
      },
      usage: async () => {
        // of every server, so that our own connections are the same at each time
        const answers = await Promise.all(each.map((one) => one.leaseClient.leaseLeases()))
        const leases = answers[0]?.leases ?? []
        const connections = connectionsTo(servers)
        return { sessions: leases.length, ...(connections !== undefined && { connections }) }
      },
    },
    close: () => [etcd, ...each].forEach((one) => one.close()),
  }
}

/** A harness's server that is a test server. */
export function serverHook(server: TestServer): ServerHook {
  return {
    endpoint: server.endpoint,
    kill: () => server.kill(),
    start: () => server.restart(),
    pause: () => server.pause(),
    resume: () => server.resume(),
  }
}
