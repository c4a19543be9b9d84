import { expect } from 'chai'
import { type PluginLocator, silentLogger, type Storage, type WriteOptions } from 'keta/spi'
import { loadPlugin } from 'keta/spi/node'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeTopic, encodeState, encodeTopic } from '../core/metadata.ts'
import * as paths from '../core/paths.ts'
import { BrokerError } from '../errors.ts'
import { Admin } from './admin.ts'
import { Brokers } from './brokers.ts'
import { Controller } from './controller.ts'
import { ledBy, resignLed } from './own-leaderships.ts'
import { type Topic, Topics } from './topics.ts'

let clusters = 0

describe('on a store', function () {
  this.timeout(20_000)
  let plugin: PluginLocator
  let storage: Storage
  const logger = silentLogger

  beforeEach(async () => {
    const host = { logger, config: { 'plugin.memory.name': `store test ${process.pid} ${++clusters}` } }
    plugin = await loadPlugin({ 'plugin.locator.classname': 'memory' }, host)
    storage = plugin.getStorage()
  })
  afterEach(() => plugin.shutdown())

  async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
    const end = performance.now() + 10_000
    while (!(await condition())) {
      if (performance.now() > end) expect.fail(`waited in vain: ${what}`)
      await sleep(5)
    }
  }

  const admin = () => new Admin(storage, () => [0, 1, 2])

  describe('a controller', () => {
    /** Calls of writing methods, with their options. */
    function recorded(written: { readonly call: string; readonly options: WriteOptions }[]): Storage {
      return new Proxy(storage, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target)
          if (typeof value !== 'function') return value
          return (...args: readonly unknown[]): unknown => {
            const at = { put: 2, update: 2, delete: 1, transact: 1 }[String(name)]
            if (at !== undefined) {
              written.push({ call: `${String(name)} ${String(args[0])}`, options: args[at] ?? {} })
            }
            return Reflect.apply(value, target, args) as unknown
          }
        },
      })
    }

    it('writes nothing without its term as a fence, and nothing over what it has not seen', async () => {
      const written: { readonly call: string; readonly options: WriteOptions }[] = []
      const group = plugin.getGroupMembership('brokers')
      for (const id of ['0', '1', '2']) await group.join(id, '{}')
      const election = plugin.getLeaderElection('controller')
      const registry = plugin.getListenerRegistry()
      const controller = new Controller({
        ...{ brokerId: 0, election, storage: recorded(written), registry, group, logger, lookEveryMs: 20 },
      })
      const state = () => storage.fetch(paths.statePath('t', 0))
      await admin().createTopic({
        name: 't',
        assignment: new Map([[0, [0, 1]]]),
        config: { 'min.insync.replicas': '1' },
      })
      await until('it is there', async () => (await state()) !== undefined)
      await admin().reassign([{ topic: 't', partition: 0, replicas: [1, 0] }])
      await until('it is moved', async () => (await storage.fetch(paths.REASSIGNMENT)) === undefined)
      await group.leave('0')
      await until('another leads', async () => (await state())?.includes('"leader":1') === true)
      await admin().deleteTopic('t')
      await until('it is gone', async () => (await storage.fetch(paths.deletionPath('t'))) === undefined)
      const token = (await election.leader())?.token ?? expect.fail('nobody controls')
      expect(await storage.fetch(paths.CONTROLLER_EPOCH)).to.equal('1')
      expect(controller.status).to.deep.include({ epoch: 1, terms: 1, fenced: 0 })
      await controller.close()
      expect(new Set(written.map(({ call }) => call.split(' ')[0]))).to.deep.equal(new Set(['put', 'update', 'delete']))
      for (const { call, options } of written) {
        expect(options.fence, call).to.include({ service: 'controller', token })
        if (!call.startsWith('put')) expect(options.ifVersion, call).to.be.a('string')
      }
      for (const path of [paths.TOPICS, paths.TOPIC_CONFIGS, paths.ADMIN]) expect(await storage.list(path)).to.be.empty
      expect(controller.status.epoch).to.equal(undefined)
    })
  })

  describe('an administrator', () => {
    it('creates a topic once', async () => {
      const wish = { name: 't', partitions: 3, replicationFactor: 2 }
      const outcomes = await Promise.allSettled([1, 2, 3].map(() => admin().createTopic(wish)))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.lengthOf(1)
      expect(decodeTopic((await storage.fetch(paths.topicPath('t'))) ?? '').partitions.size).to.equal(3)
      expect(await storage.fetch(paths.topicConfigPath('t'))).to.equal(undefined)
    })

    it('is refused what makes no sense', async () => {
      const wrong = [
        admin().createTopic({ name: 'a/b' }),
        admin().createTopic({ name: 't', replicationFactor: 4 }),
        admin().createTopic({ name: 't', config: { 'no.such': '1' } }),
        admin().createTopic({ name: 't', assignment: new Map([[1, [0]]]) }),
        admin().createTopic({ name: 't', assignment: new Map([[0, [0, 0]]]) }),
        admin().createTopic({ name: 't', assignment: new Map() }),
        admin().reassign([{ topic: 't', partition: 0, replicas: [] }]),
        admin().deleteTopic('t'),
        admin().alterConfig('t', { 'min.insync.replicas': '0' }),
      ]
      for (const [at, outcome] of (await Promise.allSettled(wrong)).entries()) {
        const reason: unknown = outcome.status === 'rejected' ? outcome.reason : 'nothing'
        expect(reason, `call ${at}`).to.be.instanceOf(BrokerError)
      }
      expect(await storage.list('/')).to.be.empty
    })

    it('changes some settings, and takes one back', async () => {
      await admin().createTopic({ name: 't', config: { 'min.insync.replicas': '2' } })
      await admin().alterConfig('t', { 'max.message.bytes': '100' })
      expect(await storage.fetch(paths.topicConfigPath('t'))).to.include(
        '"min.insync.replicas":"2","max.message.bytes":"100"',
      )
      await admin().alterConfig('t', { 'min.insync.replicas': '' })
      expect(await storage.fetch(paths.topicConfigPath('t'))).to.equal(
        '{"version":1,"config":{"max.message.bytes":"100"}}',
      )
    })

    it('makes one wish at a time', async () => {
      const wish = [{ topic: 't', partition: 0, replicas: [1] }]
      await admin().reassign(wish)
      await admin()
        .reassign(wish)
        .then(
          () => expect.fail('it was taken'),
          (error: unknown) => expect(error).to.have.property('code', 'INVALID_REQUEST'),
        )
    })
  })

  describe('topics', () => {
    const record = (id: string) =>
      encodeTopic({ id, partitions: new Map([[0, [0]]]), adding: new Map(), removing: new Map() })
    const state = (leaderEpoch: number) => encodeState({ controllerEpoch: 1, leader: 0, leaderEpoch, isr: [0] })

    it('are told as they come, change and go, and never with the state of another of the same name', async () => {
      const told: (Topic | undefined)[] = []
      const registry = plugin.getListenerRegistry()
      const topics = new Topics({ storage, registry, logger, changed: (_name, topic) => told.push(topic) })
      expect(await topics.start()).to.be.empty
      for (let round = 0; round < 10; round++) {
        const id = `id ${round}`
        await storage.put(paths.topicPath('t'), record(id))
        await storage.put(paths.statePath('t', 0), state(100 - round))
        const now = () => topics.all.get('t')?.partitions.get(0)?.state?.value.leaderEpoch
        await until('the state is known', () => now() === 100 - round)
        await storage.delete(paths.statePath('t', 0))
        await storage.delete(paths.topicPath('t'))
        if (round % 2 === 0) await until('it is gone', () => !topics.all.has('t'))
      }
      for (const topic of told) {
        const epoch = topic?.partitions.get(0)?.state?.value.leaderEpoch
        if (epoch !== undefined) expect(topic?.id).to.equal(`id ${100 - epoch}`)
      }
      await topics.close()
    })

    it('that cannot be read are named all the same, and read when they can be', async () => {
      await storage.put(paths.topicPath('bad'), 'nonsense')
      const registry = plugin.getListenerRegistry()
      const topics = new Topics({ storage, registry, logger, changed: () => undefined })
      expect([...(await topics.start())]).to.deep.equal(['bad'])
      expect(topics.all.size).to.equal(0)
      await storage.update(paths.topicPath('bad'), record('id'))
      await until('it is known', () => topics.all.get('bad')?.id === 'id')
      await topics.close()
    })
  })

  it('a broker gives up what it led in an earlier life, unless that was decided since', async () => {
    const led = { controllerEpoch: 1, leader: 0, leaderEpoch: 3, isr: [0, 1] }
    for (const at of [0, 1]) await storage.put(paths.statePath('t', at), encodeState(led))
    await storage.put(paths.statePath('t', 2), encodeState({ ...led, leader: 1 }))
    const former = await ledBy(storage, 0)
    expect(former).to.have.lengthOf(2)
    const since = encodeState({ ...led, leaderEpoch: 4 })
    await storage.update(paths.statePath('t', 1), since)
    await resignLed(storage, former)
    expect(await storage.fetch(paths.statePath('t', 0))).to.equal(encodeState({ ...led, leader: -1, leaderEpoch: 4 }))
    expect(await storage.fetch(paths.statePath('t', 1))).to.equal(since)
  })

  it('a broker does not miss another one that went and came again before anybody was told', async () => {
    const group = plugin.getGroupMembership('brokers')
    const at = JSON.stringify({ host: 'h', port: 1 })
    await group.join('1', at)
    let absent = 0
    const late = new Proxy(group, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (name !== 'members') return typeof value === 'function' ? (value as () => unknown).bind(target) : value
        return async () => new Map([...(await target.members())].filter(([id]) => id !== '1' || absent-- <= 0))
      },
    })
    const brokers = new Brokers(late, logger, () => undefined)
    await brokers.register({ id: 0, host: 'h', port: 2, directoryId: 'd' })
    await until('both are known', () => brokers.all.size === 2)
    absent = 1
    brokers.refresh()
    await until('it is gone', () => brokers.all.size === 1)
    await until('it is known again', () => brokers.all.size === 2)
    await brokers.close()
  })

  it('a broker knows the others by what they have written of themselves', async () => {
    const group = plugin.getGroupMembership('brokers')
    await group.join('7', '{"host":"h","port":9}')
    await group.join('odd', 'nonsense')
    const brokers = new Brokers(group, logger, () => undefined)
    await brokers.register({ id: 1, host: 'me', port: 2, directoryId: 'd' })
    expect([...brokers.all.keys()].sort()).to.deep.equal([1, 7])
    expect(brokers.all.get(7)).to.include({ host: 'h', port: 9 })
    expect(brokers.all.get(1)?.epoch).to.equal(brokers.epoch)
    await group.leave('7')
    await until('it is gone', () => !brokers.all.has(7))
    await brokers.close()
  })
})
