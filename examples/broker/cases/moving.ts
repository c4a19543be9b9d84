/** Cases B13, B16 and B18: leaderships and replicas are moved on purpose. */
import { expect } from 'chai'
import type { ConformanceCase, Given } from 'keta/conformance'
import { readdir } from 'node:fs/promises'
import { decodeTopic } from '../core/metadata.ts'
import { PREFERRED_ELECTION, REASSIGNMENT, shutdownPath, topicPath } from '../core/paths.ts'
import { BrokerCluster, stateText, textsOf, values } from './broker-cluster.ts'

export const moving: readonly ConformanceCase[] = [
  {
    id: 'B13',
    title: 'a partition is moved from brokers 0, 1, 2 to 1, 2, 3 with all its records',
    needs: ['processes'],
    alone: true,
    run: reassigned,
  },
  {
    id: 'B16',
    title: 'the first replica leads again when it is asked for',
    needs: ['processes'],
    alone: true,
    extraTtls: 4,
    run: preferred,
  },
  {
    id: 'B18',
    title: 'a broker that is told to stop has others lead first, and leaves no gap',
    needs: ['processes'],
    alone: true,
    run: stopped,
  },
]

async function reassigned(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2, 3])
  const client = cluster.client()
  await cluster.createTopic('moved', [0, 1, 2])
  await client.produce('moved', 0, values('a', 'b', 'c'))
  await client.reassign('moved', 0, [1, 2, 3])
  const done = async () => {
    expect(await cluster.storage.fetch(REASSIGNMENT)).to.equal(undefined)
    const record = decodeTopic((await cluster.storage.fetch(topicPath('moved'))) ?? '')
    expect(record.partitions.get(0)).to.deep.equal([1, 2, 3])
    expect([record.adding.size, record.removing.size]).to.deep.equal([0, 0])
    expect(await readdir(cluster.logDir(0))).not.to.include('moved-0')
    return true
  }
  await cluster.until('it is moved', done)
  await cluster.untilState('moved', stateText([1, 1, 1], [1, 2, 3]))
  await client.electPreferred('moved', 0)
  await client.produce('moved', 0, values('d'))
  expect(await textsOf(client, 'moved')).to.deep.equal(['a', 'b', 'c', 'd'])
}

async function preferred(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [2, 0, 1])
  const client = cluster.client()
  await cluster.createTopic('orders', [0, 1, 2])
  await cluster.process(0).kill()
  await cluster.untilState('orders', stateText([1, 1, 1], [1, 2]))
  await cluster.start(0)
  await cluster.untilState('orders', stateText([1, 1, 1], [1, 2, 0]))
  await client.electPreferred('orders', 0)
  await cluster.untilState('orders', stateText([1, 0, 2], [1, 2, 0]))
  await cluster.until('the wish is gone', async () => (await cluster.storage.fetch(PREFERRED_ELECTION)) === undefined)
  await client.produce('orders', 0, values('x'))
}

async function stopped(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  const client = cluster.client()
  await cluster.createTopic('orders', [0, 1, 2])
  await client.produce('orders', 0, values('before'))
  const brokers = async () => (await cluster.observer.group().membershipList()).size
  const ending = cluster.process(0).end()
  await cluster.untilState('orders', stateText([1, 1, 1], [1, 2]))
  expect(await ending, cluster.process(0).output).to.equal(0)
  expect(await brokers()).to.equal(2)
  await cluster.until('another broker controls', async () => (await cluster.controllerEpoch()) === '2')
  await client.produce('orders', 0, values('after'))
  expect(await textsOf(client, 'orders')).to.deep.equal(['before', 'after'])
  await cluster.until('the wish is gone', async () => (await cluster.storage.fetch(shutdownPath(0))) === undefined)
  await cluster.start(0)
  await cluster.untilState('orders', stateText([1, 1, 1], [1, 2, 0]))
}
