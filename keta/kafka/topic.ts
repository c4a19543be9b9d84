/** The topic of the log: made right when there is none, refused when it is set up so that data could be lost. */
import type { Admin } from 'kafkajs'
import kafkajs from 'kafkajs'
import type { KafkaClient, KafkaClientSettings } from './client/client.ts'
import { KafkaError } from './client/client.ts'
import { kafkajsConfig } from './client/kafkajs-config.ts'
import type { Clock, Logger } from './client/ports.ts'
import { pause } from './client/ports.ts'
import { answeredError, inWords, toKafkaError } from './client/protocol-errors.ts'
import type { TopicFacts } from './topic-rules.ts'
import { configsToCreate, topicProblems } from './topic-rules.ts'

export interface TopicOptions {
  readonly client: KafkaClient
  readonly topic: string
  /** Default 1. */
  readonly partitions?: number
  /** Copies of each record, if there are as many brokers; only for a topic that is created. */
  readonly replication: number
  /** Further settings of a topic that is created. */
  readonly configs: ReadonlyMap<string, string>
  readonly clock: Clock
  readonly logger: Logger
}

export interface CheckedTopic {
  /** The largest batch that its brokers accept. */
  readonly maxMessageBytes: number
  readonly replication: number
}

const NEWS_DELAY_MS = 100
const NEWS_ATTEMPTS = 100
const NEVER = new AbortController().signal

/**
 * Nodes that do this at the same time do not disturb each other.
 * @throws KafkaError 'UNSAFE_TOPIC', with a line for each setting that must change and the command that changes it;
 *   'NOT_AUTHORISED'; those of `KafkaClient`
 */
export async function ensureTopic(options: TopicOptions): Promise<CheckedTopic> {
  const { client, topic } = options
  const isThere = (await client.topic(topic)) !== undefined
  const admin = new kafkajs.Kafka(kafkajsConfig(client.settings)).admin()
  try {
    await admin.connect()
    if (!isThere) await create(admin, options)
    const facts = await untilKnown(options.clock, () => factsOf(admin, client, topic))
    const problems = topicProblems(facts, toolArguments(client.settings), options.partitions)
    if (problems.length > 0) {
      const lines = problems.map((line) => `\n  ${line}`).join('')
      throw new KafkaError('UNSAFE_TOPIC', `topic ${topic} could lose data as it is set up:${lines}`)
    }
    return { maxMessageBytes: Number(facts.configs.get('max.message.bytes')), replication: facts.replication }
  } catch (error) {
    throw explained(error, options)
  } finally {
    await admin.disconnect().catch(() => undefined)
  }
}

async function create(
  admin: Admin,
  { client, topic, partitions = 1, replication, configs, clock, logger }: TopicOptions,
): Promise<void> {
  const { brokers } = await admin.describeCluster()
  const replicas = Math.max(1, Math.min(replication, brokers.length))
  const configEntries = [...configsToCreate(replicas, configs)].map(([name, value]) => ({ name, value }))
  const wanted = { topic, numPartitions: partitions, replicationFactor: replicas, configEntries }
  // False if another node was faster. kafkajs' own wait for the leaders fails on clusters of several brokers.
  const isOurs = await admin.createTopics({ topics: [wanted], waitForLeaders: false })
  if (isOurs) logger.info(`created topic ${topic}`, { replication: replicas })
  if (isOurs && replicas < replication) {
    const reason = `there are ${brokers.length} brokers: kafka-reassign-partitions.sh can add copies later`
    logger.warn(`topic ${topic} has ${replicas} copies instead of ${replication}`, { reason })
  }
  await untilKnown(clock, () => client.toLeader(topic, 'admin'))
}

/** For a while after its creation a topic is known to some brokers only. */
async function untilKnown<Value>(clock: Clock, ask: () => Promise<Value>): Promise<Value> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      const isNew = toKafkaError(error, 'asking').code === 'UNSETTLED'
      if (!isNew || attempt === NEWS_ATTEMPTS) throw error
      await pause(clock, NEWS_DELAY_MS, NEVER)
    }
  }
}

async function factsOf(admin: Admin, client: KafkaClient, name: string): Promise<TopicFacts> {
  const [metadata, { resources }, described] = await Promise.all([
    admin.fetchTopicMetadata({ topics: [name] }),
    admin.describeConfigs({
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name }],
      includeSynonyms: false,
    }),
    client.topic(name),
  ])
  if (described === undefined) throw new KafkaError('UNSETTLED', `there is no topic ${name} any more, or not yet`)
  const first = metadata.topics[0]?.partitions[0]
  return {
    name,
    partitions: described.partitions,
    replication: first?.replicas.length ?? 0,
    configs: new Map(
      resources.flatMap(({ configEntries }) =>
        configEntries.map(({ configName, configValue }) => [configName, configValue]),
      ),
    ),
  }
}

function explained(error: unknown, { client, topic, partitions = 1, replication, configs }: TopicOptions): KafkaError {
  if (error instanceof KafkaError) return error
  if (answeredError(error)?.endsWith('_AUTHORIZATION_FAILED') !== true) {
    return toKafkaError(error, `cannot check topic ${topic}`)
  }
  const settings = [...configsToCreate(replication, configs)].map(([name, value]) => ` --config ${name}=${value}`)
  const tools = toolArguments(client.settings)
  const command = `kafka-topics.sh ${tools} --create --topic ${topic} --partitions ${partitions}`
  const message =
    `no permission to create or describe topic ${topic} (${inWords(error)}): allow Create, Describe and ` +
    `DescribeConfigs on it, or make it with ${command} --replication-factor ${replication}${settings.join('')}`
  return new KafkaError('NOT_AUTHORISED', message, { cause: error })
}

/** How Kafka's own tools reach the cluster; secrets stay in a file that the user has. */
function toolArguments({ bootstrapServers, sasl, tls }: KafkaClientSettings): string {
  const servers = bootstrapServers.map(({ host, port }) => `${host}:${port}`).join(',')
  const credentials = sasl === undefined && tls === undefined ? '' : ' --command-config client.properties'
  return `--bootstrap-server ${servers}${credentials}`
}
