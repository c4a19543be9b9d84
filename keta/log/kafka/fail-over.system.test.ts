import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { Kafka, logLevel } from 'kafkajs'
import { ensureKafka, startKafka, type KafkaCluster } from '../../../test-servers/kafka.ts'
import type { TestServer } from '../../../test-servers/server.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import type { LogRecord, SharedLog } from '../log.ts'
import { readAll } from '../log-suite.ts'
import type { LogOnCluster } from './opened-log.fixture.ts'
import { logOn } from './opened-log.fixture.ts'

const APPENDS_PER_PHASE = 150

describe('a log in Kafka whose brokers fail', function () {
  this.timeout(300_000)
  let cluster: KafkaCluster
  let shared: LogOnCluster

  before(async function () {
    await provideOrSkip(this, () => ensureKafka('4'))
    cluster = await startKafka({ version: '4', brokers: 3 })
  })
  after(() => cluster.stop())
  beforeEach(async () => {
    shared = await logOn(cluster, { requestTimeoutMs: 1500 })
  })
  afterEach(() => shared.dispose())

  it('loses and reorders nothing acknowledged when the leading broker is killed, and receipts stay true', async () => {
    await expectNothingLost((broker) => broker.kill())
  })

  it('nor when the leading broker stands still and wakes up again', async () => {
    await expectNothingLost(async (broker) => {
      broker.pause()
      await delay(4000)
      broker.resume()
    })
  })

  it('waits while too few replicas are in sync, and goes on when they are back', async () => {
    const log = await shared.open()
    await log.append([Buffer.from('three')])
    const others = cluster.brokers.filter((broker) => broker !== cluster.brokers[0])
    others.forEach((broker) => broker.pause())
    const append = log.append([Buffer.from('one')])
    const early = await Promise.race([append.then(() => 'appended'), delay(3000, 'waits')])
    others.forEach((broker) => broker.resume())
    expect(early).to.equal('waits')
    const { baseOffset } = await append
    expect((await readAll(log, baseOffset)).map(textOf)[0]).to.equal('one')
    await cluster.ready()
  })

  async function expectNothingLost(fail: (leader: TestServer) => void | Promise<void>): Promise<void> {
    const log = await shared.open()
    const follower = await shared.open()
    const followed: LogRecord[] = []
    const stop = new AbortController()
    const following = collect(follower, stop.signal, followed)
    const offsets: number[] = []
    const appendSome = async (): Promise<void> => {
      for (let index = 0; index < APPENDS_PER_PHASE; index++) {
        const name = String(offsets.length)
        offsets.push((await log.append([Buffer.from(name), Buffer.from(`${name}'`)])).baseOffset)
      }
    }
    await appendSome()
    const leader = await leaderOf(shared.topic)
    const failing = fail(leader)
    await appendSome()
    await failing
    await appendSome()
    const all = await readAll(log, log.startOffset)
    while ((followed.at(-1)?.offset ?? -1) < (offsets.at(-1) ?? 0) + 1) await delay(10)
    stop.abort()
    await following
    const byOffset = new Map(all.map((record) => [record.offset, textOf(record)]))
    const expected = offsets.map((_, index) => [String(index), `${index}'`])
    expect(offsets.map((offset) => [byOffset.get(offset), byOffset.get(offset + 1)])).to.deep.equal(expected)
    expect(offsets).to.deep.equal([...offsets].sort((a, b) => a - b))
    expect([...new Set(all.map(textOf))]).to.deep.equal(expected.flat())
    expect(followed.map(pairOf)).to.deep.equal(all.map(pairOf).slice(0, followed.length))
    await restartDead()
  }

  async function leaderOf(topic: string): Promise<TestServer> {
    const admin = new Kafka({ brokers: cluster.bootstrapServers.split(','), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    await admin.disconnect()
    const leader = cluster.brokers[(topics[0]?.partitions[0]?.leader ?? 0) - 1]
    if (leader === undefined) throw new Error('no broker leads the topic')
    return leader
  }

  async function restartDead(): Promise<void> {
    for (const broker of cluster.brokers.filter((candidate) => !isRunning(candidate))) await broker.restart()
    await cluster.ready()
  }
})

async function collect(log: SharedLog, signal: AbortSignal, into: LogRecord[]): Promise<void> {
  for await (const { records } of log.follow(log.startOffset, signal)) {
    into.push(...records.map(({ offset, bytes }) => ({ offset, bytes: Buffer.from(bytes) })))
  }
}

function isRunning(server: TestServer): boolean {
  try {
    return server.pid > 0
  } catch {
    return false
  }
}

function textOf({ bytes }: LogRecord): string {
  return Buffer.from(bytes).toString()
}

function pairOf(record: LogRecord): readonly [number, string] {
  return [record.offset, textOf(record)]
}
