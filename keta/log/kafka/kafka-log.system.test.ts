import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { Kafka, logLevel } from 'kafkajs'
import { ensureKafka, startKafka, type KafkaCluster } from '../../../test-servers/kafka.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import { codeOf, describeLog, readAll, texts } from '../log-suite.ts'
import type { SharedLog } from '../log.ts'
import { describeSharedLog } from '../shared-log-suite.ts'
import type { LogOnCluster } from './opened-log.fixture.ts'
import { logOn } from './opened-log.fixture.ts'

for (const version of ['3.9', '4'] as const) {
  describe(`Kafka ${version}`, function () {
    this.timeout(300_000)
    let cluster: KafkaCluster
    before(async function () {
      await provideOrSkip(this, () => ensureKafka(version))
      cluster = await startKafka({ version })
    })
    after(() => cluster.stop())

    describeLog('a Kafka topic', async () => {
      const shared = await logOn(cluster)
      return { log: await shared.open(), reopen: () => shared.open(), dispose: () => shared.dispose() }
    })

    describeSharedLog('a Kafka topic', () => logOn(cluster))

    describe('with what others have written to it', () => {
      let shared: LogOnCluster
      let log: SharedLog
      let foreign: Kafka
      beforeEach(async () => {
        shared = await logOn(cluster)
        log = await shared.open()
        foreign = new Kafka({ brokers: cluster.bootstrapServers.split(','), logLevel: logLevel.NOTHING })
      })
      afterEach(() => shared.dispose())

      it('reads the values of records with keys, headers, compression, and nothing of those without', async () => {
        await log.append([Buffer.from('ours')])
        const producer = foreign.producer({ allowAutoTopicCreation: false })
        await producer.connect()
        const messages = [{ key: 'k', value: 'foreign', headers: { h: 'x' } }, { value: null }]
        await producer.send({ topic: shared.topic, messages })
        await producer.send({ topic: shared.topic, messages, compression: GZIP })
        await producer.disconnect()
        await log.append([Buffer.from('ours again')])
        const expected = ['ours', 'foreign', '', 'foreign', '', 'ours again']
        expect(await texts(log, log.startOffset)).to.deep.equal(expected)
      })

      it('passes over the marks that transactions leave', async () => {
        const producer = foreign.producer({ transactionalId: shared.topic, maxInFlightRequests: 1, idempotent: true })
        await producer.connect()
        for (const value of ['committed', 'aborted'] as const) {
          const transaction = await producer.transaction()
          await transaction.send({ topic: shared.topic, messages: [{ value }] })
          await (value === 'committed' ? transaction.commit() : transaction.abort())
        }
        await producer.disconnect()
        await untilEndOffset('4')
        const { baseOffset } = await log.append([Buffer.from('ours')])
        expect(baseOffset).to.equal(4)
        const found = await readAll(log, 0)
        expect(found.map(({ offset }) => offset)).to.deep.equal([0, 2, 4])
      })

      /** A transaction is over for its producer before its mark is in the log. */
      async function untilEndOffset(expected: string): Promise<void> {
        const admin = foreign.admin()
        await admin.connect()
        while ((await admin.fetchTopicOffsets(shared.topic))[0]?.high !== expected) await delay(10)
        await admin.disconnect()
      }
    })

    it('refuses a batch larger than its topic takes before sending it, and goes on', async () => {
      const shared = await logOn(cluster)
      const log = await shared.open()
      const refusal = await log.append([new Uint8Array(9 * 1024 * 1024)]).catch((error: unknown) => error)
      expect(refusal).to.be.instanceOf(RangeError).with.property('message').that.includes('max.message.bytes')
      await log.append([Buffer.from('next')])
      expect(await texts(log, 0)).to.deep.equal(['next'])
      await shared.dispose()
    })

    it('refuses what the broker refuses, and ends a follow, when its topic was made anew', async () => {
      const shared = await logOn(cluster)
      const log = await shared.open()
      await log.append([Buffer.from('old')])
      const following = codeOf(followToEnd(log))
      const admin = new Kafka({ brokers: cluster.bootstrapServers.split(','), logLevel: logLevel.NOTHING }).admin()
      await admin.connect()
      await admin.deleteTopics({ topics: [shared.topic] })
      while ((await admin.listTopics()).includes(shared.topic));
      await admin.createTopics({
        topics: [{ topic: shared.topic, numPartitions: 1, replicationFactor: 1 }],
        waitForLeaders: false,
      })
      await admin.disconnect()
      expect(await following).to.equal('CORRUPT')
      await shared.dispose()
    })
  })
}

/** kafkajs exports it as a const enum. */
const GZIP = 1

async function followToEnd(log: SharedLog): Promise<void> {
  for await (const { endOffset } of log.follow(log.startOffset, new AbortController().signal)) {
    expect(endOffset).to.be.at.least(0)
  }
}
