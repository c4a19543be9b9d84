/** Cases B10, B15 and B17: what was acknowledged is kept, and what was not does no harm. */
import { expect } from 'chai'
import type { ConformanceCase, Given } from 'keta/conformance'
import { isBrokerError } from '../errors.ts'
import { BrokerCluster, textsOf, values } from './broker-cluster.ts'
import { Producer } from './record-history.ts'
import { StateHistory } from './state-history.ts'

export const records: readonly ConformanceCase[] = [
  {
    id: 'B10',
    title: 'after a restart of all brokers and of the store all is there, and epochs go on',
    needs: ['processes', 'servers'],
    capability: 'persistent',
    alone: true,
    extraTtls: 10,
    run: allRestarted,
  },
  {
    id: 'B15',
    title: 'every acknowledged record is kept, once or more and in order, whichever broker is killed',
    needs: ['processes'],
    alone: true,
    extraTtls: 40,
    run: killedInTurn,
  },
  {
    id: 'B17',
    title: 'what a leader could not replicate is never shown, and is cut off when it comes back as a follower',
    needs: ['processes'],
    alone: true,
    extraTtls: 8,
    run: truncated,
  },
]

/** Stopped brokers are not to be missed before the case is done with them. */
const PATIENT_TTL_MS = 6_000
/** Of three partitions: each broker leads one. */
const ASSIGNMENT = [
  [0, 1, 2],
  [1, 2, 0],
  [2, 0, 1],
]
/** How long a follower's question waits at the leader. */
const FETCH_WAIT_MS = 500

async function allRestarted(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  const client = cluster.client()
  await cluster.createTopic('kept', ...ASSIGNMENT)
  await client.alterConfig('kept', { 'min.insync.replicas': '2' })
  for (const partition of [0, 1, 2]) await client.produce('kept', partition, values('a', `b${partition}`))
  const { topics: before } = await client.metadata()
  const epochsBefore = await Promise.all([0, 1, 2].map(async (at) => (await cluster.state('kept', at)).leaderEpoch))
  const epochs = await Promise.all([0, 1, 2].map((id) => cluster.status(id)))
  await Promise.all([0, 1, 2].map((id) => cluster.process(id).kill()))
  const servers = given.hooks.servers ?? []
  await Promise.all(servers.map((server) => server.kill()))
  await Promise.all(servers.map((server) => server.start()))
  await Promise.all([0, 1, 2].map((id) => cluster.start(id)))
  await cluster.untilInSync('kept', ASSIGNMENT)
  for (const partition of [0, 1, 2]) {
    expect(await textsOf(client, 'kept', partition)).to.deep.equal(['a', `b${partition}`])
    const { leaderEpoch } = await cluster.state('kept', partition)
    expect(leaderEpoch).to.be.at.least(epochsBefore[partition] ?? 0)
    await client.produce('kept', partition, values('c'))
  }
  const { topics } = await client.metadata()
  expect(topics['kept']).to.deep.include({ topic_id: before['kept']?.topic_id, config: { 'min.insync.replicas': '2' } })
  expect(await cluster.controllerEpoch()).to.equal('2')
  for (const { broker, broker_epoch: epoch } of epochs) {
    expect(BigInt((await cluster.status(broker)).broker_epoch) > BigInt(epoch), `of broker ${broker}`).to.equal(true)
  }
}

async function killedInTurn(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  const client = cluster.client()
  await cluster.createTopic('kept', ...ASSIGNMENT)
  const history = await StateHistory.of(cluster, 'kept', 3)
  const producers = [0, 1, 2].map((partition) => new Producer(cluster.client(), 'kept', partition))
  for (let round = 0; round < given.scale(3, 30); round++) {
    const counts = producers.map(({ acknowledged }) => acknowledged)
    await cluster.until('records are acknowledged', () =>
      producers.every((one, at) => one.acknowledged > (counts[at] ?? 0) + 20),
    )
    const victim = Math.floor(given.random() * 3)
    given.history.note({ victim })
    await cluster.process(victim).kill()
    // half of the time it is back before its death is noticed
    if (given.random() < 0.5) {
      const gone = async () => !(await cluster.observer.group().membershipList()).has(String(victim))
      await cluster.until('it is gone', gone)
    }
    await cluster.start(victim)
    await cluster.untilInSync('kept', ASSIGNMENT)
  }
  await Promise.all(producers.map((producer) => producer.end()))
  for (const [partition, producer] of producers.entries()) producer.check(await client.fetchAll('kept', partition))
  // on each of the brokers
  for (const id of [0, 1, 2]) {
    const name = `kept-${id}`
    await cluster.until(`all replicas of ${name} are equal`, async () => {
      const all = await Promise.all([0, 1, 2].map((broker) => cluster.status(broker)))
      const ends = all.map(({ partitions }) => partitions.find((one) => one.name === name)?.end_offset)
      return new Set(ends).size === 1
    })
  }
  history.check()
}

async function truncated(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2], {}, PATIENT_TTL_MS)
  const client = cluster.client()
  const hasty = cluster.client(1)
  await cluster.createTopic('orders', [0, 1, 2])
  await client.produce('orders', 0, values('a'))
  const end = async (id: number) => (await cluster.status(id)).partitions.find(({ name }) => name === 'orders-0')
  for (const id of [1, 2]) await cluster.until('all have it', async () => (await end(id))?.end_offset === 1)
  for (const id of [1, 2]) cluster.stop(id)
  // until their last questions have been answered: an answer that waits for them would be theirs
  await given.always('nothing is appended', async () => (await end(0))?.end_offset === 1, 2 * FETCH_WAIT_MS)
  // quickly: when the others are missed, the leader goes on without them, as it may
  const refused = hasty.produce('orders', 0, values('lost 1', 'lost 2')).then(
    () => 'acknowledged',
    (error: unknown) => (isBrokerError(error) ? 'refused' : error),
  )
  await cluster.until('it is in the leader’s log', async () => (await end(0))?.end_offset === 3)
  expect((await end(0))?.high_watermark, 'of what nobody else has').to.equal(1)
  expect(await client.fetch('orders', 0, 1), 'what a consumer sees of it').to.deep.equal([])
  cluster.stop(0)
  for (const id of [1, 2]) cluster.process(id).continue()
  expect(await refused).to.equal('refused')
  await cluster.until(
    'another broker leads',
    async () => (await cluster.state('orders')).leader > 0,
    2 * cluster.failoverMs,
  )
  await client.produce('orders', 0, values('b'))
  cluster.process(0).continue()
  await cluster.untilInSync('orders', [[0, 1, 2]])
  expect(await end(0)).to.include({ role: 'follower', end_offset: 2 })
  await client.electPreferred('orders', 0)
  await cluster.until('broker 0 leads', async () => (await cluster.state('orders')).leader === 0)
  expect(await textsOf(client, 'orders')).to.deep.equal(['a', 'b'])
}
