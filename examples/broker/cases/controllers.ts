/** Cases B8 and B12: controllers that are replaced while they sleep, or have no store. */
import { expect } from 'chai'
import type { ConformanceCase, Given } from 'keta/conformance'
import { type Data, silentLogger, type Storage } from 'keta/spi'
import { TOPICS, topicPath } from '../core/paths.ts'
import { Controller } from '../store/controller.ts'
import { BrokerCluster } from './broker-cluster.ts'
import { StateHistory } from './state-history.ts'

export const controllers: readonly ConformanceCase[] = [
  {
    id: 'B8a',
    title: 'a controller that was stopped in the middle of its writes changes nothing when it wakes',
    needs: ['processes'],
    alone: true,
    extraTtls: 8,
    run: stoppedWhileWriting,
  },
  {
    id: 'B8b',
    title: 'a write of a controller that arrives after its term is fenced',
    needs: ['processes', 'links'],
    alone: true,
    extraTtls: 8,
    run: lateWrite,
  },
  {
    id: 'B12',
    title: 'while the store stands still nobody controls, then one; records are taken all the time',
    needs: ['processes', 'servers'],
    alone: true,
    extraTtls: 12,
    run: pausedStore,
  },
]

const TOPIC = 'many'
const PARTITIONS = 200
/** The successor is to make all of them in one term, however slow the machine is. */
const PATIENT_TTL_MS = 6_000

async function stoppedWhileWriting(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2], {}, PATIENT_TTL_MS)
  const history = await StateHistory.of(cluster, TOPIC, PARTITIONS)
  const count = async () => (await cluster.storage.list(`${topicPath(TOPIC)}/partitions`)).size
  const assignment = Object.fromEntries(Array.from({ length: PARTITIONS }, (_, partition) => [partition, [1, 2]]))
  await cluster.make(TOPIC, { assignment })
  await cluster.until('the controller is at work', async () => (await count()) > 0)
  cluster.stop(0)
  const made = await count()
  given.history.note({ made })
  await cluster.until('another broker controls', async () => (await cluster.controllerEpoch()) === '2')
  await cluster.until('it has made all partitions', async () => (await count()) === PARTITIONS)
  const all = async () => {
    const states: string[] = []
    for await (const { key, version } of cluster.storage.scan(TOPICS)) states.push(`${key} ${version}`)
    return states.join('\n')
  }
  const before = await all()
  cluster.process(0).continue()
  await cluster.until(
    'the former controller knows that it no longer is',
    async () => (await cluster.status(0)).controller.epoch === undefined,
  )
  const { controller } = await cluster.status(0)
  given.history.note({ controller })
  expect(await all(), 'what the new controller has written').to.equal(before)
  expect(await cluster.controllerEpoch()).to.equal('2')
  history.check()
}

/**
 * The controller runs in this process, so that one write of it can be held back; the brokers stand behind it as
 * candidates. When the write goes on its way, the partition is not there any more: only the fence is in its way.
 */
async function lateWrite(given: Given): Promise<void> {
  const sleeper = await given.party('sleeper')
  let letGo = (): void => undefined
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let held = 0
  const storage = withPut(sleeper.storage, async (key, put) => {
    if (key.endsWith('/state')) {
      held++
      await gate
    }
    return put()
  })
  const setup = { election: sleeper.election(), group: sleeper.group(), registry: sleeper.registry }
  const controller = new Controller({ brokerId: 99, storage, ...setup, logger: silentLogger, lookEveryMs: 100 })
  given.after(async () => {
    letGo()
    await controller.close()
  })
  await given.until('the sleeper controls', () => controller.status.epoch === 1, 10 * given.T + given.graceMs)
  const cluster = await BrokerCluster.start(given, [])
  await Promise.all([0, 1].map((id) => cluster.start(id)))
  await cluster.make('late', { assignment: { 0: [0, 1] } })
  await cluster.until('a write is held back', () => held > 0)
  sleeper.link.cut()
  await cluster.untilInSync('late', [[0, 1]])
  await cluster.client().deleteTopic('late')
  const nothing = async () => {
    for await (const { key } of cluster.storage.scan(TOPICS)) expect.fail(`there is ${key}`)
    return true
  }
  await cluster.until('the topic is gone', nothing)
  sleeper.link.heal()
  await cluster.until('the sleeper is connected', () => sleeper.session.state === 'connected')
  letGo()
  await cluster.until('its write has been fenced', () => controller.status.fenced > 0)
  await given.always('the topic stays away', nothing, 200)
  expect(controller.status.writes, 'writes of the sleeper').to.equal(0)
}

function withPut(
  storage: Storage,
  put: (key: string, go: () => ReturnType<Storage['put']>) => ReturnType<Storage['put']>,
): Storage {
  return new Proxy(storage, {
    get(target, name) {
      if (name === 'put') {
        return (key: string, data: Data, options?: object) => put(key, () => target.put(key, data, options))
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value
    },
  })
}

async function pausedStore(given: Given): Promise<void> {
  const cluster = await BrokerCluster.start(given, [0, 1, 2])
  const client = cluster.client()
  await cluster.createTopic('orders', [0, 1, 2])
  const servers = given.hooks.servers ?? []
  const resume = () => {
    for (const server of servers) server.resume()
  }
  given.after(resume)
  const controlling = async () => {
    const all = await Promise.all([0, 1, 2].map((id) => cluster.status(id)))
    return all.filter(({ controller }) => controller.epoch !== undefined).length
  }
  await client.produce('orders', 0, [Buffer.from('before')])
  for (const server of servers) server.pause()
  await cluster.until('all have stepped down', async () => (await controlling()) === 0)
  await given.always('nobody controls', async () => (await controlling()) === 0, 2 * cluster.ttlMs)
  await client.produce('orders', 0, [Buffer.from('meanwhile')])
  resume()
  await cluster.until('one controls', async () => (await controlling()) === 1, 2 * cluster.failoverMs)
  await given.always('it is one', async () => (await controlling()) === 1, cluster.ttlMs / 2)
  expect(Number(await cluster.controllerEpoch())).to.be.at.least(2)
  await cluster.untilInSync('orders', [[0, 1, 2]])
  await client.produce('orders', 0, [Buffer.from('after')])
  const texts = (await client.fetchAll('orders', 0)).map(({ value }) => value.toString())
  expect([...new Set(texts)]).to.deep.equal(['before', 'meanwhile', 'after'])
}
