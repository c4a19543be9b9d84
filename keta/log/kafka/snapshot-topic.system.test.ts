import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { expect } from 'chai'
import { type KafkaCluster, startKafka } from '../../../test-servers/kafka.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import type { KafkaClient } from '../../kafka/client/client.ts'
import { deleteRecords, listOffset, produce } from '../../kafka/client/requests.ts'
import { encodeBatch } from '../../kafka/client/record-batch.ts'
import { clientOf, newTopic, quietLogger, realClock, untilSettled } from '../../kafka/client/test-cluster.fixture.ts'
import { bytes, codeOf } from '../log-suite.ts'
import { describeSnapshots, loadSnapshot } from '../snapshots-suite.ts'
import type { SnapshotStore } from '../snapshots.ts'
import type { SnapshotTopicOptions } from './snapshot-topic.ts'
import { openSnapshotTopic } from './snapshot-topic.ts'

const LATER_MS = 11 * 60_000

for (const version of ['3.9', '4'] as const) {
  describe(`the snapshot topic on Kafka ${version}`, function () {
    this.timeout(60_000)
    let cluster: KafkaCluster
    let client: KafkaClient
    let topic: string
    let stop: () => Promise<void> = () => Promise.resolve()

    before(async function () {
      this.timeout(180_000)
      cluster = await provideOrSkip(this, () => startKafka({ version }))
      client = clientOf(cluster)
      stop = async () => {
        await client.close()
        await cluster.stop()
      }
    })
    after(() => stop())
    beforeEach(() => {
      topic = newTopic()
    })

    function open(others: Partial<SnapshotTopicOptions> = {}): Promise<SnapshotStore> {
      return openSnapshotTopic({
        client,
        topic,
        replication: 3,
        configs: new Map(),
        logId: 'log',
        clock: realClock,
        wallClock: () => Date.now(),
        random: randomBytes,
        logger: quietLogger,
        ...others,
      })
    }

    describeSnapshots('snapshots in a topic', async () => ({ store: await open(), dispose: () => undefined }))

    it('is the same for all nodes', async () => {
      const [one, two] = await Promise.all([open(), open()])
      await one.save(3, [bytes('three')])
      await two.save(4, [bytes('four')])
      expect((await one.list()).map(({ offset }) => offset)).to.deep.equal([4, 3])
      expect(texts(await loadSnapshot(one, 4))).to.deep.equal(['four'])
    })

    it('keeps apart what two nodes save at once', async () => {
      const [one, two] = await Promise.all([open(), open()])
      const first = Array.from({ length: 6 }, (_, index) => Buffer.alloc(1_200_000, index))
      const second = Array.from({ length: 6 }, (_, index) => Buffer.alloc(1_100_000, 100 + index))
      await Promise.all([one.save(1, first), two.save(2, second)])
      expect(Buffer.concat(await loadSnapshot(two, 1)).equals(Buffer.concat(first))).to.equal(true)
      expect(Buffer.concat(await loadSnapshot(one, 2)).equals(Buffer.concat(second))).to.equal(true)
    })

    it('cuts chunks to what the topic accepts', async () => {
      const store = await open({ configs: new Map([['max.message.bytes', String(4 * 1024 * 1024)]]) })
      const chunk = randomBytes(9 * 1024 * 1024 + 17)
      await store.save(1, [chunk, Buffer.alloc(0), chunk.subarray(1)])
      const loaded = await loadSnapshot(store, 1)
      expect(loaded.map(({ length }) => length)).to.deep.equal([chunk.length, 0, chunk.length - 1])
      expect(Buffer.compare(loaded[0]!, chunk)).to.equal(0)
    })

    it('lists nothing of a node that died in the middle of a save, and drops its chunks when it is old', async () => {
      const survivor = await open()
      // Its patience outlasts a topic that has just been made; that of the other one is none.
      expect(await survivor.list()).to.deep.equal([])
      const dying = clientOf(cluster)
      const store = await open({ client: dying, patienceMs: 0 })
      async function* source(): AsyncGenerator<Uint8Array> {
        yield Buffer.alloc(2_000_000, 1)
        await dying.close()
        yield Buffer.alloc(2_000_000, 2)
      }
      expect(await codeOf(store.save(7, source()))).to.equal('IO')
      expect(await survivor.list()).to.deep.equal([])
      await survivor.prune(0)
      expect(await startOf(1), 'a save that may be under way is left alone').to.equal(0)
      const later = await open({ wallClock: () => Date.now() + LATER_MS })
      await later.prune(0)
      expect(await startOf(1)).to.be.greaterThan(0)
    })

    it('drops what is not needed any more in both partitions', async () => {
      const store = await open()
      for (const offset of [10, 20, 30]) await store.save(offset, [Buffer.alloc(1_000_000, offset)])
      await store.prune(1)
      expect((await store.list()).map(({ offset }) => offset)).to.deep.equal([30])
      expect(await startOf(0)).to.equal(5)
      expect(await startOf(1)).to.equal(2)
      expect(await loadSnapshot(store, 30)).to.have.length(1)
      expect(await codeOf(loadSnapshot(store, 20))).to.equal('CORRUPT')
    })

    it('lists no snapshot whose chunks are gone', async () => {
      const store = await open()
      await store.save(1, [bytes('one'), bytes('more')])
      const connection = await client.toLeader(topic, 'test', undefined, 1)
      await deleteRecords(connection, topic, 1, 5_000, 1)
      expect(await store.list()).to.deep.equal([])
    })

    it('does not load a chunk that was damaged on the disk of the broker', async () => {
      const store = await open()
      await store.save(1, [Buffer.alloc(100_000, 0x55)])
      const directory = join(cluster.brokers[0]!.dataDir, findPartition(cluster.brokers[0]!.dataDir, `${topic}-1`))
      flipByte(join(directory, '00000000000000000000.log'), 50_000)
      expect(await store.list()).to.have.length(1)
      expect(await codeOf(loadSnapshot(store, 1))).to.equal('CORRUPT')
    })

    it('neither lists nor prunes the snapshots of another log, and says that they are there', async () => {
      const warnings: string[] = []
      const logger = { info: () => undefined, warn: (message: string) => warnings.push(message) }
      const other = await open({ logId: 'another' })
      await other.save(5, [bytes('of another log')])
      const store = await open({ logger })
      expect(await store.list()).to.deep.equal([])
      await store.prune(0)
      expect(await other.list()).to.have.length(1)
      expect(warnings.filter((line) => line.includes('another log'))).to.have.length(1)
    })

    it('is refused by a node that is too old for what others have written', async () => {
      const store = await open()
      await untilSettled(async () => {
        const connection = await client.toLeader(topic, 'test')
        return produce(connection, topic, encodeBatch([Buffer.from([0x08, 0x63])]), 5_000)
      })
      expect(await codeOf(store.list())).to.equal('REFUSED')
    })

    it('survives a restart of the broker in the middle of a save', async () => {
      const store = await open()
      const [broker] = cluster.brokers
      async function* source(): AsyncGenerator<Uint8Array> {
        yield Buffer.alloc(1_500_000, 1)
        await broker?.kill()
        await broker?.restart()
        yield Buffer.alloc(1_500_000, 2)
      }
      await store.save(1, source())
      expect((await loadSnapshot(store, 1)).map(({ length }) => length)).to.deep.equal([1_500_000, 1_500_000])
    })

    async function startOf(partition: number): Promise<number> {
      const connection = await client.toLeader(topic, 'test', undefined, partition)
      return listOffset(connection, topic, 'start', partition)
    }
  })
}

function texts(chunks: readonly Uint8Array[]): readonly string[] {
  return chunks.map((chunk) => Buffer.from(chunk).toString())
}

function findPartition(directory: string, name: string): string {
  const found = readdirSync(directory, { recursive: true, encoding: 'utf8' }).find(
    (path) => path.endsWith(name) && statSync(join(directory, path)).isDirectory(),
  )
  if (found === undefined) throw new Error(`no ${name} in ${directory}`)
  return found
}

function flipByte(path: string, at: number): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, at)
  writeSync(file, Buffer.from([byte.readUInt8() ^ 0x10]), 0, 1, at)
  closeSync(file)
}
