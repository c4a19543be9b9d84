/** Cases B1 and B2: who is there, under which id. */
import { expect } from 'chai'
import type { ConformanceCase, Given } from 'keta/conformance'
import { BrokerCluster, stateText } from './broker-cluster.ts'

/** A ghost is to be there when its broker comes back, however slow the machine is. */
const PATIENT_TTL_MS = 10_000

export const registration: readonly ConformanceCase[] = [
  {
    id: 'B1',
    title: 'three brokers that start at once have epochs of their own, and one controller in epoch 1',
    needs: ['processes'],
    alone: true,
    run: startsAtOnce,
  },
  {
    id: 'B2',
    title: 'a second broker of an id is refused, a restarted one takes its own place back at once',
    needs: ['processes'],
    alone: true,
    run: oneOfEachId,
  },
]

async function startsAtOnce(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [])
  await Promise.all([0, 1, 2].map((id) => cluster.start(id)))
  const members = await cluster.observer.group().members()
  expect([...members.keys()].sort()).to.deep.equal(['0', '1', '2'])
  const epochs = [...members.values()].map(({ epoch }) => epoch)
  expect(new Set(epochs).size, `different ones of ${epochs.join(', ')}`).to.equal(3)
  for (const { data } of members.values()) {
    expect(JSON.parse(new TextDecoder().decode(data))).to.include({ host: '127.0.0.1', version: 5 })
  }
  await cluster.until('one broker controls', async () => (await controllers(cluster)).length === 1)
  expect(await cluster.controllerEpoch()).to.equal('1')
  const [controller] = await controllers(cluster)
  expect(await cluster.observer.election().getLeader()).to.equal(String(controller))
  await cluster.process(2).kill()
  await cluster.start(2)
  const again = (await cluster.observer.group().members()).get('2')?.epoch ?? 0n
  expect(
    epochs.every((epoch) => again > epoch),
    `whether ${again} is above ${epochs.join(', ')}`,
  ).to.equal(true)
}

async function controllers(cluster: BrokerCluster): Promise<readonly number[]> {
  const all = await Promise.all([0, 1, 2].map((id) => cluster.status(id)))
  return all.filter(({ controller }) => controller.epoch !== undefined).map(({ broker }) => broker)
}

async function oneOfEachId(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [1, 0], {}, PATIENT_TTL_MS)
  await cluster.createTopic('held', [0, 1])
  const before = await cluster.status(0)
  const second = await cluster.spawn(0, {
    'log.dirs': `${cluster.logDir(0)}-other`,
    listeners: 'PLAINTEXT://127.0.0.1:0',
  })
  await cluster.until('the second one is refused', () => !second.isAlive)
  expect(await second.exit(), second.output).to.equal(3)
  const same = await cluster.spawn(0, { listeners: 'PLAINTEXT://127.0.0.1:0' })
  await cluster.until('the same one is refused', () => !same.isAlive)
  expect(await same.exit(), same.output).to.equal(3)
  expect(same.output).to.include('is in use')
  expect((await cluster.status(0)).broker_epoch).to.equal(before.broker_epoch)
  await cluster.untilState('held', stateText([1, 0, 0], [0, 1]))

  await cluster.process(0).kill()
  await cluster.start(0)
  const after = await cluster.status(0)
  expect(BigInt(after.broker_epoch) > BigInt(before.broker_epoch)).to.equal(true)
  // what the dead process led, the living one leads only if it is elected: in a leader epoch of its own
  const look = async () => {
    const { leader, leaderEpoch } = await cluster.state('held')
    return leader >= 0 && leaderEpoch >= 1
  }
  await cluster.until('there is a leader in a new epoch', look)
  await cluster.untilInSync('held', [[0, 1]])
}
