/** Cases B3, B4 and B11: topics come, change and go. */
import { expect } from 'chai'
import type { ConformanceCase, Given } from 'keta/conformance'
import { readdir } from 'node:fs/promises'
import { encodeTopic, encodeState } from '../core/metadata.ts'
import { deletionPath, statePath, topicConfigPath, topicPath } from '../core/paths.ts'
import { isBrokerError } from '../errors.ts'
import { BrokerCluster, stateText, textsOf, values } from './broker-cluster.ts'

export const topics: readonly ConformanceCase[] = [
  {
    id: 'B3',
    title: 'a new topic is written as Kafka writes it',
    needs: ['processes'],
    alone: true,
    run: created,
  },
  {
    id: 'B4a',
    title: 'of many that create one topic at once one succeeds',
    needs: ['processes'],
    alone: true,
    run: createdAtOnce,
  },
  {
    id: 'B4b',
    title: 'a topic that a dead controller has left half made is finished by the next',
    needs: ['processes'],
    alone: true,
    extraTtls: 4,
    run: halfMade,
  },
  {
    id: 'B11',
    title: 'changed configurations and deletions of topics reach all brokers, also one that was away',
    needs: ['processes'],
    alone: true,
    extraTtls: 6,
    run: changedAndDeleted,
  },
]

async function created(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  await cluster.createTopic('orders', [0, 1, 2], [1, 2, 0])
  expect(await cluster.stateText('orders', 0)).to.equal(
    '{"controller_epoch":1,"leader":0,"version":1,"leader_epoch":0,"isr":[0,1,2]}',
  )
  expect(await cluster.stateText('orders', 1)).to.equal(stateText([1, 1, 0], [1, 2, 0]))
  expect(await cluster.storage.fetch(topicPath('orders'))).to.match(
    /^{"version":3,"partitions":{"0":\[0,1,2],"1":\[1,2,0]},"adding_replicas":{},"removing_replicas":{},"topic_id":"[\w-]{22}"}$/,
  )
  await cluster.make('rounds', { partitions: 6, replicationFactor: 2, config: { 'min.insync.replicas': '2' } })
  expect(await cluster.storage.fetch(topicConfigPath('rounds'))).to.equal(
    '{"version":1,"config":{"min.insync.replicas":"2"}}',
  )
  await cluster.until('each broker leads two of six', async () => {
    const states = await Promise.all(Array.from({ length: 6 }, (_, partition) => cluster.state('rounds', partition)))
    expect(states.map(({ leader }) => leader).sort()).to.deep.equal([0, 0, 1, 1, 2, 2])
    return true
  })
}

async function createdAtOnce(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  for (let round = 0; round < given.scale(3, 20); round++) {
    const name = `race-${round}`
    const outcomes = await Promise.allSettled(
      [1, 2, 3, 4].map((partitions) => cluster.client().createTopic(name, { partitions, replicationFactor: 2 })),
    )
    const won = outcomes.flatMap(({ status }, at) => (status === 'fulfilled' ? [at + 1] : []))
    expect(won, 'those that have created the topic').to.have.lengthOf(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(isBrokerError(outcome.reason, 'TOPIC_EXISTS')).to.equal(true)
    }
    const look = async () => (await cluster.storage.list(`${topicPath(name)}/partitions`)).size === won[0]
    await cluster.until(`${name} has the partitions of the one that won`, look)
  }
}

async function halfMade(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  cluster.stop(0)
  const partitions = new Map([0, 1, 2, 3].map((partition) => [partition, [1, 2]]))
  const record = { id: 'AAAAAAAAAAAAAAAAAAAAAA', partitions, adding: new Map(), removing: new Map() }
  await cluster.storage.put(topicPath('half'), encodeTopic(record))
  const made = encodeState({ controllerEpoch: 1, leader: 2, leaderEpoch: 0, isr: [1, 2] })
  await cluster.storage.put(statePath('half', 1), made)
  await cluster.process(0).kill()
  await cluster.untilInSync('half', [
    [1, 2],
    [1, 2],
    [1, 2],
    [1, 2],
  ])
  expect(await cluster.stateText('half', 0)).to.equal(stateText([2, 1, 0], [1, 2]))
  expect(await cluster.stateText('half', 1), 'what was made already').to.equal(made)
}

async function changedAndDeleted(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  const client = cluster.client()
  await cluster.createTopic('kept', [0, 1, 2])
  await cluster.createTopic('gone', [0, 1, 2], [1, 2, 0])
  await client.produce('gone', 0, values('old'))
  await cluster.process(2).kill()
  await cluster.untilState('kept', stateText([1, 0, 0], [0, 1]))
  await client.alterConfig('kept', { 'min.insync.replicas': '2' })
  await client.deleteTopic('gone')
  await untilTold(cluster, [0, 1])
  await cluster.until('nothing is left of the topic in the store', async () => {
    expect(await cluster.storage.fetch(topicPath('gone'))).to.equal(undefined)
    expect(await cluster.storage.fetch(deletionPath('gone'))).to.equal(undefined)
    expect([...(await cluster.storage.list('/brokers/topics'))]).to.deep.equal(['kept'])
    return true
  })
  expect(await readdir(cluster.logDir(2))).to.include('gone-0')
  await cluster.make('gone', { assignment: { 0: [2, 0, 1] } }, client)
  await client.produce('gone', 0, values('new'))
  await cluster.start(2)
  await untilTold(cluster, [2])
  await cluster.untilInSync('gone', [[0, 1, 2]])
  await client.electPreferred('gone', 0)
  await cluster.until('broker 2 leads', async () => (await cluster.state('gone')).leader === 2)
  expect(await textsOf(client, 'gone')).to.deep.equal(['new'])
}

async function untilTold(cluster: BrokerCluster, ids: readonly number[]): Promise<void> {
  for (const id of ids) {
    const look = async () => {
      expect((await cluster.status(id)).configs['kept']).to.deep.equal({ 'min.insync.replicas': '2' })
      expect(await readdir(cluster.logDir(id))).not.to.include('gone-1')
      return true
    }
    await cluster.until(`broker ${id} knows`, look)
  }
}
