import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { openLink } from '../../../conformance/kit/proxied-link.ts'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { startKeta } from '../../../test-servers/keta.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'
import type { Entry } from '../../../spi/index.ts'
import type { Holder, Seat, Seated, StoreDriver } from '../driver.ts'
import { type Admin, adminOf } from './admin.fixture.ts'
import { bytes, call, commitOf, Drivers, failureOf, reading, recorder, until, write } from './opened.fixture.ts'
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

    const session = async () => (await driver.openSession(SESSION_TTL_MS, call())).id
    const holder = (id: string, session: string, nonce = id): Holder => ({ id, session, nonce, data: bytes('d') })
    /** Another driver of the same cluster, with a network between it and the server. */
    const apart = async () => {
      const link = await openLink([server.endpoint], () => 0.5)
      return { link, far: await drivers.open(link.endpoints, { host: { clusterId } }) }
    }

    it('promises what it is to promise', () => {
      expect(driver.capabilities).to.deep.equal(promisesOf('etcd'))
    })

    describe('sessions', () => {
      it('are granted in whole seconds, never less than was wished', async () => {
        expect((await driver.openSession(2001, call())).ttlMs).to.equal(3000)
        expect((await driver.openSession(1, call())).ttlMs).to.equal(SESSION_TTL_MS)
      })

      it('are renewed until they are ended, and may be ended twice', async () => {
        const id = await session()
        expect(await driver.renewSession(id, call())).to.deep.equal({ id, ttlMs: SESSION_TTL_MS })
        await driver.endSession(id, call())
        await driver.endSession(id, call())
        expect(await driver.renewSession(id, call())).to.equal(undefined)
      })

      it('of another kind of store are over', async () => {
        expect(await driver.renewSession('not a lease', call())).to.equal(undefined)
        await driver.endSession('not a lease', call())
      })
    })

    describe('seats', () => {
      it('are held by the first, whom everybody finds there', async () => {
        const [a, b] = [await session(), await session()]
        const first = await driver.takeSeat(SEAT, holder('a', a), call())
        expect(first.nonce).to.equal('a')
        expect(await driver.takeSeat(SEAT, holder('b', b), call())).to.deep.equal(first)
        expect(await driver.takeSeat(SEAT, holder('a', a), call())).to.deep.equal(first)
        expect(await driver.readSeat(SEAT, reading())).to.deep.equal(first)
      })

      it('are emptied by their own incarnation only, and the next one has a greater token', async () => {
        const id = await session()
        const first = await driver.takeSeat(SEAT, holder('a', id), call())
        await driver.emptySeat(SEAT, first.token + 1n, call())
        expect(await driver.readSeat(SEAT, reading())).to.deep.equal(first)
        await driver.emptySeat(SEAT, first.token, call())
        expect(await driver.readSeat(SEAT, reading())).to.equal(undefined)
        const second = await driver.takeSeat(SEAT, holder('b', id), call())
        expect(second.token > first.token).to.equal(true)
      })

      it('keep token and lease when their data change, for their own incarnation only', async () => {
        const id = await session()
        const first = await driver.takeSeat(SEAT, holder('a', id), call())
        const data = new Uint8Array([0, 255])
        expect(await driver.amendSeat(SEAT, first.token + 1n, data, call())).to.equal(false)
        expect(await driver.amendSeat(SEAT, first.token, data, call())).to.equal(true)
        expect(await driver.readSeat(SEAT, reading())).to.deep.equal({ ...first, data })
        await driver.endSession(id, call())
        expect(await driver.readSeat(SEAT, reading())).to.equal(undefined)
      })

      it('are not for sessions that are over', async () => {
        const id = await session()
        await driver.endSession(id, call())
        const error = await failureOf(driver.takeSeat(SEAT, holder('a', id), call()))
        expect(error).to.include({ code: 'SESSION_LOST', effect: 'none' })
      })

      it('of one group are listed under their ids, odd ones too, and no others', async () => {
        const id = await session()
        const ids = ['0', 'a/b', '%2F', '../x', '✓ 😀', "'()*"]
        for (const group of ['g', 'g/h', 'g%2Fh']) {
          for (const member of ids) {
            const seat = { kind: 'member', group, id: member } as const
            await driver.takeSeat(seat, holder(member, id, `${group} ${member}`), call())
          }
        }
        const members = await driver.readGroup('g/h', reading())
        expect([...members.keys()]).to.have.members(ids)
        expect([...members.values()].map(({ nonce }) => nonce)).to.have.members(ids.map((one) => `g/h ${one}`))
      })

      it('with a record that nobody can read are an error, not an empty seat', async () => {
        await admin.etcd.kv.put({ key: Buffer.from(`/${encodeURIComponent(clusterId)}/leader/controller`) })
        expect(await failureOf(driver.readSeat(SEAT, reading()))).to.include({ code: 'CORRUPTED' })
      })
    })

    describe('commits', () => {
      it('write, remove and compare in one step', async () => {
        const id = await session()
        const first = await driver.commit(commitOf(id, 1, write('/a', '1'), write('/b', '1')), call())
        if (!first.committed) throw new Error('refused')
        const [a, b] = ['/a', '/b'].map((key) => first.versions.get(key))
        if (a === undefined || b === undefined) throw new Error('no versions')
        const second = await driver.commit(
          commitOf(
            id,
            2,
            { key: '/a', expect: a, become: 'absent' },
            { key: '/b', expect: b, become: 'unchanged' },
            { key: '/c', expect: 'anything', become: 'absent' },
            write('/d', '2', 'absent'),
          ),
          call(),
        )
        if (!second.committed) throw new Error('refused')
        expect([...second.versions.keys()]).to.deep.equal(['/d'])
        const page = await driver.scan({ from: '/', to: '0', limit: 9, keysOnly: false, at: undefined }, reading())
        expect(page.entries.map(({ key, text, version }) => [key, text, version])).to.deep.equal([
          ['/b', '1', b],
          ['/d', '2', second.versions.get('/d')],
        ])
      })

      it('that are refused change nothing and show what stood in the way', async () => {
        const id = await session()
        await driver.commit(commitOf(id, 1, write('/a', '1')), call())
        const outcome = await driver.commit(commitOf(id, 2, write('/a', '2', 'absent'), write('/b', '2')), call())
        if (outcome.committed) throw new Error('committed')
        expect(outcome.found.get('/a')?.text).to.equal('1')
        expect(outcome.found.get('/b')).to.equal(undefined)
        expect([...outcome.found.keys()]).to.deep.equal(['/a', '/b'])
        expect(await driver.read('/b', reading())).to.equal(undefined)
        // the slot goes on behind a refusal
        expect(
          await driver.commit(commitOf(id, { number: 3, after: 1 }, write('/a', '3', 'present')), call()),
        ).to.include({
          committed: true,
        })
      })

      it('are fenced by the present token of the service, and by no other number', async () => {
        const id = await session()
        const { token } = await driver.takeSeat(SEAT, holder('a', id), call())
        let number = 0
        const fenced = (fence: { service: string; token: bigint }) => {
          number++
          // only the first takes place
          const place = { number, after: Math.min(1, number - 1) }
          return driver.commit({ ...commitOf(id, place, write('/a', String(number))), fence }, call())
        }
        expect(await fenced({ service: 'controller', token })).to.include({ committed: true })
        for (const wrong of [token - 1n, token + 1n, 0n, -1n, 2n ** 64n]) {
          expect(await fenced({ service: 'controller', token: wrong })).to.include({ committed: false, token })
        }
        for (const wrong of [0n, -1n, token]) {
          const outcome = await fenced({ service: 'nobody leads it', token: wrong })
          expect(outcome).to.include({ committed: false, token: undefined })
        }
        expect((await driver.read('/a', reading()))?.text).to.equal('1')
      })

      it('never take the version of another store for one of theirs', async () => {
        const id = await session()
        let number = 0
        for (const version of ['0', '-1', '', 'a', '1.5', '99999999999999999999']) {
          number++
          const change = write('/absent', 'x', version as Entry['version'])
          expect(await driver.commit(commitOf(id, { number, after: 0 }, change), call())).to.include({
            committed: false,
          })
        }
      })

      it('are refused for sessions that are over', async () => {
        const id = await session()
        await driver.commit(commitOf(id, 1, write('/a', '1')), call())
        await driver.endSession(id, call())
        const error = await failureOf(driver.commit(commitOf(id, 2, write('/a', '2')), call()))
        expect(error).to.include({ code: 'SESSION_LOST', effect: 'none' })
      })

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

      it('of as many operations as is promised are taken', async () => {
        const id = await session()
        const { token } = await driver.takeSeat(SEAT, holder('a', id), call())
        const { transactions } = driver.capabilities
        const count = transactions === false ? 0 : transactions.maxOps
        const changes = Array.from({ length: count }, (_, index) => write(`/k${index}`, 'x', 'absent'))
        const commit = { ...commitOf(id, 1, ...changes), fence: { service: 'controller', token } }
        expect(await driver.commit(commit, call())).to.include({ committed: true })
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

      it('whose session is over cannot be found out about any more', async () => {
        const id = await session()
        const commit = commitOf(id, 1, write('/a', '1'))
        await driver.commit(commit, call())
        await driver.endSession(id, call())
        expect(await failureOf(driver.outcomeOf(commit, call()))).to.include({
          code: 'SESSION_LOST',
          effect: 'unknown',
        })
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

      it('that may be old do not go back', async () => {
        const id = await session()
        for (let number = 1; number <= 20; number++) {
          await driver.commit(commitOf(id, number, write('/a', String(number))), call())
          expect((await driver.read('/a', reading(2000, 'sequential')))?.text).to.equal(String(number))
        }
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

      it('of a namespace, a leader and a group tell of theirs only', async () => {
        const id = await session()
        const keys = recorder<Entry>(() => 'there')
        const leader = recorder<Seated>((seated) => seated.id)
        const members = recorder<Seated>((seated) => seated.nonce)
        await driver.followNamespace('/a', keys).active
        await driver.followLeader('controller', leader).active
        await driver.followGroup('g', members).active
        await driver.commit(
          commitOf(id, 1, write('/a', ''), write('/ab', ''), write('/a/b', ''), write('/a0', '')),
          call(),
        )
        const seated = await driver.takeSeat(SEAT, holder('x', id), call())
        await driver.takeSeat({ kind: 'leader', service: 'controller/2' }, holder('y', id), call())
        await driver.takeSeat({ kind: 'member', group: 'g', id: 'a/b' }, holder('m', id), call())
        await driver.takeSeat({ kind: 'member', group: 'g/h', id: 'n' }, holder('n', id), call())
        await driver.emptySeat(SEAT, seated.token, call())
        await driver.endSession(id, call())
        await until(
          () => members.lines.length >= 3 && leader.lines.length >= 3,
          () => [keys, leader, members],
        )
        expect(keys.lines).to.deep.equal(['reset', '/a/b=there'])
        expect(leader.lines).to.deep.equal(['reset', 'controller=x', 'controller=gone'])
        expect(members.lines).to.deep.equal(['reset', 'a/b=m', 'a/b=gone'])
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
