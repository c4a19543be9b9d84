/** The properties by which a client finds its ensemble and shows who it is. */
import { type ConfigValues, defineConfig, Secret } from '../../spi/index.ts'
import { propertyOf, tlsFileItems, tlsFileProperties, tlsFilesOf, userOf } from '../shared/credentials-config.ts'
import type { Endpoint, Tls } from './connection/socket.ts'

const DEFAULT_PORT = 2181

export const CONFIG = defineConfig({
  'plugin.zookeeper.connect': {
    type: 'string',
    doc: 'The servers and the path that all lies below, as in `a:2181,b:2181/kafka`: like Kafka’s `zookeeper.connect`.',
    validate: malformedConnect,
  },
  'plugin.zookeeper.username': {
    type: 'string',
    default: null,
    doc: 'User of the `digest` scheme. Only that user may then touch what is created.',
    validate: (name) => (name.includes(':') || name === '' ? "must not be empty, or contain ':'" : undefined),
  },
  'plugin.zookeeper.password': { type: 'password', default: null, doc: 'The password of that user.' },
  'plugin.zookeeper.tls': { type: 'bool', default: 'false', doc: 'Whether the servers want TLS.' },
  ...tlsFileItems('plugin.zookeeper'),
  'plugin.zookeeper.tick.time.ms': {
    type: 'int',
    default: null,
    doc: 'The servers’ `tickTime`, not less. Default: half of their `minSessionTimeout`, as servers come.',
    validate: (ms) => (ms > 0 ? undefined : 'must be positive'),
  },
})

export type ZooKeeperConfig = ConfigValues<typeof CONFIG>

/** What the driver needs of them. */
export interface ZooKeeperSettings {
  readonly endpoints: readonly Endpoint[]
  readonly chroot: string
  readonly tls: Tls
  readonly digest: Secret | undefined
  readonly tickMs: number | undefined
}

/** @returns the settings, or everything that is wrong. */
export function settingsOf(config: ZooKeeperConfig): ZooKeeperSettings | { readonly problems: readonly string[] } {
  const problems: string[] = []
  const property = propertyOf(config)
  const user = userOf(property('plugin.zookeeper.username'), property('plugin.zookeeper.password'), problems)
  const tlsFiles = tlsFileProperties('plugin.zookeeper', config)
  const files = tlsFilesOf(tlsFiles, problems)
  const secure = config['plugin.zookeeper.tls']
  if (!secure && Object.values(tlsFiles).some(({ value }) => value !== undefined)) {
    problems.push('plugin.zookeeper.tls must be true for the other properties of TLS to mean anything')
  }
  if (problems.length > 0) return { problems }
  const { endpoints, chroot } = parseConnect(config['plugin.zookeeper.connect'])
  const digest = user && new Secret(`${user.name}:${user.password.reveal()}`)
  return { endpoints, chroot, tls: secure ? files : undefined, digest, tickMs: config['plugin.zookeeper.tick.time.ms'] }
}

function parseConnect(text: string): { readonly endpoints: readonly Endpoint[]; readonly chroot: string } {
  const slash = text.indexOf('/')
  const servers = slash === -1 ? text : text.slice(0, slash)
  const chroot = slash === -1 ? '' : text.slice(slash)
  const endpoints = servers.split(',').map((server) => {
    const [, host = '', port] = ENDPOINT.exec(server.trim()) ?? []
    return { host: host.replace(/^\[(.*)\]$/, '$1'), port: port === undefined ? DEFAULT_PORT : Number(port) }
  })
  return { endpoints, chroot: chroot === '/' ? '' : chroot }
}

const ENDPOINT = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/

function malformedConnect(text: string): string | undefined {
  const [servers = '', ...path] = text.split(/(?=\/)/)
  if (!servers.split(',').every((server) => ENDPOINT.test(server.trim()))) return 'must begin with a list of host:port'
  const chroot = path.join('')
  if (chroot === '/' || /^(\/[^/\p{Cc}]+)*$/u.test(chroot)) return undefined
  return "has a path that is not '/name/name'"
}
