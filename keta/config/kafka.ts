/** From the options about Kafka to what the parts that speak with Kafka want to know. */
import type { KafkaClientSettings, SaslCredentials } from '../kafka/client/client.ts'
import { ConfigurationError } from './configuration-error.ts'
import { type ReadFile, readWholeFile } from './files.ts'
import type { BootstrapServer } from './kafka-values.ts'
import { tlsSettings } from './kafka-tls.ts'
import type { Config } from './options.ts'

export interface KafkaSettings {
  readonly client: KafkaClientSettings
  readonly groupId: string
  readonly sessionTimeoutMs: number
  /** Of the log. */
  readonly topic: string
  readonly snapshotTopic: string
  /** Of topics that are created, if there are as many brokers. */
  readonly replicationFactor: number
  /** Further settings of topics that are created. */
  readonly topicConfig: ReadonlyMap<string, string>
}

/**
 * undefined if no Kafka is configured. Reads the files with certificates and keys, nothing else.
 * @throws ConfigurationError if one of these files is not what it must be; it says the same of a configuration that
 *   `resolve` would have refused.
 */
export function kafkaSettings(config: Config, readFile: ReadFile = readWholeFile): KafkaSettings | undefined {
  if (config.kafkaBootstrapServers.length === 0) return undefined
  const sasl = saslCredentials(config)
  const { tls, problems } = tlsSettings(config, readFile)
  if (problems.length > 0) {
    throw new ConfigurationError(problems.map(({ key, problem }) => `${key}: ${problem}`).join('\n'))
  }
  return {
    client: {
      bootstrapServers: matchingServers(config).map(({ host, port }) => ({ host, port })),
      clientId: config.kafkaClientId,
      requestTimeoutMs: config.kafkaRequestTimeout,
      ...(sasl === undefined ? {} : { sasl }),
      ...(tls === undefined ? {} : { tls }),
    },
    groupId: config.clusterGroupId,
    sessionTimeoutMs: config.kafkaSessionTimeout,
    topic: config.kafkaTopic,
    snapshotTopic: config.kafkaSnapshotTopic,
    replicationFactor: config.kafkaReplicationFactor,
    topicConfig: config.kafkaTopicConfig,
  }
}

/** Java's way with a list of listeners: those of another protocol than the one that is spoken are left out. */
export function matchingServers(
  config: Pick<Config, 'kafkaBootstrapServers' | 'kafkaSecurityProtocol'>,
): readonly BootstrapServer[] {
  return config.kafkaBootstrapServers.filter(
    ({ protocol }) => (protocol ?? config.kafkaSecurityProtocol) === config.kafkaSecurityProtocol,
  )
}

function saslCredentials(config: Config): SaslCredentials | undefined {
  const { kafkaSecurityProtocol, kafkaSaslMechanism: mechanism, kafkaSaslJaasConfig: jaas } = config
  if (!kafkaSecurityProtocol.startsWith('SASL_')) return undefined
  if (mechanism === '') throw new ConfigurationError('kafkaSaslMechanism: it is missing')
  return {
    mechanism,
    username: jaas?.username ?? config.kafkaSaslUsername,
    password: jaas?.password ?? config.kafkaSaslPassword,
  }
}
