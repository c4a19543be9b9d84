/** The server.properties of one broker of a test cluster; every node is broker and controller. */
import type { ServerTls } from './certificates.ts'
import { scramMechanisms, securityProperties, type KafkaSecurity } from './kafka-security.ts'

/** One node: its number from 1, and its listeners' ports on 127.0.0.1. */
export interface KafkaNode {
  readonly id: number
  /** For the tests' clients. */
  readonly clientPort: number
  /** For the other brokers, always plaintext. */
  readonly internalPort: number
  readonly controllerPort: number
}

export interface BrokerSettings {
  readonly node: KafkaNode
  readonly nodes: readonly KafkaNode[]
  /** What clients are told to connect to: 'host:port'. */
  readonly advertised: string
  readonly stock: boolean
  readonly security: KafkaSecurity
  readonly users: Readonly<Record<string, string>>
  readonly tls: ServerTls | undefined
  readonly properties: Readonly<Record<string, string>>
}

/** Quick elections and fail-overs. Kafka's own values make a test wait for up to 9 s. */
const QUICK: Readonly<Record<string, string>> = {
  'group.min.session.timeout.ms': '500',
  'group.initial.rebalance.delay.ms': '0',
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '300',
  'controller.quorum.election.timeout.ms': '400',
  'controller.quorum.fetch.timeout.ms': '800',
  'controller.quorum.election.backoff.max.ms': '300',
}

/** One partition of each internal topic and few threads: a broker of a test has little to do and must start soon. */
const SMALL: Readonly<Record<string, string>> = {
  'num.partitions': '1',
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.num.partitions': '1',
  'share.coordinator.state.topic.num.partitions': '1',
  'num.network.threads': '2',
  'num.io.threads': '4',
  'log.cleaner.dedupe.buffer.size': '16777216',
  'auto.create.topics.enable': 'false',
}

/** @param logDirectory where the broker keeps its data */
export function serverProperties(settings: BrokerSettings, logDirectory: string): string {
  const { node, nodes, security, stock } = settings
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'controller.quorum.voters': nodes.map(({ id, controllerPort }) => `${id}@${local(controllerPort)}`).join(','),
    listeners: listeners(node, local(node.clientPort), `,CONTROLLER://${local(node.controllerPort)}`),
    'advertised.listeners': listeners(node, settings.advertised),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': logDirectory,
    ...SMALL,
    ...replication(nodes.length),
    ...(stock ? {} : QUICK),
    ...securityProperties(security, settings.users, settings.tls),
    ...settings.properties,
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')
}

/** The arguments of Kafka's storage tool that make the directory of a broker with these properties. */
export function formatArguments(
  clusterId: string,
  propertiesFile: string,
  settings: BrokerSettings,
): readonly string[] {
  const scram = scramMechanisms(settings.security).flatMap((mechanism) =>
    Object.entries(settings.users).flatMap(([name, password]) => [
      '--add-scram',
      `${mechanism}=[name=${name},password=${password}]`,
    ]),
  )
  return ['format', `--cluster-id=${clusterId}`, '-c', propertiesFile, ...scram]
}

function listeners({ internalPort }: KafkaNode, client: string, controller = ''): string {
  return `CLIENT://${client},INTERNAL://${local(internalPort)}${controller}`
}

function replication(brokers: number): Readonly<Record<string, string>> {
  const factor = String(Math.min(3, brokers))
  const minInSync = brokers >= 3 ? '2' : '1'
  return {
    'default.replication.factor': factor,
    'min.insync.replicas': minInSync,
    'offsets.topic.replication.factor': factor,
    'transaction.state.log.replication.factor': factor,
    'transaction.state.log.min.isr': minInSync,
    'share.coordinator.state.topic.replication.factor': factor,
    'share.coordinator.state.topic.min.isr': minInSync,
  }
}

function local(port: number): string {
  return `127.0.0.1:${port}`
}
