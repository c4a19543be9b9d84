import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { openLink } from '../../../conformance/kit/proxied-link.ts'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { startKeta } from '../../../test-servers/keta.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'
import type { Entry } from '../../../spi/index.ts'
import type { Seat, Seated, StoreDriver } from '../driver.ts'
import { type Admin, adminOf } from './admin.fixture.ts'
import { call, commitOf, failureOf, reading, recorder, until, write } from '../driver-calls.fixture.ts'
import { driverSuite, holder } from '../driver-suite.ts'
import { Drivers } from './opened.fixture.ts'
import { promisesOf, SESSION_TTL_MS } from './promises.fixture.ts'

const SEAT: Seat = { kind: 'leader', service: 'controller' }
const NOWHERE = '127.0.0.1:1'

const SERVERS: Readonly<Record<string, () => Promise<TestServer>>> = {
  etcd: () => startEtcd({ fsync: false }),
  keta: () => startKeta(),
}

for (const [name, start] of Object.entries(SERVERS)) {
  describe(`the driver on a real ${name}`, function () {
    this.timeout(30_000)
    const drivers = new Drivers()
    let server: TestServer
    let admin: Admin
    let driver: StoreDriver
    let clusters = 0
    let clusterId: string

    before(async function () {
      if (name === 'etcd') await provideOrSkip(this, ensureEtcd)
      server = await start()
      admin = adminOf([server])
    })
    beforeEach(async () => {
      clusters++
      clusterId = `cluster ${clusters}`
      driver = await drivers.open([server.endpoint], { host: { clusterId } })
    })
    afterEach(() => drivers.close())
    after(async () => {
      admin.close()
      await server.stop()
    })

    const session = async (of = driver) => (await of.openSession(60_000, call())).id
    /** Another driver of the same cluster, with a network between it and the server. */
    const apart = async () => {
      const link = await openLink([server.endpoint], () => 0.5)
      return { link, far: await drivers.open(link.endpoints, { host: { clusterId } }) }
    }

    const another = () => drivers.open([server.endpoint], { host: { clusterId } })
    driverSuite(() => ({ driver, session, another }))

    it('promises what it is to promise', () => {
      expect(driver.capabilities).to.deep.equal(promisesOf('etcd'))
    })

    describe('sessions', () => {
      it('are granted in whole seconds, never less than was wished', async () => {
        expect((await driver.openSession(2001, call())).ttlMs).to.equal(3000)
        expect((await driver.openSession(1, call())).ttlMs).to.equal(SESSION_TTL_MS)
      })
    })

    describe('seats', () => {
      it('with a record that nobody can read are an error, not an empty seat', async () => {
        await admin.etcd.kv.put({ key: Buffer.from(`/${encodeURIComponent(clusterId)}/leader/controller`) })
        expect(await failureOf(driver.readSeat(SEAT, reading()))).to.include({ code: 'CORRUPTED' })
      })
    })

    describe('commits', () => {
      it('that are too large are refused', async () => {
        const id = await session()
        const change = { key: '/a', expect: 'anything', become: new Uint8Array(2 << 20) } as const
        const error = await failureOf(driver.commit(commitOf(id, 1, change), call()))
        expect(error).to.include({ code: 'TOO_LARGE', effect: 'none' })
        const largest = { ...change, become: new Uint8Array(driver.capabilities.limits.maxValueBytes) }
        expect(await driver.commit(commitOf(id, { number: 2, after: 0 }, largest), call())).to.include({
          committed: true,
        })
      })

      it('whose reply was lost are found out about', async () => {
        const { link, far } = await apart()
        const id = await session()
        const commit = commitOf(id, 1, write('/a', '1'))
        link.holdReplies()
        const lost = failureOf(far.commit(commit, call()))
        let entry: Entry | undefined
        while (entry === undefined) entry = await driver.read('/a', reading())
        link.resetAll()
        expect(await lost).to.include({ code: 'CONNECTION', effect: 'unknown' })
        const outcome = await far.outcomeOf(commit, call())
        if (outcome === 'never' || !outcome.committed) throw new Error('forgotten')
        expect(outcome.versions.get('/a')).to.equal(entry.version)
        await link.close()
      })

      it('that were declared to have no effect have none when they arrive late', async () => {
        const { link, far } = await apart()
        const id = await session()
        const commit = commitOf(id, 1, write('/a', '1'))
        link.blackHole('to-server')
        const late = far.commit(commit, call(20_000)).then(
          () => 'committed',
          (error: unknown) => error,
        )
        expect(await driver.outcomeOf(commit, call())).to.equal('never')
        expect(await driver.outcomeOf(commit, call())).to.equal('never')
        link.heal()
        expect(await late).to.not.equal('committed')
        expect(await driver.read('/a', reading())).to.equal(undefined)
        await link.close()
      })

      it('leave one mark for each slot, and none when the session is over', async () => {
        const id = await session()
        const marks = async () => {
          const key = Buffer.from(`/${encodeURIComponent(clusterId)}/write/`)
          const range_end = Buffer.from(`/${encodeURIComponent(clusterId)}/write0`)
          return Number((await admin.etcd.kv.range({ key, range_end })).count)
        }
        for (const number of [1, 2, 3]) await driver.commit(commitOf(id, number, write('/a', 'x')), call())
        expect(await marks()).to.equal(1)
        await driver.endSession(id, call())
        expect(await marks()).to.equal(0)
      })
    })

    describe('reads', () => {
      it('of a scan show one moment over all its pages', async () => {
        const id = await session()
        await driver.commit(commitOf(id, 1, write('/a', '1'), write('/b', '1'), write('/c', '1')), call())
        const range = { from: '/', to: '0', limit: 2, keysOnly: false }
        const first = await driver.scan({ ...range, at: undefined }, reading())
        await driver.commit(commitOf(id, 2, write('/c', '2'), write('/d', '2')), call())
        const second = await driver.scan({ ...range, from: '/c', at: first.at }, reading(2000, 'sequential'))
        expect(first.more).to.equal(true)
        expect(second.entries.map(({ key, text }) => key + text)).to.deep.equal(['/c1'])
        expect(second.more).to.equal(false)
        await driver.commit(commitOf(id, 3, write('/c', '3')), call())
        await admin.hooks.compact()
        const error = await failureOf(driver.scan({ ...range, from: '/c', at: first.at }, reading()))
        expect(error).to.include({ code: 'OVERLOADED', effect: 'none', retriable: true })
      })
    })

    describe('follows', () => {
      it('tell of every commit in its order, each once', async () => {
        const id = await session()
        const sink = recorder<Entry>(({ text }) => text)
        await driver.commit(commitOf(id, 1, write('/a', '1')), call())
        const follow = driver.followKey('/a', sink)
        await follow.active
        await driver.commit(commitOf(id, 2, write('/a', '2')), call())
        await driver.commit(commitOf(id, 3, { key: '/a', expect: 'anything', become: 'absent' }), call())
        await driver.commit(commitOf(id, 4, write('/a', '3'), write('/ab', 'x'), write('/a/b', 'x')), call())
        const expected = ['reset /a=1', '/a=2', '/a=gone', '/a=3']
        await until(
          () => sink.lines.length >= 4,
          () => sink.lines,
        )
        expect(sink.lines).to.deep.equal(expected)
        follow.close()
        await driver.commit(commitOf(id, 5, write('/a', '4')), call())
        expect((await driver.read('/a', reading()))?.text).to.equal('4')
        expect(sink.lines).to.deep.equal(expected)
      })

      it('pass over a record that nobody can read', async () => {
        const id = await session()
        const members = recorder<Seated>((seated) => seated.nonce)
        await driver.followGroup('g', members).active
        const key = Buffer.from(`/${encodeURIComponent(clusterId)}/member/g/junk`)
        await admin.etcd.kv.put({ key, value: Buffer.from('{}') })
        await admin.etcd.kv.put({ key: Buffer.concat([key, Buffer.from('%')]), value: Buffer.from('{}') })
        await driver.takeSeat({ kind: 'member', group: 'g', id: 'm' }, holder('m', id), call())
        await until(
          () => members.lines.includes('m=m'),
          () => members.lines,
        )
      })

      it('catch up after a cut, with one state of all if the history is gone', async () => {
        const { link, far } = await apart()
        const id = await session()
        const sink = recorder<Entry>(({ text }) => text)
        await far.followKey('/a', sink).active
        link.cut()
        await driver.commit(commitOf(id, 1, write('/a', '1')), call())
        await driver.commit(commitOf(id, 2, write('/a', '2')), call())
        link.heal()
        await until(
          () => sink.lines.includes('/a=2'),
          () => sink.lines,
        )
        expect(sink.lines).to.deep.equal(['reset', '/a=1', '/a=2'])
        link.cut()
        await driver.commit(commitOf(id, 3, write('/a', '3')), call())
        await driver.commit(commitOf(id, 4, write('/a', '4')), call())
        await admin.hooks.compact()
        link.heal()
        await until(
          () => sink.lines.length >= 4,
          () => sink.lines,
        )
        expect(sink.lines.slice(3)).to.deep.equal(['reset /a=4'])
        await link.close()
      })

      it('go over to another server when theirs swallows everything', async () => {
        const link = await openLink([server.endpoint], () => 0.5)
        const far = await drivers.open([...link.endpoints, server.endpoint], { host: { clusterId } })
        const sink = recorder<Entry>(({ text }) => text)
        await far.followKey('/a', sink).active
        link.blackHole('both')
        await driver.commit(commitOf(await session(), 1, write('/a', '1')), call())
        await until(
          () => sink.lines.includes('/a=1'),
          () => sink.lines,
        )
        await link.close()
      })

      it('go on over a restart of the server', async () => {
        const sink = recorder<Entry>(({ text }) => text)
        await driver.followKey('/a', sink).active
        await server.kill()
        await server.restart()
        // the driver leaves it to its caller to try again
        while ((await driver.read('/a', reading()).catch(() => 'away')) === 'away') {
          await delay(50)
        }
        await driver.commit(commitOf(await session(), 1, write('/a', '1')), call())
        await until(
          () => sink.lines.includes('/a=1'),
          () => sink.lines,
        )
      })
    })

    describe('servers', () => {
      it('that are dead are passed over', async () => {
        const other = await drivers.open([NOWHERE, server.endpoint], { host: { clusterId } })
        expect(await other.read('/a', reading())).to.equal(undefined)
        const id = (await other.openSession(SESSION_TTL_MS, call())).id
        expect(await other.commit(commitOf(id, 1, write('/a', '1')), call())).to.include({ committed: true })
      })

      it('that swallow everything are passed over by reads within their time, and by the next write', async () => {
        const link = await openLink([server.endpoint], () => 0.5)
        const other = await drivers.open([...link.endpoints, server.endpoint], { host: { clusterId } })
        const id = await session()
        link.blackHole('both')
        expect(await other.read('/a', reading())).to.equal(undefined)
        expect(await other.commit(commitOf(id, 1, write('/a', '1')), call())).to.include({ committed: true })
        await link.close()
      })

      it('that cannot be reached have done nothing', async () => {
        const { link, far } = await apart()
        const id = await session()
        link.cut()
        // the first may meet the connection as it breaks
        await failureOf(far.read('/a', reading(500)))
        const error = await failureOf(far.commit(commitOf(id, 1, write('/a', '1')), call(500)))
        expect(error).to.include({ code: 'CONNECTION', effect: 'none', retriable: true })
        expect(await failureOf(drivers.open([NOWHERE]))).to.include({ code: 'CONNECTION', effect: 'none' })
        await link.close()
      })

      it('are asked nothing once the driver is closed', async () => {
        await driver.close()
        expect(await failureOf(driver.read('/a', reading()))).to.include({ code: 'CLOSED', effect: 'none' })
      })
    })
  })
}
