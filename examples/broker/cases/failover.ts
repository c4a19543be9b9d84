/** Cases B6, B7 and B9: brokers die and come back. */
import { expect } from 'chai'
import type { ConformanceCase, Given } from 'keta/conformance'
import { BrokerCluster, stateText, textsOf, values } from './broker-cluster.ts'

export const failover: readonly ConformanceCase[] = [
  {
    id: 'B6',
    title: 'when the broker that leads and controls is killed, others do both, and clients follow',
    needs: ['processes'],
    alone: true,
    extraTtls: 4,
    run: killed,
  },
  {
    id: 'B7',
    title: 'a broker that comes back is in sync again, and does not lead',
    needs: ['processes'],
    alone: true,
    extraTtls: 4,
    run: back,
  },
  {
    id: 'B9',
    title: 'without anybody in sync nobody leads, until who was in sync last comes back',
    needs: ['processes'],
    alone: true,
    extraTtls: 12,
    run: lastInSync,
  },
]

async function killed(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  const client = cluster.client()
  await cluster.createTopic('orders', [0, 1, 2])
  await cluster.untilState('orders', stateText([1, 0, 0], [0, 1, 2]))
  await client.produce('orders', 0, values('a', 'b'))
  const killedAt = given.now()
  await cluster.process(0).kill()
  await client.produce('orders', 0, values('c'))
  given.measured('from the kill until a record is acknowledged', given.now() - killedAt)
  await cluster.untilState('orders', '{"controller_epoch":2,"leader":1,"version":1,"leader_epoch":1,"isr":[1,2]}')
  expect(await cluster.controllerEpoch()).to.equal('2')
  expect(dropRepeats(await textsOf(client, 'orders'))).to.deep.equal(['a', 'b', 'c'])
}

async function back(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  await cluster.createTopic('orders', [0, 1, 2])
  await cluster.process(0).kill()
  await cluster.untilState('orders', stateText([2, 1, 1], [1, 2]))
  await cluster.client().produce('orders', 0, values('while away'))
  await cluster.start(0)
  await cluster.untilState('orders', '{"controller_epoch":2,"leader":1,"version":1,"leader_epoch":1,"isr":[1,2,0]}')
  const { partitions } = await cluster.status(0)
  expect(partitions.find(({ name }) => name === 'orders-0')).to.include({ role: 'follower', end_offset: 1 })
}

async function lastInSync(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [2, 0, 1])
  const client = cluster.client()
  await cluster.createTopic('pair', [0, 1])
  await client.produce('pair', 0, values('both'))
  await cluster.process(0).kill()
  await cluster.untilState('pair', stateText([1, 1, 1], [1]))
  await client.produce('pair', 0, values('only on 1'))
  await cluster.process(1).kill()
  await cluster.untilState('pair', stateText([1, -1, 2], [1]))
  await cluster.start(0)
  const nobody = async () => (await cluster.stateText('pair')) === stateText([1, -1, 2], [1])
  await given.always('nobody leads who has not all', nobody, cluster.ttlMs)
  await cluster.start(1)
  await cluster.untilState('pair', stateText([1, 1, 3], [1, 0]))
  expect(await textsOf(client, 'pair')).to.deep.equal(['both', 'only on 1'])
}

/** A try that got no answer is repeated. */
function dropRepeats(texts: readonly string[]): readonly string[] {
  return texts.filter((text, at) => text !== texts[at - 1])
}
