/**
 * What KIP-30's own plugin for Cassandra (riptano/kafka-cassandra-plugin) did wrong, as its source shows, each as a
 * test of this one through the SPI.
 */
import { expect } from 'chai'
import { openLink } from '../../conformance/kit/proxied-link.ts'
import { type CassandraCluster, ensureCassandra, startCassandra } from '../../test-servers/cassandra.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import { isCoordinationError, type Leadership, type PluginLocator, silentLogger } from '../../spi/index.ts'
import { until } from '../shared/driver-calls.fixture.ts'
import { type Admin, adminOf } from './admin.fixture.ts'
import { CassandraPluginLocator } from './index.ts'
import { propertiesOf } from './opened.fixture.ts'

const SERVICE = 'controller'
const PATIENCE_MS = 20_000
/** As in the suite with three nodes: they are slow where much else is done. */
const SESSION_TTL_MS = 4000
/** For calls whose time is not the subject. */
const PATIENT = { timeoutMs: PATIENCE_MS }

type Properties = Readonly<Record<string, string>>

/** Of one service: who was told to lead, and who to lead no more. */
function recorded() {
  const terms: Leadership[] = []
  const lines: string[] = []
  return {
    terms,
    lines,
    onLeaderChange: (leader: string | undefined) => void lines.push(`leader ${leader ?? 'none'}`),
    onElected(term: Leadership) {
      terms.push(term)
      lines.push('elected')
    },
    onLeadershipLost: (_term: Leadership, reason: string) => void lines.push(`lost: ${reason}`),
  }
}

