/** Case B14: how long it takes until others lead, with many partitions. */
import type { ConformanceCase, Given } from 'keta/conformance'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeState } from '../core/metadata.ts'
import { parseStatePath, TOPICS } from '../core/paths.ts'
import { BrokerCluster } from './broker-cluster.ts'

export const manyPartitions: readonly ConformanceCase[] = [
  {
    id: 'B14',
    title: 'of fifty topics with ten partitions each all have leaders again when a broker was killed',
    needs: ['processes'],
    alone: true,
    extraTtls: 40,
    run: fiftyTopics,
  },
]

const TOPICS_MADE = 50
const PARTITIONS = 10
const REPLICAS = 2
/** Looking is work for the store, too. */
const LOOK_EVERY_MS = 200

async function fiftyTopics(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  const client = cluster.client()
  const limitMs = 10 * cluster.failoverMs
  const made = given.now()
  const names = Array.from({ length: TOPICS_MADE }, (_, topic) => `t${topic}`)
  for (let at = 0; at < names.length; at += 5) {
    const some = names.slice(at, at + 5)
    const shape = { partitions: PARTITIONS, replicationFactor: REPLICAS }
    await Promise.all(some.map((name) => cluster.make(name, shape, client)))
  }
  const states = async () => {
    await sleep(LOOK_EVERY_MS)
    const all = []
    for await (const { key, text } of cluster.storage.scan(TOPICS)) {
      if (parseStatePath(key) !== undefined) all.push(decodeState(text))
    }
    return all
  }
  const complete = async () => {
    const all = await states()
    return all.length === TOPICS_MADE * PARTITIONS && all.every(({ isr }) => isr.length === REPLICAS)
  }
  await cluster.until('all partitions are there and in sync', complete, limitMs)
  given.measured('until 500 partitions are made and in sync', given.now() - made)
  const led = (await states()).filter(({ leader }) => leader === 0).length
  const killed = given.now()
  await cluster.process(0).kill()
  const moved = async () => (await states()).every(({ leader }) => leader > 0)
  const noticed = async () => (await states()).some(({ leaderEpoch }) => leaderEpoch > 0)
  await cluster.until('the first leadership has moved', noticed, limitMs)
  given.measured('from the kill until the first partition has another leader', given.now() - killed)
  await cluster.until('all leaderships have moved', moved, limitMs)
  given.measured(`from the kill until all ${led} have`, given.now() - killed)
}
