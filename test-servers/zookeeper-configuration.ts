/** The zoo.cfg of one server of a test ensemble. */
import { createHash } from 'node:crypto'
import type { ServerTls } from './certificates.ts'

/** One server: its number from 1, and its ports on 127.0.0.1. */
export interface ZooKeeperNode {
  readonly id: number
  readonly clientPort: number
  /** For clients with TLS. */
  readonly securePort: number
  readonly quorumPort: number
  readonly electionPort: number
}

export interface ServerSettings {
  readonly node: ZooKeeperNode
  readonly nodes: readonly ZooKeeperNode[]
  readonly tickMs: number
  readonly accessControl: boolean
  readonly tls: ServerTls | undefined
  readonly properties: Readonly<Record<string, string>>
}

/** Of a server with access control; of the digest scheme, as all users. */
export const SUPERUSER = { username: 'super', password: 'super' }

/** In ticks. A server that has just started may take its time, one that falls silent later is given up after 2 s. */
const INIT_LIMIT = 20
const SYNC_LIMIT = 4

/** @param dataDir where the server keeps its data */
export function zooCfg(settings: ServerSettings, dataDir: string): string {
  const { node, nodes, tickMs, tls } = settings
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
    ...(settings.accessControl && accessControl()),
    ...(tls && secured(node, tls)),
    ...settings.properties,
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

function accessControl(): Readonly<Record<string, string>> {
  const { username, password } = SUPERUSER
  const digest = createHash('sha1').update(`${username}:${password}`).digest('base64')
  return {
    'DigestAuthenticationProvider.superDigest': `${username}:${digest}`,
    'enforce.auth.enabled': 'true',
    'enforce.auth.schemes': 'digest',
  }
}

function secured({ securePort }: ZooKeeperNode, tls: ServerTls): Readonly<Record<string, string>> {
  return {
    secureClientPort: String(securePort),
    secureClientPortAddress: '127.0.0.1',
    serverCnxnFactory: 'org.apache.zookeeper.server.NettyServerCnxnFactory',
    'ssl.keyStore.type': 'PEM',
    'ssl.keyStore.location': tls.keyStoreFile,
    'ssl.trustStore.type': 'PEM',
    'ssl.trustStore.location': tls.caFile,
    'ssl.clientAuth': 'none',
  }
}
