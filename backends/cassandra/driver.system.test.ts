import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { openLink } from '../../conformance/kit/proxied-link.ts'
import { ensureCassandra, startCassandra, type CassandraCluster } from '../../test-servers/cassandra.ts'
import { provideOrSkip, type TestServer } from '../../test-servers/server.ts'
import type { Entry, PluginHost } from '../../spi/index.ts'
import type { Seat, Seated, StoreDriver } from '../shared/driver.ts'
import { call, commitOf, failureOf, reading, recorder, until, write } from '../shared/driver-calls.fixture.ts'
import { driverSuite, holder } from '../shared/driver-suite.ts'
import { type Admin, adminOf } from './admin.fixture.ts'
import { Drivers, propertiesOf } from './opened.fixture.ts'
import { PROMISES, SESSION_TTL_MS } from './promises.fixture.ts'

const SEAT: Seat = { kind: 'leader', service: 'controller' }
const PATIENCE_MS = 10_000

/** The driver leaves it to its caller to try again. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + PATIENCE_MS; ; ) {
    try {
      return await ask()
    } catch (error) {
      if (performance.now() > end) throw error
    }
    await delay(20)
  }
}

describe('the driver on a real Cassandra', function () {
  this.timeout(60_000)
  const drivers = new Drivers()
  let cluster: CassandraCluster
  let node: TestServer
  let admin: Admin
  let driver: StoreDriver
  let clusters = 0
  let clusterId: string

  const properties = (...endpoints: string[]) => propertiesOf(cluster, endpoints)

  before(async function () {
    await provideOrSkip(this, ensureCassandra)
    cluster = await startCassandra()
    const [first] = cluster.nodes
    if (first === undefined) throw new Error('a cluster without a node')
    node = first
    await drivers.open(properties(node.endpoint))
    admin = await adminOf(cluster, properties(node.endpoint))
  })
  beforeEach(async () => {
    clusters++
    clusterId = `cluster ${clusters}`
    driver = await drivers.open(properties(node.endpoint), { clusterId })
  })
  afterEach(() => drivers.close())
  after(async () => {
    await admin.close()
    await cluster.stop()
  })

  const session = async (of = driver, ttlMs = 60_000) => (await of.openSession(ttlMs, call(PATIENCE_MS))).id
  /** Another driver of the same cluster. */
  const another = (host: PluginHost = {}) => drivers.open(properties(node.endpoint), { clusterId, ...host })
  /** One with a network between it and the server. */
  const apart = async (host: PluginHost = {}) => {
    const link = await openLink([node.endpoint], () => 0.5)
    return { link, far: await drivers.open(properties(...link.endpoints), { clusterId, ...host }) }
  }
  const rowsOf = async (kind: string) => {
    const query = 'SELECT name FROM conformance.store WHERE cluster = ? AND kind = ?'
    const rows = await admin.execute(query, [clusterId, kind])
    return rows.map((row) => String(row['name']))
  }

  driverSuite(() => ({ driver, session, another }))

  it('promises what it is to promise', () => {
    expect(driver.capabilities).to.deep.equal(PROMISES)
  })

  describe('sessions', () => {
    it('last as long as was wished, and not shorter than is sound', async () => {
      expect((await driver.openSession(2001, call())).ttlMs).to.equal(2001)
      expect((await driver.openSession(1, call())).ttlMs).to.equal(500)
    })

    it('are renewed until they are ended, by whichever driver, and may be ended twice', async () => {
      const other = await another()
      const { id, ttlMs } = await driver.openSession(3000, call())
      expect(await driver.renewSession(id, call())).to.deep.equal({ id, ttlMs })
      expect(await other.renewSession(id, call())).to.deep.equal({ id, ttlMs })
      expect(await driver.renewSession(id, call())).to.deep.equal({ id, ttlMs })
      await other.endSession(id, call())
      await other.endSession(id, call())
      expect(await driver.renewSession(id, call())).to.equal(undefined)
      expect(await other.renewSession('unheard of', call())).to.equal(undefined)
    })

    it('of owners that fall silent are ended by others, with all that they hold', async () => {
      const other = await another()
      // nothing renews it after its opening
      const until = performance.now() + SESSION_TTL_MS
      const id = await session(driver, SESSION_TTL_MS)
      await driver.commit(commitOf(id, 1, write('/a', '1')), call())
      await driver.takeSeat(SEAT, holder('a', id), call())
      while ((await other.readSeat(SEAT, reading())) !== undefined) {
        if (performance.now() > until + PATIENCE_MS) throw new Error('nobody has ended it')
      }
      expect(performance.now()).to.be.at.least(until)
      expect(await driver.renewSession(id, call())).to.equal(undefined)
      expect([await rowsOf('session'), await rowsOf('mark')]).to.deep.equal([[], []])
    })

    it('that are renewed are left alone, whatever becomes of the beats that are shown', async () => {
      // it looks the more often, the shorter its own time is
      const other = await another({ sessionTimeoutMs: SESSION_TTL_MS })
      const id = await session(driver, SESSION_TTL_MS)
      await driver.takeSeat(SEAT, holder('a', id), call())
      const end = performance.now() + 3 * SESSION_TTL_MS
      while (performance.now() < end) {
        expect(await driver.renewSession(id, call())).to.not.equal(undefined)
        await admin.execute('DELETE FROM conformance.beat WHERE cluster = ?', [clusterId])
        expect((await other.readSeat(SEAT, reading()))?.session).to.equal(id)
      }
    })

    it('that were lost go when their driver opens another, before that one is used', async () => {
      const first = await session()
      await driver.takeSeat(SEAT, holder('a', first), call())
      const second = await session()
      expect(await driver.readSeat(SEAT, reading())).to.equal(undefined)
      expect(await driver.renewSession(first, call())).to.equal(undefined)
      expect(await rowsOf('session')).to.deep.equal([second])
    })

    it('are told to be alive by a late reply of an earlier renewal, and renewed once more', async () => {
      const { link, far } = await apart()
      const { id } = await far.openSession(60_000, call(PATIENCE_MS))
      link.holdReplies()
      expect(await failureOf(far.renewSession(id, call(500)))).to.include({ effect: 'unknown' })
      link.heal()
      expect(await far.renewSession(id, call(PATIENCE_MS))).to.include({ id })
      await link.close()
    })
  })

  describe('seats', () => {
    it('of one group are listed under their ids, odd ones too, however many, and no others', async () => {
      const id = await session()
      const ids = ['0', 'a/b', '%2F', '../x', '✓ 😀', "'()*", ...Array.from({ length: 150 }, (_, at) => `m${at}`)]
      const take = (group: string) => (member: string) =>
        driver.takeSeat(
          { kind: 'member', group, id: member },
          holder(member, id, `${group} ${member}`),
          call(PATIENCE_MS),
        )
      for (const group of ['g', 'g/h', 'g%2Fh']) await Promise.all(ids.map(take(group)))
      const members = await driver.readGroup('g/h', reading(PATIENCE_MS))
      expect([...members.keys()]).to.have.members(ids)
      expect([...members.values()].map(({ nonce }) => nonce)).to.have.members(ids.map((one) => `g/h ${one}`))
    })

    it('that a request without an answer asked for are not taken after it was found that they are not', async () => {
      const { link, far } = await apart()
      const { id } = await far.openSession(60_000, call(PATIENCE_MS))
      link.blackHole('to-server')
      expect(await failureOf(far.takeSeat(SEAT, holder('a', id), call(500)))).to.include({ code: 'TIMEOUT' })
      link.heal()
      expect(await far.readSeat(SEAT, reading(PATIENCE_MS))).to.equal(undefined)
      await driver.emptySeat(SEAT, 0n, call())
      expect(await driver.readSeat(SEAT, reading())).to.equal(undefined)
      await link.close()
    })

    it('with a row that nobody can read are an error, not an empty seat', async () => {
      await session()
      const query =
        "INSERT INTO conformance.store (cluster, kind, name, at) VALUES (?, 'leader', 'controller', 1) IF NOT EXISTS"
      await admin.execute(query, [clusterId])
      expect(await failureOf(driver.readSeat(SEAT, reading()))).to.include({ code: 'CORRUPTED' })
    })
  })

  describe('commits', () => {
    it('of drivers that write one key at once take place one after the other', async () => {
      const all = [driver, await another(), await another()]
      const ids = await Promise.all(all.map(async (one) => (await one.openSession(60_000, call(PATIENCE_MS))).id))
      for (let number = 1; number <= 5; number++) {
        const outcomes = await Promise.all(
          all.map((one, at) => {
            const place = { number, after: 0 }
            const commit = commitOf(ids[at] ?? '', place, write(`/once/${number}`, String(at), 'absent'))
            return one.commit({ ...commit, id: { ...commit.id, slot: number } }, call(PATIENCE_MS))
          }),
        )
        expect(outcomes.filter(({ committed }) => committed)).to.have.lengthOf(1)
      }
    })

    it('of as many operations as is promised, and of values as large, are taken', async () => {
      const id = await session()
      const { token } = await driver.takeSeat(SEAT, holder('a', id), call())
      const { transactions, limits } = driver.capabilities
      const count = transactions === false ? 0 : transactions.maxOps
      const changes = Array.from({ length: count }, (_, at) => write(`/k${at}`, 'x'.repeat(1000), 'absent'))
      const many = { ...commitOf(id, 1, ...changes), fence: { service: 'controller', token } }
      expect(await driver.commit(many, call(PATIENCE_MS))).to.include({ committed: true })
      const become = new Uint8Array(limits.maxValueBytes).fill(7)
      const large = commitOf(id, 2, { key: '/large', expect: 'anything', become })
      expect(await driver.commit(large, call(PATIENCE_MS))).to.include({ committed: true })
      expect((await driver.read('/large', reading(PATIENCE_MS)))?.bytes).to.deep.equal(become)
      const two = ['/x', '/y'].map((key) => ({ key, expect: 'anything', become }) as const)
      const error = await failureOf(driver.commit(commitOf(id, 3, ...two), call()))
      expect(error).to.include({ code: 'TOO_LARGE', effect: 'none' })
    })

    it('whose reply was lost are found out about', async () => {
      const { link, far } = await apart()
      const { id } = await far.openSession(60_000, call(PATIENCE_MS))
      const commit = commitOf(id, 1, write('/a', '1'))
      // after its read
      const lost = failureOf(far.commit(commit, call(PATIENCE_MS)))
      let entry: Entry | undefined
      link.delay(1500, 0, 'to-client')
      while (entry === undefined) entry = await driver.read('/a', reading())
      link.holdReplies()
      link.resetAll()
      const error = await lost
      link.heal()
      if (error['effect'] !== 'unknown') throw new Error(`it was not lost: ${JSON.stringify(error)}`)
      const outcome = await patiently(() => far.outcomeOf(commit, call(PATIENCE_MS)))
      if (outcome === 'never' || !outcome.committed) throw new Error('forgotten')
      expect(outcome.versions.get('/a')).to.equal(entry.version)
      await link.close()
    })

    it('that were declared to have no effect have none when they arrive late', async () => {
      const { link, far } = await apart()
      const id = await session()
      const commit = commitOf(id, 1, write('/a', '1'))
      link.delay(1500, 0, 'to-server')
      const late = far.commit(commit, call(PATIENCE_MS)).then(
        () => 'committed',
        () => 'refused',
      )
      expect(await driver.outcomeOf(commit, call())).to.equal('never')
      expect(await driver.outcomeOf(commit, call())).to.equal('never')
      expect(await late).to.equal('refused')
      expect(await driver.read('/a', reading())).to.equal(undefined)
      await link.close()
    })
  })

  describe('follows', () => {
    it('tell of commits in their order, of theirs only', async () => {
      const id = await session()
      const [one, keys] = [recorder<Entry>(({ text }) => text), recorder<Entry>(() => 'there')]
      const [leader, members] = [recorder<Seated>(({ nonce }) => nonce), recorder<Seated>(({ nonce }) => nonce)]
      await driver.commit(commitOf(id, 1, write('/a', '1')), call())
      const follow = driver.followKey('/a', one)
      await Promise.all([
        follow.active,
        driver.followNamespace('/a', keys).active,
        driver.followLeader('controller', leader).active,
        driver.followGroup('g', members).active,
      ])
      const step = (line: string, of: { readonly lines: readonly string[] }) =>
        until(
          () => of.lines.includes(line),
          () => of.lines,
        )
      await driver.commit(
        commitOf(id, 2, write('/a', '2'), write('/ab', ''), write('/a/b', ''), write('/a0', '')),
        call(),
      )
      await step('/a=2', one)
      await driver.commit(commitOf(id, 3, { key: '/a', expect: 'anything', become: 'absent' }), call())
      await step('/a=gone', one)
      await driver.takeSeat(SEAT, holder('x', id), call())
      await driver.takeSeat({ kind: 'leader', service: 'controller/2' }, holder('y', id), call())
      await driver.takeSeat({ kind: 'member', group: 'g', id: 'a/b' }, holder('m', id), call())
      await driver.takeSeat({ kind: 'member', group: 'g/h', id: 'n' }, holder('n', id), call())
      await step('a/b=m', members)
      await driver.endSession(id, call())
      await step('a/b=gone', members)
      await step('controller=gone', leader)
      expect(one.lines).to.deep.equal(['reset /a=1', '/a=2', '/a=gone'])
      expect(keys.lines).to.deep.equal(['reset', '/a/b=there'])
      expect(leader.lines).to.deep.equal(['reset', 'controller=x', 'controller=gone'])
      expect(members.lines).to.deep.equal(['reset', 'a/b=m', 'a/b=gone'])
    })

    it('catch up after a cut, also if what was changed is forgotten', async () => {
      const { link, far } = await apart()
      const id = await session()
      const sink = recorder<Entry>(({ text }) => text)
      await far.followKey('/a', sink).active
      link.cut()
      await driver.commit(commitOf(id, 1, write('/a', '1')), call())
      await driver.commit(commitOf(id, 2, write('/a', '2')), call())
      link.heal()
      await until(
        () => sink.lines.at(-1) === '/a=2',
        () => sink.lines,
      )
      link.cut()
      await driver.commit(commitOf(id, 3, write('/a', '3')), call())
      await admin.hooks.compact()
      await driver.commit(commitOf(id, 4, write('/b', '4')), call())
      link.heal()
      await until(
        () => sink.lines.at(-1) === 'reset /a=3',
        () => sink.lines,
      )
      await link.close()
    })
  })

  describe('a keyspace', () => {
    const elsewhere = (keyspace: string, others: Record<string, string> = {}) => ({
      ...properties(node.endpoint),
      'plugin.cassandra.keyspace': keyspace,
      ...others,
    })

    it('that is missing, and not to be created, is refused with what is to be run', async () => {
      const error = await failureOf(drivers.open(elsewhere('absent', { 'plugin.cassandra.replication': '' })))
      expect(error).to.include({ code: 'CONFIG', effect: 'none' })
      expect(error['message']).to.include('CREATE KEYSPACE').and.include('CREATE TABLE IF NOT EXISTS "absent".store')
    })

    it('and its tables are created as its name is written', async () => {
      await drivers.open(elsewhere('Mixed_Case'))
      const rows = await admin.execute(`SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'Mixed_Case'`)
      expect(rows.map((row) => String(row['table_name']))).to.have.members(['store', 'session', 'beat'])
    })

    it('is made by many that start at once, and all of them can use it', async () => {
      const all = await Promise.all(Array.from({ length: 6 }, () => drivers.open(elsewhere('at_once'), { clusterId })))
      const ids = await Promise.all(all.map((one) => session(one)))
      const outcomes = await Promise.all(
        all.map((one, at) => one.commit(commitOf(ids[at] ?? '', 1, write(`/${at}`, 'x')), call(PATIENCE_MS))),
      )
      expect(outcomes.filter(({ committed }) => committed)).to.have.lengthOf(6)
    })

    it('of another data center is refused', async () => {
      const wrong = { 'plugin.cassandra.local.datacenter': 'moon' }
      expect(await failureOf(drivers.open(elsewhere('conformance', wrong)))).to.include({ code: 'CONFIG' })
    })
  })

  it('asks nothing once it is closed', async () => {
    await driver.close()
    expect(await failureOf(driver.read('/a', reading()))).to.include({ code: 'CLOSED', effect: 'none' })
    expect(await failureOf(driver.openSession(1000, call()))).to.include({ code: 'CLOSED', effect: 'none' })
  })

  it('says that nobody is there where nobody is', async () => {
    const error = await failureOf(drivers.open(properties('127.0.0.1:1')))
    expect(error).to.include({ code: 'CONNECTION', effect: 'none' })
  })

  it('finds its servers again over a network on which connecting takes longer than a session', async () => {
    const { link, far } = await apart({ sessionTimeoutMs: SESSION_TTL_MS })
    const { id } = await far.openSession(60_000, call(PATIENCE_MS))
    link.delay(200, 0)
    link.resetAll()
    await patiently(() => far.commit(commitOf(id, { number: 1, after: 0 }, write('/a', '1')), call(PATIENCE_MS)))
    await link.close()
  })

  it('follows on over a restart of the server', async () => {
    const sink = recorder<Entry>(({ text }) => text)
    const id = await session()
    await driver.followKey('/a', sink).active
    await node.kill()
    await node.restart()
    await patiently(() => driver.commit(commitOf(id, 1, write('/a', '1')), call()))
    await until(
      () => sink.lines.includes('/a=1'),
      () => sink.lines,
    )
  })
})
