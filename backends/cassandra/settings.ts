/** What the properties say about the servers, in the terms of the client library. */
import type { ConnectionOptions } from 'node:tls'
import { types } from 'cassandra-driver'
import { type ConfigValues, defineConfig } from '../../spi/index.ts'
import {
  propertyOf,
  tlsFileItems,
  tlsFileProperties,
  tlsFilesOf,
  type User,
  userOf,
} from '../shared/credentials-config.ts'

const HOST = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?$/
const NAME = /^[a-zA-Z]\w{0,47}$/
/** What is waited for, and what a reader of the configuration can expect. */
const MIN_POLL_MS = 10

export const CONFIG = defineConfig({
  'plugin.cassandra.contact.points': {
    type: 'list',
    doc: 'Servers to begin with, `host` or `host:port`; they name the others. Give several: one of them must answer.',
    validate: (hosts) => {
      if (hosts.length === 0) return 'must name a server'
      return hosts.every((host) => HOST.test(host)) ? undefined : 'must be a list of host or host:port'
    },
  },
  'plugin.cassandra.port': {
    type: 'int',
    default: '9042',
    doc: 'The port of all servers, except where a contact point or an address below gives another.',
    validate: (port) => (port > 0 && port < 65_536 ? undefined : 'must be a port'),
  },
  'plugin.cassandra.address.map': {
    type: 'list',
    default: '',
    doc:
      'Where clients reach servers that know themselves by another address, such as behind port forwarding: ' +
      '`10.0.0.1=gateway:19042`.',
    validate: (pairs) => (pairs.every(isPair) ? undefined : 'must be a list of address=host:port'),
  },
  'plugin.cassandra.keyspace': {
    type: 'string',
    default: 'kafka_cluster_1',
    doc: 'Where the tables are. Several clusters may share one.',
    validate: (name) => (NAME.test(name) ? undefined : 'must be letters, digits and _, at most 48, a letter first'),
  },
  'plugin.cassandra.replication': {
    type: 'list',
    default: '',
    doc:
      'On how many servers the data are, if the keyspace must be created: `dc1:3,dc2:3`, or `3` for the only data ' +
      'center. Without it a keyspace that is missing is an error.',
    validate: (centers) =>
      centers.every((center) => /^([^:'"]+:)?[1-9]\d?$/.test(center))
        ? undefined
        : 'must be a number, or a list of center:number',
  },
  'plugin.cassandra.local.datacenter': {
    type: 'string',
    default: null,
    doc: 'The data center whose servers are asked. Default: that of the contact point that answers first.',
  },
  'plugin.cassandra.consistency': {
    type: 'string',
    default: 'LOCAL_QUORUM',
    doc:
      '`LOCAL_QUORUM`: the servers of the local data center agree, and all clients must be there. `QUORUM`: those of ' +
      'all centers. The same for all clients.',
    validate: (name) => (Object.hasOwn(CONSISTENCIES, name) ? undefined : 'must be LOCAL_QUORUM or QUORUM'),
  },
  'plugin.cassandra.username': {
    type: 'string',
    default: null,
    doc: 'Who the servers shall take us for, if they ask.',
  },
  'plugin.cassandra.password': { type: 'password', default: null, doc: 'The password of that user.' },
  'plugin.cassandra.tls': {
    type: 'bool',
    default: 'false',
    doc: 'Connect with TLS. Also on if one of the files is given.',
  },
  ...tlsFileItems('plugin.cassandra'),
  'plugin.cassandra.poll.interval.ms': {
    type: 'int',
    default: '100',
    doc: 'How long to wait between two looks for changes, while somebody listens.',
    validate: (ms) => (ms >= MIN_POLL_MS && ms <= 10_000 ? undefined : `must be from ${MIN_POLL_MS} to 10000`),
  },
})

export type Config = ConfigValues<typeof CONFIG>

export interface Settings {
  readonly contactPoints: readonly string[]
  readonly port: number
  /** By the address that a server knows itself by: where it is reached, `host:port`. */
  readonly addresses: ReadonlyMap<string, string>
  readonly keyspace: string
  /** By data center, or under '' for the only one; empty: the keyspace is not to be created. */
  readonly replication: ReadonlyMap<string, number>
  readonly localDataCenter: string | undefined
  readonly consistency: Consistency
  readonly user: User | undefined
  readonly tls: ConnectionOptions | undefined
  readonly pollMs: number
}

export interface Consistency {
  readonly plain: types.consistencies
  /** Of conditional writes, and of reads that must see them all. */
  readonly serial: types.consistencies
}

const CONSISTENCIES: Readonly<Record<string, Consistency>> = {
  LOCAL_QUORUM: { plain: types.consistencies.localQuorum, serial: types.consistencies.localSerial },
  QUORUM: { plain: types.consistencies.quorum, serial: types.consistencies.serial },
}

/** @returns the settings, or everything that is wrong between the properties. */
export function settingsOf(config: Config): Settings | { readonly problems: readonly string[] } {
  const problems: string[] = []
  const property = propertyOf(config)
  const user = userOf(property('plugin.cassandra.username'), property('plugin.cassandra.password'), problems)
  const files = tlsFileProperties('plugin.cassandra', config)
  const isTls = config['plugin.cassandra.tls'] || Object.values(files).some(({ value }) => value !== undefined)
  const tlsFiles = tlsFilesOf(files, problems)
  const replication = replicationOf(config['plugin.cassandra.replication'], problems)
  const consistency = CONSISTENCIES[config['plugin.cassandra.consistency']]
  if (problems.length > 0 || consistency === undefined) return { problems }
  return {
    contactPoints: config['plugin.cassandra.contact.points'],
    port: config['plugin.cassandra.port'],
    addresses: new Map(config['plugin.cassandra.address.map'].map(pairOf)),
    keyspace: config['plugin.cassandra.keyspace'],
    replication,
    localDataCenter: config['plugin.cassandra.local.datacenter'],
    consistency,
    user,
    // the client library does not check certificates unless it is told to
    tls: isTls ? { rejectUnauthorized: true, ...tlsFiles } : undefined,
    pollMs: config['plugin.cassandra.poll.interval.ms'],
  }
}

function replicationOf(centers: readonly string[], problems: string[]): ReadonlyMap<string, number> {
  const factors = new Map<string, number>()
  for (const center of centers) {
    const end = center.lastIndexOf(':')
    factors.set(center.slice(0, Math.max(0, end)), Number(center.slice(end + 1)))
  }
  if (factors.has('') && centers.length > 1) {
    problems.push('plugin.cassandra.replication must name the data centers, if there are several')
  }
  return factors
}

function isPair(text: string): boolean {
  const [address, target] = pairOf(text)
  return HOST.test(address) && HOST.test(target) && /:\d+$/.test(target)
}

function pairOf(text: string): [string, string] {
  const end = text.indexOf('=')
  return [text.slice(0, Math.max(0, end)), text.slice(end + 1)]
}
