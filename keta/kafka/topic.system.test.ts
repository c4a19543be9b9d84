import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import type { Admin } from 'kafkajs'
import { Kafka, logLevel } from 'kafkajs'
import { ensureKafka, startKafka, type KafkaCluster } from '../../test-servers/kafka.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import type { KafkaClient } from './client/client.ts'
import { KafkaError } from './client/client.ts'
import { clientOf, newTopic, quietLogger, realClock } from './client/test-cluster.fixture.ts'
import type { CheckedTopic } from './topic.ts'
import { ensureTopic } from './topic.ts'

describe('the topic of the log on a real Kafka', function () {
  this.timeout(300_000)
  let cluster: KafkaCluster
  let admin: Admin
  let client: KafkaClient
  let topic: string

  before(async function () {
    await provideOrSkip(this, () => ensureKafka('4'))
    cluster = await startKafka({ version: '4' })
    admin = new Kafka({ brokers: cluster.bootstrapServers.split(','), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    client = clientOf(cluster)
  })
  after(async () => {
    await client.close()
    await admin.disconnect()
    await cluster.stop()
  })
  beforeEach(() => {
    topic = newTopic()
  })

  function ensure(configs: readonly (readonly [string, string])[] = []): Promise<CheckedTopic> {
    const given = new Map(configs)
    return ensureTopic({ client, topic, replication: 3, configs: given, clock: realClock, logger: quietLogger })
  }

  it('is created right when there is none, and accepted the next time', async () => {
    const created = await ensure([['segment.bytes', '1048576']])
    expect(created).to.deep.equal({ maxMessageBytes: 8 * 1024 * 1024, replication: 1 })
    expect(await ensure()).to.deep.equal(created)
    expect(await configsOf(topic)).to.include({
      'cleanup.policy': 'delete',
      'retention.ms': '-1',
      'retention.bytes': '-1',
      'unclean.leader.election.enable': 'false',
      'min.insync.replicas': '1',
      'segment.bytes': '1048576',
    })
  })

  it('is created once when several nodes start at the same time', async () => {
    const all = await Promise.all([ensure(), ensure(), ensure()])
    expect(new Set(all.map(({ maxMessageBytes }) => maxMessageBytes)).size).to.equal(1)
    expect((await client.topic(topic))?.partitions).to.equal(1)
  })

  it('is refused if it could lose data, with everything that must change; accepted after that', async () => {
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: false })
    const refusal = await ensure().catch((error: unknown) => error)
    expect(refusal).to.be.instanceOf(KafkaError).with.property('code', 'UNSAFE_TOPIC')
    const message = (refusal as KafkaError).message
    expect(
      message
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(' ')[0]),
    ).to.deep.equal(['retention.ms', 'max.message.bytes'])
    const mends = [...message.matchAll(/--add-config (\S+)=(\S+)/g)]
    const configEntries = mends.map(([, name = '', value = '']) => ({ name, value }))
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: TOPIC, name: topic, configEntries }] })
    // The controller has answered; brokers learn of it one by one.
    for (const { name, value } of configEntries) while ((await configsOf(topic))[name] !== value) await delay(10)
    expect((await ensure()).maxMessageBytes).to.equal(4 * 1024 * 1024)
  })

  it('is refused with more than one partition', async () => {
    await admin.createTopics({ topics: [{ topic, numPartitions: 3, replicationFactor: 1 }], waitForLeaders: false })
    const refusal = await ensure().catch((error: unknown) => error)
    expect((refusal as KafkaError).message)
      .to.include('partitions is 3 and must be 1')
      .and.include('--delete')
  })

  it('is refused right after its creation if the user asked for what loses data', async () => {
    const refusal = await ensure([['retention.ms', '1000']]).catch((error: unknown) => error)
    expect((refusal as KafkaError).message).to.include('retention.ms is 1000 and must be -1')
  })

  async function configsOf(name: string): Promise<Record<string, string>> {
    const { resources } = await admin.describeConfigs({ resources: [{ type: TOPIC, name }], includeSynonyms: false })
    const entries = resources.flatMap(({ configEntries }) => configEntries)
    return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]))
  }
})

/** kafkajs exports it as a const enum. */
const TOPIC = 2
