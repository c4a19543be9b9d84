/** The zoo.cfg of one server of a test ensemble. */

/** One server: its number from 1, and its ports on 127.0.0.1. */
export interface ZooKeeperNode {
  readonly id: number
  readonly clientPort: number
  readonly quorumPort: number
  readonly electionPort: number
}

export interface ServerSettings {
  readonly node: ZooKeeperNode
  readonly nodes: readonly ZooKeeperNode[]
  readonly tickMs: number
  readonly properties: Readonly<Record<string, string>>
}

/** In ticks. A server that has just started may take its time, one that falls silent later is given up after 2 s. */
const INIT_LIMIT = 20
const SYNC_LIMIT = 4

/** @param dataDir where the server keeps its data */
export function zooCfg({ node, nodes, tickMs, properties }: ServerSettings, dataDir: string): string {
  const entries = {
    dataDir,
    clientPort: String(node.clientPort),
    clientPortAddress: '127.0.0.1',
    tickTime: String(tickMs),
    maxSessionTimeout: '60000',
    maxClientCnxns: '0',
    'admin.enableServer': 'false',
    '4lw.commands.whitelist': '*',
    extendedTypesEnabled: 'true',
    // the data need to outlive the process, not the machine
    forceSync: 'no',
    preAllocSize: '64',
    ...(nodes.length > 1 && ensemble(nodes)),
    ...properties,
  }
  return Object.entries(entries)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')
}

function ensemble(nodes: readonly ZooKeeperNode[]): Readonly<Record<string, string>> {
  const members = nodes.map(({ id, quorumPort, electionPort }): [string, string] => [
    `server.${id}`,
    `127.0.0.1:${quorumPort}:${electionPort}`,
  ])
  return { initLimit: String(INIT_LIMIT), syncLimit: String(SYNC_LIMIT), ...Object.fromEntries(members) }
}
