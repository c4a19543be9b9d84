/** Whether a node of Cassandra answers clients, and what it knows of the others. */
import { connect } from 'node:net'
import { auth, Client, policies, types } from 'cassandra-driver'

const TIMEOUT_MS = 2000
/** Of version 4 of the protocol: the request OPTIONS without a body, and the code of its answer, SUPPORTED. */
const OPTIONS_REQUEST = Buffer.from([0x04, 0, 0, 0, 0x05, 0, 0, 0, 0])
const SUPPORTED = 0x06
const OPCODE_AT = 4
const DATACENTER = 'datacenter1'
const LEVELS = [types.consistencies.one, types.consistencies.two, types.consistencies.three]

/** @param endpoint 'host:port' */
export function answersClients(endpoint: string): Promise<boolean> {
  const [host = '', port = '0'] = endpoint.split(':')
  return new Promise((resolve) => {
    const socket = connect(Number(port), host, () => socket.write(OPTIONS_REQUEST))
    const answer = (open: boolean) => (): void => {
      socket.destroy()
      resolve(open)
    }
    socket.setTimeout(TIMEOUT_MS, answer(false))
    socket.once('error', answer(false))
    socket.once('close', answer(false))
    socket.once('data', (bytes) => {
      answer(bytes[OPCODE_AT] === SUPPORTED)()
    })
  })
}

/**
 * A client of this node alone.
 * @param patienceMs for an answer
 */
export function clientOf(
  endpoint: string,
  credentials: { username: string; password: string } | undefined,
  patienceMs = TIMEOUT_MS,
): Client {
  const port = Number(endpoint.split(':')[1])
  const balancing = new policies.loadBalancing.AllowListPolicy(
    new policies.loadBalancing.DCAwareRoundRobinPolicy(DATACENTER),
    [endpoint],
  )
  return new Client({
    contactPoints: [endpoint],
    localDataCenter: DATACENTER,
    protocolOptions: { port },
    policies: { loadBalancing: balancing, retry: new policies.retry.FallthroughRetryPolicy() },
    socketOptions: { connectTimeout: TIMEOUT_MS, readTimeout: patienceMs },
    ...(credentials && { authProvider: new auth.PlainTextAuthProvider(credentials.username, credentials.password) }),
  })
}

/**
 * The schema versions that a node knows: its own, and those of the other running nodes.
 * @param running addresses of all nodes that run
 * @returns undefined while it takes one of the others for dead, or does not know it
 */
export async function schemaVersions(
  client: Client,
  running: readonly string[],
): Promise<readonly string[] | undefined> {
  const local = await client.execute('SELECT rpc_address, schema_version FROM system.local')
  const peers = await client.execute('SELECT native_address AS rpc_address, schema_version FROM system.peers_v2')
  const known = [...local.rows, ...peers.rows].filter((row) => running.includes(String(row['rpc_address'])))
  if (known.length !== running.length) return undefined
  // this table is on all nodes: so many must be taken for alive, and be it
  const consistency = LEVELS[running.length - 1] ?? types.consistencies.all
  await client.execute('INSERT INTO system_traces.sessions (session_id) VALUES (uuid())', [], { consistency })
  return known.map((row) => String(row['schema_version']))
}
