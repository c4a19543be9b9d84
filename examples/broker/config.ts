/** The broker's part of server.properties. What begins with `plugin.` is the plugin loader's. */
import { checkConfig, CoordinationError, defineConfig } from 'keta/spi'
import { readPropertiesFile } from 'keta/spi/node'
import type { Address } from './wire/connection.ts'

const LISTENER = /^PLAINTEXT:\/\/(\[[^\]]+\]|[^:/]*):(\d+)$/

export const BROKER_CONFIG = defineConfig({
  'broker.id': {
    type: 'int',
    doc: 'Id of this broker: every broker of a cluster has another.',
    validate: (id) => (id >= 0 ? undefined : 'must not be negative'),
  },
  listeners: {
    type: 'string',
    default: 'PLAINTEXT://127.0.0.1:9092',
    doc: 'Where clients and other brokers are served, `PLAINTEXT://host:port`. Port 0 is any free port.',
    validate: (value) => (LISTENER.test(value) ? undefined : 'must be PLAINTEXT://host:port'),
  },
  'advertised.listeners': {
    type: 'string',
    default: null,
    doc: 'Where others reach this broker. Default: `listeners`.',
    validate: (value) => (LISTENER.test(value) ? undefined : 'must be PLAINTEXT://host:port'),
  },
  'log.dirs': { type: 'string', default: '/tmp/kafka-logs', doc: 'The folder of the logs; one.' },
  'log.flush.interval.messages': {
    type: 'int',
    default: '1',
    doc: 'Records that may be lost if the machine loses power; a process that dies loses none. 1: each is synced to disk.',
    validate: positive,
  },
  'replica.lag.time.max.ms': {
    type: 'int',
    default: '10000',
    doc: 'A follower that has been behind for so long is no longer in sync. Milliseconds.',
    validate: positive,
  },
  'min.insync.replicas': {
    type: 'int',
    default: '1',
    doc: 'With fewer replicas in sync a partition takes no records; a topic may have its own.',
    validate: positive,
  },
  'controlled.shutdown.timeout.ms': {
    type: 'int',
    default: '10000',
    doc: 'How long a broker that is told to stop waits until others lead instead. Milliseconds.',
    validate: positive,
  },
  'controller.look.interval.ms': {
    type: 'int',
    default: '30000',
    doc: 'The controller looks at the store at least so often, whether told of a change or not. Milliseconds.',
    validate: positive,
  },
})

export interface BrokerConfig {
  readonly id: number
  readonly listen: Address
  readonly advertise: Address | undefined
  readonly logDir: string
  readonly flushMessages: number
  readonly maxLagMs: number
  readonly minInSyncReplicas: number
  readonly shutdownMs: number
  readonly lookEveryMs: number
}

/** Names of Kafka that this broker has no use for; a real server.properties has dozens. */
const isForeign = (name: string) => !Object.keys(BROKER_CONFIG).some((known) => known.startsWith(name.slice(0, 6)))

/** @throws CoordinationError CONFIG with all that is wrong. @param warn is told of names that look misspelt. */
export function readBrokerConfig(file: string, warn: (warning: string) => void): BrokerConfig {
  const { raw, parse, problems, warnings, readable } = readPropertiesFile(file, file)
  const checked = checkConfig(BROKER_CONFIG, raw, { ...parse, foreign: isForeign })
  for (const warning of [...warnings, ...checked.warnings]) warn(warning)
  const all = [...problems, ...(readable ? checked.problems : [])]
  const { values } = checked
  if (all.length > 0 || values === undefined) {
    const message =
      all.length === 1 ? `${all[0]}` : `${all.length} problems in the configuration:\n  - ${all.join('\n  - ')}`
    throw new CoordinationError('CONFIG', message, { problems: all })
  }
  const advertised = values['advertised.listeners']
  return {
    id: values['broker.id'],
    listen: addressOf(values.listeners),
    advertise: advertised === undefined ? undefined : addressOf(advertised),
    logDir: values['log.dirs'],
    flushMessages: values['log.flush.interval.messages'],
    maxLagMs: values['replica.lag.time.max.ms'],
    minInSyncReplicas: values['min.insync.replicas'],
    shutdownMs: values['controlled.shutdown.timeout.ms'],
    lookEveryMs: values['controller.look.interval.ms'],
  }
}

function addressOf(listener: string): Address {
  const [, host = '', port = ''] = LISTENER.exec(listener) ?? []
  return { host: host === '' ? '127.0.0.1' : host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

function positive(value: number): string | undefined {
  return value > 0 ? undefined : 'must be positive'
}