describe('what the original plugin did wrong', function () {
  this.timeout(90_000)
  const started: PluginLocator[] = []
  let cluster: CassandraCluster
  let admin: Admin
  let clusters = 0
  let clusterId: string

  const endpoints = () => cluster.nodes.map(({ endpoint }) => endpoint)
  const start = async (properties: Properties = propertiesOf(cluster, endpoints())) => {
    const locator = new CassandraPluginLocator()
    const host = { clusterId, config: properties, sessionTimeoutMs: SESSION_TTL_MS, logger: silentLogger }
    await locator.startup('', host, PATIENT)
    started.push(locator)
    return locator
  }
  const reads = (condition: () => boolean, shown: () => unknown) => until(condition, shown, PATIENCE_MS)

  before(async function () {
    await provideOrSkip(this, ensureCassandra)
    cluster = await startCassandra({ nodes: 3, clockAheadMs: [0, 0, 0] })
    await start()
    admin = await adminOf(cluster, propertiesOf(cluster, endpoints()))
  })
  beforeEach(() => {
    clusters++
    clusterId = `cluster ${clusters}`
  })
  afterEach(async () => {
    await Promise.all(started.splice(0).map((locator) => locator.shutdown()))
  })
  after(async () => {
    await admin.close()
    await cluster.stop()
  })

  it('it ignored that its renewal was not applied: a leader that was deposed went on', async () => {
    const election = (await start()).getLeaderElection(SERVICE)
    const told = recorded()
    await election.addListener(told, PATIENT)
    await election.nominate('a', PATIENT)
    const [term] = told.terms
    await admin.hooks.removeLeader(clusterId, SERVICE)
    await reads(
      () => told.lines.includes('lost: evicted'),
      () => told.lines,
    )
    expect(term?.held).to.equal(false)
  })

  it('it renewed nothing and told nobody any more after one exception, also one of a listener', async () => {
    const locator = await start()
    const [registry, storage] = [locator.getListenerRegistry(), locator.getStorage()]
    const told: string[] = []
    await registry.addValueChangeListener('/a', {
      valueChanged: () => {
        throw new Error('of a listener')
      },
    })
    await registry.addValueChangeListener('/a', { valueChanged: (text) => void told.push(text ?? 'gone') })
    await locator.getLeaderElection(SERVICE).nominate('a', PATIENT)
    const { deadline } = locator.session
    const version = await storage.put('/a', '1', PATIENT)
    await reads(
      () => told.includes('1'),
      () => told,
    )
    await storage.update('/a', '2', { ...PATIENT, ifVersion: version })
    await reads(
      () => told.includes('2') && locator.session.deadline > deadline + SESSION_TTL_MS,
      () => [told, locator.session.deadline],
    )
    expect(locator.getLeaderElection(SERVICE).leadership('a')?.held).to.equal(true)
  })

  it('it went on to be a candidate when it had resigned, and led again at once', async () => {
    const [a, b] = [await start(), await start()]
    await a.getLeaderElection(SERVICE).nominate('a', PATIENT)
    await a.getLeaderElection(SERVICE).resign('a', PATIENT)
    expect(await b.getLeaderElection(SERVICE).getLeader(PATIENT)).to.equal(undefined)
    expect(await b.getLeaderElection(SERVICE).nominate('b', PATIENT)).to.equal(true)
    expect(a.getLeaderElection(SERVICE).leadership('a')).to.equal(undefined)
  })

  it('it took the leader of an earlier process for itself, by the id, and never renewed that', async () => {
    const link = await openLink(endpoints(), () => 0.5)
    const before = await start(propertiesOf(cluster, link.endpoints))
    expect(await before.getLeaderElection(SERVICE).nominate('a', PATIENT)).to.equal(true)
    const first = await before.getLeaderElection(SERVICE).leader(PATIENT)
    const now = await start()
    expect(await now.getLeaderElection(SERVICE).nominate('a', PATIENT)).to.equal(false)
    link.blackHole('both')
    const term = await now.getLeaderElection(SERVICE).awaitLeadership('a', PATIENT)
    expect(term.token > (first?.token ?? 0n)).to.equal(true)
    expect(before.getLeaderElection(SERVICE).leadership('a')).to.equal(undefined)
    link.heal()
    await link.close()
  })

  it('it missed what happened between two looks: its own leadership that ended and began again', async () => {
    const [a, b] = [(await start()).getLeaderElection(SERVICE), (await start()).getLeaderElection(SERVICE)]
    const told = recorded()
    await a.addListener(told, PATIENT)
    for (let round = 0; round < 2; round++) {
      expect(await a.nominate('a', PATIENT)).to.equal(true)
      await a.resign('a', PATIENT)
      expect(await b.nominate('b', PATIENT)).to.equal(true)
      await b.resign('b', PATIENT)
    }
    await reads(
      () => told.terms.length === 2,
      () => told.lines,
    )
    const [first, second] = told.terms
    expect((second?.token ?? 0n) > (first?.token ?? 0n)).to.equal(true)
  })

  it('it had no deadline of its own: who was cut off believed to lead beside its successor', async () => {
    const link = await openLink(endpoints(), () => 0.5)
    const [far, near] = [await start(propertiesOf(cluster, link.endpoints)), await start()]
    await far.getLeaderElection(SERVICE).nominate('far', PATIENT)
    const term = await far.getLeaderElection(SERVICE).awaitLeadership('far')
    let heldThen: boolean | undefined
    await near.getLeaderElection(SERVICE).addListener({
      onLeaderChange: () => undefined,
      onElected: () => void (heldThen ??= term.held),
    })
    await near.getLeaderElection(SERVICE).nominate('near', PATIENT)
    link.blackHole('both')
    await reads(
      () => heldThen !== undefined,
      () => heldThen,
    )
    expect(heldThen).to.equal(false)
    link.heal()
    await link.close()
  })

  it('it looked for a member under the name of the group: nobody could join, and left a row behind', async () => {
    const [a, b] = [(await start()).getGroupMembership('brokers'), (await start()).getGroupMembership('brokers')]
    await a.join('1', 'first', PATIENT)
    const error: unknown = await b.join('1', 'second', PATIENT).catch((reason: unknown) => reason)
    expect(isCoordinationError(error, 'MEMBER_EXISTS')).to.equal(true)
    expect([...(await b.membership(PATIENT))]).to.deep.equal([['1', 'first']])
  })

  it('it kept only one member of a client alive', async () => {
    const locator = await start()
    const group = locator.getGroupMembership('brokers')
    const first = await group.join('1', '', PATIENT)
    const second = await group.join('2', '', PATIENT)
    const { deadline } = locator.session
    await reads(
      () => locator.session.deadline > deadline + SESSION_TTL_MS,
      () => locator.session.deadline,
    )
    expect([...(await (await start()).getGroupMembership('brokers').membershipList(PATIENT))].sort()).to.deep.equal([
      '1',
      '2',
    ])
    expect([first.signal.aborted, second.signal.aborted]).to.deep.equal([false, false])
  })

  it('it gave nothing back when it was closed', async () => {
    const [a, b] = [await start(), await start()]
    await a.getGroupMembership('brokers').join('1', '', PATIENT)
    await a.getLeaderElection(SERVICE).nominate('a', PATIENT)
    await a.shutdown()
    expect((await b.getGroupMembership('brokers').membershipList(PATIENT)).size).to.equal(0)
    expect(await b.getLeaderElection(SERVICE).getLeader(PATIENT)).to.equal(undefined)
  })

  it('it put names into its statements as they were', async () => {
    const locator = await start()
    const name = `'; DROP TABLE conformance.store; -- "`
    await locator.getGroupMembership(name).join(name, name, PATIENT)
    await locator.getStorage().put(`/${name}`, name, PATIENT)
    expect([...(await locator.getGroupMembership(name).membership(PATIENT))]).to.deep.equal([[name, name]])
    expect(await locator.getStorage().fetch(`/${name}`, PATIENT)).to.equal(name)
  })

  it('it let a server whose clock is ahead end what was renewed in time', async () => {
    const leader = await start()
    await leader.getLeaderElection(SERVICE).nominate('a', PATIENT)
    const term = await leader.getLeaderElection(SERVICE).awaitLeadership('a')
    const other = await start()
    expect(await other.getLeaderElection(SERVICE).nominate('b', PATIENT)).to.equal(false)
    for (const aheadMs of [1500, 5000, 0]) {
      for (const index of [1, 2]) cluster.setClockAhead(index, aheadMs)
      const { deadline } = leader.session
      await reads(
        () => leader.session.deadline > deadline + SESSION_TTL_MS || term.signal.aborted,
        () => leader.session.state,
      )
      expect(term.held).to.equal(true)
    }
    expect((await other.getLeaderElection(SERVICE).leader(PATIENT))?.token).to.equal(term.token)
  })
})
