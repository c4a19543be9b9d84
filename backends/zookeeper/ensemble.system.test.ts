/** What only three servers can show, and what node-zookeeper-client would not stand. */
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { silentLogger, systemClock } from '../../spi/index.ts'
import { provideOrSkip, type TestServer } from '../../test-servers/server.ts'
import { modeOf } from '../../test-servers/zookeeper-ready.ts'
import { ensureZooKeeper, startZooKeeper, type ZooKeeperEnsemble } from '../../test-servers/zookeeper.ts'
import { bytes, call, commitOf, failureOf, reading, write } from '../shared/driver-calls.fixture.ts'
import { SESSION_TTL_MS } from './harness.fixture.ts'
import { ZooKeeperPluginLocator } from './index.ts'
import { Drivers } from './opened.fixture.ts'

/** Time for another server to be found by a machine that is busy. */
const LONG_TTL_MS = 6000

describe('the driver on three real ZooKeeper servers', function () {
  this.timeout(40_000)
  const drivers = new Drivers()
  const locators: ZooKeeperPluginLocator[] = []
  let ensemble: ZooKeeperEnsemble
  let clusters = 0
  let clusterId: string
  let leader: TestServer
  let followers: readonly TestServer[]

  before(async function () {
    await provideOrSkip(this, ensureZooKeeper)
    ensemble = await startZooKeeper({ servers: 3 })
  })
  beforeEach(async () => {
    clusters++
    clusterId = `cluster ${clusters}`
    await ensemble.ready()
    const modes = await Promise.all(ensemble.servers.map(({ endpoint }) => modeOf(endpoint)))
    const first = ensemble.servers[modes.indexOf('leader')]
    if (first === undefined) throw new Error('nobody leads')
    leader = first
    followers = ensemble.servers.filter((server) => server !== leader)
  })
  afterEach(async () => {
    for (const server of ensemble.servers) server.resume()
    await drivers.close()
    await Promise.all(locators.splice(0).map((locator) => locator.shutdown()))
  })
  after(() => ensemble.stop())

  const open = (...servers: readonly (TestServer | undefined)[]) =>
    drivers.open(
      servers.flatMap((server) => server?.endpoint ?? []),
      { host: { clusterId } },
    )
  const started = async (servers: readonly (TestServer | undefined)[], sessionTimeoutMs = SESSION_TTL_MS) => {
    const locator = new ZooKeeperPluginLocator()
    locators.push(locator)
    const connectString = servers.map((server) => server?.endpoint).join(',')
    const config = { 'plugin.zookeeper.connect': connectString }
    const host = { clusterId, config, logger: silentLogger, sessionTimeoutMs, random: () => 0 }
    await locator.startup('', host, { timeoutMs: 10_000 })
    return locator
  }

  it('gets by a server that accepts and is then silent', async () => {
    const [first, second] = followers
    first?.pause()
    const driver = await open(first, second, leader)
    expect(await driver.read('/a', reading())).to.equal(undefined)
  })

  it('leaves a server that falls silent, and keeps its session', async () => {
    const [first, second] = followers
    const locator = await started([first, second, leader], LONG_TTL_MS)
    const { id } = locator.session
    let lost = 0
    locator.session.addListener({ onLost: () => lost++ })
    const election = locator.getLeaderElection('controller')
    await election.nominate('a')
    const leadership = await election.awaitLeadership('a')
    first?.pause()
    const until = performance.now() + 1.5 * LONG_TTL_MS
    while (performance.now() < until) {
      await locator.getStorage().fetch('/a', { timeoutMs: 5000 })
      await delay(50)
    }
    expect({ lost, id: locator.session.id, held: leadership.held }).to.deep.equal({ lost: 0, id, held: true })
  })

  it('knows that a session is over as soon as a stalled event loop goes on', async () => {
    const locator = await started(ensemble.servers)
    expect(locator.session.deadline).to.be.greaterThan(systemClock.now())
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SESSION_TTL_MS)
    expect(locator.session.state).to.equal('lost')
  })

  it('takes no word of a server that is cut off from the others, though it answers', async () => {
    const [first, second] = followers
    const driver = await open(first)
    const { id } = await driver.openSession(SESSION_TTL_MS, call())
    // long: nothing else is under way on its connection, behind which a look would wait
    const { id: quiet } = await driver.openSession(20_000, call())
    leader.pause()
    second?.pause()
    expect(await answers(first)).to.equal(true)
    const seat = { kind: 'leader', service: 'controller' } as const
    const failures = await Promise.all([
      failureOf(driver.renewSession(id, call(400))),
      failureOf(driver.read('/a', reading(400))),
      // what they would be refused for may be long past
      failureOf(driver.commit(commitOf(quiet, 1, write('/a', 'x', 'present')), call(400))),
      failureOf(driver.amendSeat(seat, 1n, bytes('x'), call(400))),
    ])
    // when it gives up the others by itself it ends the connection
    for (const { code, effect } of failures) {
      expect(code).to.be.oneOf(['TIMEOUT', 'CONNECTION'])
      expect(effect).to.equal('none')
    }
  })

  it('reads linearizably and at one moment from servers that others do not write to', async () => {
    const writer = await open(followers[0])
    const reader = await open(followers[1])
    const { id } = await writer.openSession(SESSION_TTL_MS, call())
    const { id: readers } = await reader.openSession(SESSION_TTL_MS, call())
    const wrong = { expect: 'absent', become: 'unchanged' } as const
    let acknowledged = 0
    const torn: string[] = []
    const count = 150
    const writing = async () => {
      for (let number = 1; number <= count; number++) {
        const text = String(number)
        await writer.commit(commitOf(id, number, write('/a', text), write('/b', text)), call())
        acknowledged = number
      }
    }
    const looking = async () => {
      while (acknowledged < count) {
        const before = acknowledged
        const read = Number((await reader.read('/a', reading()))?.text ?? 0)
        if (read < before) torn.push(`read ${read} after ${before}`)
        const look = commitOf(readers, { number: 1, after: 0 }, { key: '/a', ...wrong }, { key: '/b', ...wrong })
        const outcome = before > 0 ? await reader.commit(look, call()) : undefined
        if (outcome === undefined || outcome.committed) continue
        const [a, b] = ['/a', '/b'].map((key) => outcome.found.get(key)?.text)
        if (a !== b || Number(a) < before) torn.push(`a ${a}, b ${b} after ${before}`)
      }
    }
    await Promise.all([writing(), looking()])
    expect(torn).to.deep.equal([])
  })

  it('goes on with the same token and tells of no change when the leading server dies', async () => {
    const driver = await open(followers[0], followers[1], leader)
    const { id } = await driver.openSession(10_000, call())
    const seat = { kind: 'leader', service: 'controller' } as const
    const seated = await driver.takeSeat(seat, { id: 'a', session: id, nonce: 'n', data: bytes('d') }, call())
    await leader.kill()
    let found
    for (let left = 100; left > 0 && found === undefined; left--) {
      found = await driver.readSeat(seat, reading(1000)).catch(() => delay(100))
    }
    expect(found).to.deep.equal(seated)
    await leader.restart()
  })
})

/** Whether a server accepts connections. */
function answers(server: TestServer | undefined): Promise<boolean> {
  const [host = '', port] = (server?.endpoint ?? '').split(':')
  return new Promise((resolve) => {
    const socket = connect(Number(port), host, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
