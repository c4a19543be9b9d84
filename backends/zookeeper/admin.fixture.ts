/** What an administrator does to an ensemble, past the SPI: the hooks of a harness. */
import { connect } from 'node:net'
import type { HarnessHooks } from '../../conformance/harness.ts'
import type { TestServer } from '../../test-servers/server.ts'
import type { Seat } from '../shared/driver.ts'
import { serverHook } from '../shared/etcd-v3/admin.fixture.ts'
import { connectionsTo } from '../shared/etcd-v3/connections.fixture.ts'
import { SessionOverError, visit } from './foreign-client.fixture.ts'
import { Layout } from './layout.ts'

export type AdminHooks = Required<
  Pick<HarnessHooks, 'servers' | 'expireSession' | 'removeLeader' | 'removeMember' | 'usage'>
>

const ANSWER_MS = 2000

export function adminHooks(servers: readonly TestServer[]): AdminHooks {
  const connectString = servers.map(({ endpoint }) => endpoint).join(',')
  const remove = (clusterId: string, seat: Seat) =>
    visit(connectString, (visitor) => visitor.remove(new Layout('', clusterId).seat(seat)))
  return {
    servers: servers.map(serverHook),
    expireSession: (id) => endSession(connectString, BigInt(id)),
    removeLeader: (clusterId, service) => remove(clusterId, { kind: 'leader', service }),
    removeMember: (clusterId, group, id) => remove(clusterId, { kind: 'member', group, id }),
    usage: async () => {
      const answers = await Promise.all(servers.map(({ endpoint }) => monitor(endpoint)))
      const sessions = Math.max(...answers.map((answer) => Number(/^zk_global_sessions\t(\d+)$/m.exec(answer)?.[1])))
      const connections = connectionsTo(servers)
      return { sessions, ...(connections !== undefined && { connections }) }
    },
  }
}

/** Takes it over and closes it, until it is over: its owner may take it back before the second. */
async function endSession(connectString: string, sessionId: bigint): Promise<void> {
  for (;;) {
    try {
      await visit(connectString, () => Promise.resolve(), { sessionId })
    } catch (error) {
      if (error instanceof SessionOverError) return
      throw error
    }
  }
}

/** What a server says of itself. */
async function monitor(endpoint: string): Promise<string> {
  const [host = '', port] = endpoint.split(':')
  const socket = connect(Number(port), host, () => socket.write('mntr'))
  socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`${endpoint} does not answer`)))
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
