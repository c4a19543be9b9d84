/** Case B5: who is in sync is kept by the leader, and only by it. */
import { expect } from 'chai'
import type { ConformanceCase, Given } from 'keta/conformance'
import { BrokerCluster, stateText } from './broker-cluster.ts'
import { StateHistory } from './state-history.ts'

export const inSyncSets: readonly ConformanceCase[] = [
  {
    id: 'B5a',
    title: 'a follower that stops is taken out of the in-sync set by the leader, and in again when it has come',
    needs: ['processes'],
    alone: true,
    extraTtls: 4,
    run: shrinkAndExpand,
  },
  {
    id: 'B5b',
    title: 'a leader that has been replaced without knowing it cannot write the state',
    needs: ['processes', 'links'],
    alone: true,
    extraTtls: 10,
    run: staleLeader,
  },
]

/** Three times as long as a follower waits for news at its leader: one that is there is not taken out. */
const LAG = { 'replica.lag.time.max.ms': '1500' }
/** A broker that is stopped keeps its session for so long: who is gone is taken out too. */
const PATIENT_TTL_MS = 10_000

async function shrinkAndExpand(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [2, 0, 1], LAG, PATIENT_TTL_MS)
  const client = cluster.client()
  await cluster.createTopic('orders', [0, 1, 2])
  cluster.stop(1)
  // acknowledged only when the stopped one is out: until then it counts
  await client.produce('orders', 0, [Buffer.from('x')])
  await cluster.untilState('orders', stateText([1, 0, 0], [0, 2]))
  cluster.process(1).continue()
  const allAreIn = async () => {
    const { isr, ...others } = await cluster.state('orders')
    // they are in it in the order in which they came back, whichever that is
    const state = { ...others, isr: [...isr].sort() }
    expect(state).to.deep.equal({ controllerEpoch: 1, leader: 0, leaderEpoch: 0, isr: [0, 1, 2] })
    return true
  }
  await cluster.until('all are in sync again, under the same leader', allAreIn)
  const follower = (await cluster.status(1)).partitions.find(({ name }) => name === 'orders-0')
  expect(follower?.end_offset).to.be.at.least(1)
}

/** Broker 0 has no way to the store, but to its clients and followers: it goes on until its followers leave it. */
async function staleLeader(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [2, 0, 1], LAG)
  await cluster.createTopic('orders', [0, 1, 2])
  const history = await StateHistory.of(cluster, 'orders', 1)
  const onZero = async () => (await cluster.status(0)).partitions.find(({ name }) => name === 'orders-0')
  await cluster.until('broker 0 leads', async () => (await onZero())?.role === 'leader')
  const link = await cluster.link(0)
  link.blackHole('both')
  await cluster.until('another broker leads', async () => (await cluster.state('orders')).leader === 1)
  expect(await onZero(), 'broker 0 does not know').to.include({ role: 'leader', leader_epoch: 0 })
  // long enough to find its followers behind, and to try to take them out
  await given.always('broker 1 leads', async () => (await cluster.state('orders')).leader === 1, 3_000)
  link.heal()
  await cluster.until('broker 0 follows', async () => (await onZero())?.role === 'follower')
  await cluster.untilInSync('orders', [[0, 1, 2]])
  const { leader, leaderEpoch } = await cluster.state('orders')
  expect({ leader, leaderEpoch }).to.deep.equal({ leader: 1, leaderEpoch: 1 })
  history.check()
}
