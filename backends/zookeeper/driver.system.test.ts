import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { openLink } from '../../conformance/kit/proxied-link.ts'
import { type Entry, isCoordinationError } from '../../spi/index.ts'
import { provideOrSkip, type TestServer } from '../../test-servers/server.ts'
import { ensureZooKeeper, startZooKeeper, type ZooKeeperEnsemble } from '../../test-servers/zookeeper.ts'
import type { Holder, Seat, Seated, StoreDriver } from '../shared/driver.ts'
import {
  bytes,
  call,
  commitOf,
  failureOf,
  reading,
  recorder,
  until,
  write,
} from '../shared/etcd-v3/opened.fixture.ts'
import { adminHooks } from './admin.fixture.ts'
import { visit, type Visitor } from './foreign-client.fixture.ts'
import { PROMISES, SESSION_TTL_MS } from './harness.fixture.ts'
import { Layout } from './layout.ts'
import { Drivers } from './opened.fixture.ts'

const SEAT: Seat = { kind: 'leader', service: 'controller' }
const LACKING: ReadonlySet<string> = new Set(['CONNECTION', 'TIMEOUT'])
const NOWHERE = '127.0.0.1:1'

describe('the driver on a real ZooKeeper', function () {
  this.timeout(30_000)
  const drivers = new Drivers()
  let ensemble: ZooKeeperEnsemble
  let server: TestServer
  let driver: StoreDriver
  let clusters = 0
  let clusterId: string
  let layout: Layout

  before(async function () {
    await provideOrSkip(this, ensureZooKeeper)
    ensemble = await startZooKeeper()
    const [first] = ensemble.servers
    if (first === undefined) throw new Error('no server')
    server = first
  })
  beforeEach(async () => {
    clusters++
    clusterId = `cluster ${clusters}`
    layout = new Layout('', clusterId)
    driver = await drivers.open([server.endpoint], { host: { clusterId } })
  })
  afterEach(() => drivers.close())
  after(() => ensemble.stop())

  const session = async (of = driver) => (await of.openSession(SESSION_TTL_MS, call())).id
  const holder = (id: string, session: string, nonce = id): Holder => ({ id, session, nonce, data: bytes('d') })
  const seen = <T>(work: (visitor: Visitor) => Promise<T>) => visit(server.endpoint, work)
  /** Again and again while it fails for want of a connection. */
  const persistent = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (let left = 100; ; left--) {
      try {
        return await ask()
      } catch (error) {
        if (left === 0 || !isCoordinationError(error) || !LACKING.has(error.code)) throw error
        await delay(10)
      }
    }
  }
  const remove = (key: string) => ({ key, expect: 'anything', become: 'absent' }) as const
  /** Another driver of the same cluster, with a network between it and the server. */
  const apart = async () => {
    const link = await openLink([server.endpoint], () => 0.5)
    return { link, far: await drivers.open(link.endpoints, { host: { clusterId } }) }
  }

  it('promises what it is to promise', () => {
    expect(driver.capabilities).to.deep.equal(PROMISES)
  })

  describe('sessions', () => {
    it('are granted as wished, or not shorter', async () => {
      expect((await driver.openSession(2001, call())).ttlMs).to.equal(2001)
      expect((await driver.openSession(1, call())).ttlMs).to.equal(PROMISES.session.minTtlMs)
    })

    it('longer than the servers allow are a matter of configuration', async () => {
      const error = await failureOf(driver.openSession(100_000, call()))
      expect(error).to.include({ code: 'CONFIG' })
      expect(error['message']).to.include('maxSessionTimeout')
    })

    it('are renewed until they are ended, and may be ended twice', async () => {
      const id = await session()
      expect(await driver.renewSession(id, call())).to.include({ id, ttlMs: SESSION_TTL_MS })
      await driver.endSession(id, call())
      await driver.endSession(id, call())
      expect(await driver.renewSession(id, call())).to.equal(undefined)
    })

    it('that an administrator has ended are over', async () => {
      const id = await session()
      await adminHooks([server]).expireSession(id)
      expect(await persistent(() => driver.renewSession(id, call()))).to.equal(undefined)
      expect(await failureOf(driver.takeSeat(SEAT, holder('a', id), call()))).to.include({
        code: 'SESSION_LOST',
        effect: 'none',
      })
    })

    it('of others, or of another kind of store, are over', async () => {
      const other = await drivers.open([server.endpoint], { host: { clusterId } })
      for (const id of [await session(), 'no session']) {
        expect(await other.renewSession(id, call())).to.equal(undefined)
        await other.endSession(id, call())
      }
    })

    it('have at first a grant from when they were asked for, and later one that fears what the leader may not know', async () => {
      const grant = await driver.openSession(SESSION_TTL_MS, call())
      expect(grant.skewMs).to.equal(0)
      const renewed = await driver.renewSession(grant.id, call())
      expect(renewed?.skewMs).to.be.greaterThan(0)
      await delay(SESSION_TTL_MS)
      const later = await driver.renewSession(grant.id, call())
      // at least half a tick, and not all of the session
      expect(later?.skewMs).to.be.within(250, SESSION_TTL_MS / 2)
    })

    it('that nobody knows to be opened do not stay', async () => {
      const before = await adminHooks([server]).usage()
      const abort = new AbortController()
      const opening = failureOf(driver.openSession(SESSION_TTL_MS, { signal: abort.signal, timeoutMs: 5000 }))
      abort.abort(new Error('given up'))
      await opening
      while ((await adminHooks([server]).usage()).sessions > before.sessions) await delay(20)
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

    it('keep token and session when their data change, for their own incarnation only', async () => {
      const id = await session()
      const first = await driver.takeSeat(SEAT, holder('a', id), call())
      const data = new Uint8Array([0, 255])
      expect(await driver.amendSeat(SEAT, first.token + 1n, data, call())).to.equal(false)
      expect(await driver.amendSeat(SEAT, first.token, data, call())).to.equal(true)
      expect(await driver.readSeat(SEAT, reading())).to.deep.equal({ ...first, data })
      await driver.endSession(id, call())
      expect(await driver.readSeat(SEAT, reading())).to.equal(undefined)
    })

    it('of one group are listed under their ids, odd ones too, and no others', async () => {
      const id = await session()
      const ids = ['0', 'a/b', '%2F', '../x', '..', '.', '✓ 😀', "'()*", '\u0001', '\ue000']
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
      await seen((visitor) => visitor.create(layout.leader('controller'), Buffer.from('{}')))
      expect(await failureOf(driver.readSeat(SEAT, reading()))).to.include({ code: 'CORRUPTED' })
    })

    it('are shown to others as JSON', async () => {
      await driver.takeSeat(SEAT, holder('a', await session()), call())
      const stored = await seen((visitor) => visitor.data(`/${clusterId}/leader/controller`))
      expect(JSON.parse(String(stored))).to.include({ id: 'a', nonce: 'a', text: 'd' })
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
          remove('/c'),
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
      expect([...outcome.found.keys()]).to.deep.equal(['/a', '/b'])
      expect(await driver.read('/b', reading())).to.equal(undefined)
      // the slot goes on behind a refusal
      expect(
        await driver.commit(commitOf(id, { number: 3, after: 1 }, write('/a', '3', 'present')), call()),
      ).to.include({ committed: true })
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

    it('with a version that another incarnation of the znode had are refused (ABA)', async () => {
      const id = await session()
      const first = await driver.commit(commitOf(id, 1, write('/a', '1')), call())
      if (!first.committed) throw new Error('refused')
      await driver.commit(commitOf(id, 2, remove('/a')), call())
      await driver.commit(commitOf(id, 3, write('/a', '2')), call())
      const old = first.versions.get('/a')
      if (old === undefined) throw new Error('no version')
      const stale = driver.commit(commitOf(id, { number: 4, after: 3 }, write('/a', 'x', old)), call())
      expect(await stale).to.include({ committed: false })
      // what no znode's version shows: it is created anew between looking and writing, by somebody who is as fast
      const { link, far } = await apart()
      const other = await session(far)
      const present = await driver.read('/a', reading())
      if (present === undefined) throw new Error('it is not there')
      link.holdReplies()
      const slow = far.commit(commitOf(other, 1, write('/a', 'x', present.version)), call(5000))
      await driver.commit(commitOf(id, { number: 5, after: 3 }, remove('/a')), call())
      await driver.commit(commitOf(id, 6, write('/a', '3')), call())
      link.heal()
      expect(await slow.catch(() => ({ committed: 'lost' }))).to.not.include({ committed: true })
      expect((await driver.read('/a', reading()))?.text).to.equal('3')
      await link.close()
    })

    it('never take the version of another store for one of theirs', async () => {
      const id = await session()
      let number = 0
      for (const version of ['0', '-1', '', 'a', '1.5', '99999999999999999999']) {
        number++
        const change = write('/absent', 'x', version as Entry['version'])
        expect(await driver.commit(commitOf(id, { number, after: 0 }, change), call())).to.include({ committed: false })
      }
    })

    it('are refused for sessions that are over', async () => {
      const id = await session()
      await driver.commit(commitOf(id, 1, write('/a', '1')), call())
      await driver.endSession(id, call())
      const error = await failureOf(driver.commit(commitOf(id, 2, write('/a', '2')), call()))
      expect(error).to.include({ code: 'SESSION_LOST', effect: 'none' })
    })

    it('that are too large are refused, and the connection goes on', async () => {
      const id = await session()
      const change = { key: '/a', expect: 'anything', become: new Uint8Array(2 << 20) } as const
      const error = await failureOf(driver.commit(commitOf(id, 1, change), call()))
      expect(error).to.include({ code: 'TOO_LARGE', effect: 'none' })
      const largest = { ...change, become: new Uint8Array(driver.capabilities.limits.maxValueBytes) }
      expect(await driver.commit(commitOf(id, { number: 2, after: 0 }, largest), call())).to.include({
        committed: true,
      })
      // as near to the limit of a request as it gets
      const nearly = { ...change, key: '/b', become: new Uint8Array(0xfffff - 1024 - 400) }
      expect(await driver.commit(commitOf(id, { number: 3, after: 2 }, nearly), call())).to.include({ committed: true })
    })

    it('of as many operations as is promised are taken, on the longest keys', async () => {
      const id = await session()
      const { token } = await driver.takeSeat(SEAT, holder('a', id), call())
      const { transactions } = driver.capabilities
      const count = transactions === false ? 0 : transactions.maxOps
      const changes = Array.from({ length: count }, (_, index) =>
        write(`/${index}/${'k'.repeat(1000)}`, 'x', 'absent'),
      )
      const commit = { ...commitOf(id, 1, ...changes), fence: { service: 'controller', token } }
      expect(await driver.commit(commit, call())).to.include({ committed: true })
    })

    it('whose reply was lost are found out about, at whatever moment it was', async () => {
      const { link, far } = await apart()
      const found = new Set<string>()
      for (let round = 0; round < 24; round++) {
        const id = await session(far)
        const key = `/lost/${round}`
        const commit = commitOf(id, 1, write(key, '1'))
        const lost = far.commit(commit, call()).then(
          () => undefined,
          (error: unknown) => error,
        )
        await delay(round / 6)
        link.holdReplies()
        await Promise.race([lost, delay(30)])
        link.resetAll()
        link.heal()
        await lost
        const outcome = await persistent(() => far.outcomeOf(commit, call()))
        const entry = await driver.read(key, reading())
        if (outcome === 'never') expect(entry).to.equal(undefined)
        else expect(outcome.committed && outcome.versions.get(key)).to.equal(entry?.version)
        found.add(outcome === 'never' ? 'never' : 'committed')
        await persistent(() => far.endSession(id, call()))
      }
      expect([...found]).to.include('committed')
      await link.close()
    })

    it('that were declared to have no effect can have none any more', async () => {
      const id = await session()
      const commit = commitOf(id, 1, write('/a', '1'))
      expect(await driver.outcomeOf(commit, call())).to.equal('never')
      expect(await driver.outcomeOf(commit, call())).to.equal('never')
      expect(await failureOf(driver.commit(commit, call()))).to.include({ effect: 'none' })
      expect(await driver.read('/a', reading())).to.equal(undefined)
    })

    it('whose session is over cannot be found out about any more', async () => {
      const id = await session()
      const commit = commitOf(id, 1, write('/a', '1'))
      await driver.commit(commit, call())
      await driver.endSession(id, call())
      expect(await failureOf(driver.outcomeOf(commit, call()))).to.include({ code: 'SESSION_LOST', effect: 'unknown' })
    })

    it('leave one mark for each slot, and none when the session is over', async () => {
      const id = await session()
      const marks = () => seen((visitor) => visitor.children(`${layout.root}/write`))
      for (const number of [1, 2, 3]) await driver.commit(commitOf(id, number, write('/a', 'x')), call())
      expect(await marks()).to.deep.equal([`${id}-0`])
      await driver.endSession(id, call())
      expect(await marks()).to.deep.equal([])
    })
  })

  describe('the tree', () => {
    it('shows others what they would look for', async () => {
      await driver.commit(commitOf(await session(), 1, write('/brokers/ids/0', 'here')), call())
      expect(String(await seen((visitor) => visitor.data(`/${clusterId}/kv/brokers/ids/0`)))).to.equal('here')
    })

    it('keeps an empty value and none apart, over a restart too', async () => {
      await driver.commit(commitOf(await session(), 1, write('/a/b', '')), call())
      const both = async () => [(await driver.read('/a', reading()))?.text, (await driver.read('/a/b', reading()))?.text]
      expect(await both()).to.deep.equal([undefined, ''])
      await server.kill()
      await server.restart()
      expect(await persistent(both)).to.deep.equal([undefined, ''])
    })

    it('does not keep what is only there for what has gone', async () => {
      const id = await session()
      await driver.commit(commitOf(id, 1, write('/a/b/c', '1'), write('/a/d', '1')), call())
      await driver.commit(commitOf(id, 2, remove('/a/b/c')), call())
      expect(await seen((visitor) => visitor.children(`${layout.values}/a`))).to.deep.equal(['d'])
      await driver.commit(commitOf(id, 3, write('/a', '2'), remove('/a/d')), call())
      expect(await seen((visitor) => visitor.children(layout.values))).to.deep.equal(['a'])
      await driver.commit(commitOf(id, 4, write('/a/e', '1')), call())
      await driver.commit(commitOf(id, 5, remove('/a')), call())
      expect((await driver.read('/a/e', reading()))?.text).to.equal('1')
      expect(await driver.read('/a', reading())).to.equal(undefined)
      await driver.commit(commitOf(id, 6, remove('/a/e')), call())
      expect(await seen((visitor) => visitor.children(layout.values))).to.deep.equal([])
    })

    it('is made anew when an administrator has removed it', async () => {
      const id = await session()
      for (const guard of layout.furniture.filter((path) => path.includes('/guard/'))) {
        await seen((visitor) => visitor.remove(guard))
      }
      expect(await driver.commit(commitOf(id, 1, write('/a', '1')), call())).to.include({ committed: true })
      await driver.takeSeat(SEAT, holder('a', id), call())
    })

    it('may begin below a path, which is made', async () => {
      const other = await drivers.open([server.endpoint], { host: { clusterId }, chroot: '/teams/billing' })
      await other.commit(commitOf(await session(other), 1, write('/a', '1')), call())
      expect(String(await seen((visitor) => visitor.data(`/teams/billing/${clusterId}/kv/a`)))).to.equal('1')
    })

    it('belongs to the user who makes it, if there is one', async () => {
      const mine = await drivers.open([server.endpoint], { host: { clusterId: 'mine' }, digest: 'me:secret' })
      await mine.commit(commitOf(await session(mine), 1, write('/a', '1')), call())
      const stranger = drivers.open([server.endpoint], { host: { clusterId: 'mine' }, digest: 'me:wrong' })
      expect(await failureOf(stranger)).to.include({ code: 'AUTHORIZATION', effect: 'none' })
      const friend = await drivers.open([server.endpoint], { host: { clusterId: 'mine' }, digest: 'me:secret' })
      expect((await friend.read('/a', reading()))?.text).to.equal('1')
    })
  })

  describe('reads', () => {
    it('of a scan go by the bytes of the keys, page by page', async () => {
      const id = await session()
      const keys = ['/a', '/a!', '/a!/x', '/a/b', '/a/b!', '/a/b/c', '/a/b0', '/a0', '/\u{10000}', '/\ue000', '/b/c/d/e']
      await driver.commit(commitOf(id, 1, ...keys.map((key) => write(key, key))), call())
      const sorted = keys.map((key) => Buffer.from(key)).sort(Buffer.compare).map(String)
      for (const limit of [1, 2, 3, 100]) {
        const scanned: string[] = []
        for (let from = '/', more = true; more; from = `${scanned.at(-1) ?? ''}\0`) {
          const page = await driver.scan({ from, to: '0', limit, keysOnly: false, at: undefined }, reading())
          more = page.more
          expect(page.entries.length).to.be.at.most(limit)
          scanned.push(...page.entries.map(({ text }) => text))
        }
        expect(scanned).to.deep.equal(sorted)
      }
      const part = await driver.scan({ from: '/a/', to: '/a0', limit: 9, keysOnly: true, at: undefined }, reading())
      expect(part.entries.map(({ key }) => key)).to.deep.equal(['/a/b', '/a/b!', '/a/b/c', '/a/b0'])
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
    it('tell of commits in their order, and leave out at most what was replaced at once', async () => {
      const id = await session()
      const sink = recorder<Entry>(({ text }) => text)
      await driver.commit(commitOf(id, 1, write('/a', '1')), call())
      const follow = driver.followKey('/a', sink)
      await follow.active
      const told = async (line: string) =>
        until(
          () => sink.lines.at(-1) === line,
          () => sink.lines,
        )
      await driver.commit(commitOf(id, 2, write('/a', '2')), call())
      await told('/a=2')
      await driver.commit(commitOf(id, 3, remove('/a')), call())
      await told('/a=gone')
      await driver.commit(commitOf(id, 4, write('/a', '3'), write('/ab', 'x'), write('/a/b', 'x')), call())
      await told('/a=3')
      expect(sink.lines).to.deep.equal(['reset /a=1', '/a=2', '/a=gone', '/a=3'])
      follow.close()
      await driver.commit(commitOf(id, 5, write('/a', '4')), call())
      expect((await driver.read('/a', reading()))?.text).to.equal('4')
      expect(sink.lines.length).to.equal(4)
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
      await until(
        () => members.lines.length >= 2 && leader.lines.length >= 2,
        () => [keys, leader, members],
      )
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

    it('of the same path share a watch, and go on when another of them ends', async () => {
      const id = await session()
      const [one, two, below] = [0, 1, 2].map(() => recorder<Entry>(() => 'there'))
      if (one === undefined || two === undefined || below === undefined) throw new Error('no recorder')
      const first = driver.followKey('/a', one)
      await first.active
      await driver.followKey('/a', two).active
      const namespace = driver.followNamespace('/a', below)
      await namespace.active
      first.close()
      namespace.close()
      await driver.commit(commitOf(id, 1, write('/a', '1')), call())
      await until(
        () => two.lines.length === 2,
        () => two.lines,
      )
      expect([one.lines, below.lines]).to.deep.equal([['reset'], ['reset']])
    })

    it('pass over a record that nobody can read', async () => {
      const id = await session()
      const members = recorder<Seated>((seated) => seated.nonce)
      await driver.takeSeat({ kind: 'member', group: 'g', id: 'first' }, holder('first', id), call())
      await driver.followGroup('g', members).active
      await seen((visitor) => visitor.create(`${layout.group('g')}/junk%`, Buffer.from('{}')))
      await driver.takeSeat({ kind: 'member', group: 'g', id: 'm' }, holder('m', id), call())
      await until(
        () => members.lines.includes('m=m'),
        () => members.lines,
      )
    })

    it('never tell of a later commit without an earlier one', async () => {
      const id = await session()
      const present = new Set<string>()
      const torn: string[] = []
      const look = () => {
        if (!Array.from({ length: present.size }, (_, at) => `/all/${at}`).every((key) => present.has(key))) {
          torn.push([...present].join(' '))
        }
      }
      const follow = driver.followNamespace('/all', {
        reset: (all) => {
          present.clear()
          for (const key of all.keys()) present.add(key)
          look()
        },
        changed: (changes) => {
          for (const [key, entry] of changes) if (entry !== undefined) present.add(key)
          look()
        },
        failed: () => undefined,
      })
      const count = 300
      for (let at = 0; at < count; at++) {
        await driver.commit(commitOf(id, at + 1, write(`/all/${at}`, 'x')), call())
      }
      await follow.active
      await until(
        () => present.size === count,
        () => present.size,
      )
      expect(torn).to.deep.equal([])
    })

    it('catch up after a cut with one state of all', async () => {
      const { link, far } = await apart()
      const id = await session()
      const sink = recorder<Entry>(({ text }) => text)
      await far.followKey('/a', sink).active
      link.cut()
      await driver.commit(commitOf(id, 1, write('/a', '1')), call())
      await driver.commit(commitOf(id, 2, write('/a', '2')), call())
      link.heal()
      await until(
        () => sink.lines.includes('reset /a=2'),
        () => sink.lines,
      )
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
        () => sink.lines.includes('reset /a=1'),
        () => sink.lines,
      )
      await link.close()
    })

    it('go on when the session that they stand on has expired', async () => {
      const sink = recorder<Entry>(({ text }) => text)
      const { link, far } = await apart()
      await far.followKey('/a', sink).active
      link.cut()
      await delay(SESSION_TTL_MS + 1500)
      link.heal()
      await driver.commit(commitOf(await session(), 1, write('/a', '1')), call())
      await until(
        () => sink.lines.at(-1)?.endsWith('/a=1') === true,
        () => sink.lines,
      )
      await link.close()
    })

    it('end when the driver is closed', async () => {
      const sink = recorder<Entry>(({ text }) => text)
      await driver.followKey('/a', sink).active
      await driver.close()
      await until(
        () => sink.lines.at(-1)?.startsWith('failed') === true,
        () => sink.lines,
      )
    })
  })

  describe('servers', () => {
    it('that are dead are passed over', async () => {
      const other = await drivers.open([NOWHERE, server.endpoint], { host: { clusterId } })
      expect(await other.read('/a', reading())).to.equal(undefined)
      expect(await other.commit(commitOf(await session(other), 1, write('/a', '1')), call())).to.include({
        committed: true,
      })
    })

    it('that cannot be reached have done nothing', async () => {
      const { link, far } = await apart()
      const id = await session(far)
      link.cut()
      // the first may meet the connection as it breaks
      await failureOf(far.read('/a', reading(500)))
      const error = await failureOf(far.commit(commitOf(id, 1, write('/a', '1')), call(500)))
      expect(error).to.include({ code: 'CONNECTION', effect: 'none', retriable: true })
      expect(await failureOf(drivers.open([NOWHERE]))).to.include({ code: 'CONNECTION', effect: 'none' })
      await link.close()
    })

    it('that are stopped let calls run out of time', async () => {
      const { link, far } = await apart()
      link.blackHole('both')
      expect(await failureOf(far.read('/a', reading(300)))).to.include({ code: 'TIMEOUT', effect: 'none' })
      await link.close()
    })

    it('are asked nothing once the driver is closed', async () => {
      await driver.close()
      expect(await failureOf(driver.read('/a', reading()))).to.include({ code: 'CLOSED', effect: 'none' })
    })
  })
})
