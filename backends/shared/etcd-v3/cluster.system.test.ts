import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { type Entry, isCoordinationError, Secret } from '../../../spi/index.ts'
import { type EtcdCluster, startEtcdCluster } from '../../../test-servers/etcd-cluster.ts'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'
import { adminOf } from './admin.fixture.ts'
import { call, commitOf, failureOf, reading, recorder, until, write } from '../driver-calls.fixture.ts'
import { Drivers } from './opened.fixture.ts'
import { SESSION_TTL_MS } from './promises.fixture.ts'

describe('the driver on three members', function () {
  this.timeout(60_000)
  const drivers = new Drivers()
  let cluster: EtcdCluster

  before(async function () {
    await provideOrSkip(this, ensureEtcd)
    cluster = await startEtcdCluster({ fsync: false })
  })
  afterEach(async () => {
    await drivers.close()
    for (const member of cluster.members) member.resume()
    await cluster.ready()
  })
  after(() => cluster.stop())

  it('reads, writes and follows although the member that it was on is stopped', async () => {
    const driver = await drivers.open(cluster.endpoints)
    const sink = recorder<Entry>(({ text }) => text)
    await driver.followKey('/a', sink).active
    cluster.members[0]?.pause()
    // if it led, the others elect a leader first
    expect(await repeated(() => driver.read('/a', reading(10_000)))).to.equal(undefined)
    const { id } = await repeated(() => driver.openSession(20_000, call(10_000)))
    expect(await driver.commit(commitOf(id, 1, write('/a', '1')), call(10_000))).to.include({ committed: true })
    await until(
      () => sink.lines.includes('/a=1'),
      () => sink.lines,
    )
  })

  it('does not hang on a member that has lost the others, and still reads what that one has', async () => {
    const [first, second, third] = cluster.members
    const driver = await drivers.open([first?.endpoint ?? ''])
    second?.pause()
    third?.pause()
    // it takes an election timeout to notice
    await delay(3000)
    expect(await failureOf(driver.read('/a', reading()))).to.include({ code: 'CONNECTION', effect: 'none' })
    expect((await driver.read('/a', reading(SESSION_TTL_MS, 'sequential')))?.text).to.equal('1')
    const error = await failureOf(driver.commit(commitOf('1', 1, write('/a', '2')), call()))
    expect(error).to.include({ code: 'CONNECTION', effect: 'none' })
  })
})

/** What may be done twice, as the base does it. */
async function repeated<T>(attempt: () => Promise<T>): Promise<T> {
  const end = performance.now() + 20_000
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const again = isCoordinationError(error, 'CONNECTION') || isCoordinationError(error, 'TIMEOUT')
      if (!again || performance.now() > end) throw error
    }
  }
}

describe('the driver on etcd with access control', function () {
  this.timeout(60_000)
  const drivers = new Drivers()
  const password = 'correct horse'
  const user = (name: string, secret = password) => ({ name, password: new Secret(secret) })
  let server: TestServer

  before(async function () {
    await provideOrSkip(this, ensureEtcd)
    server = await startEtcd({ fsync: false, flags: ['--auth-token-ttl', '1'] })
    const admin = adminOf([server])
    const { auth } = admin.etcd
    for (const name of ['root', 'broker', 'guest']) {
      await auth.userAdd({ name, password })
      await auth.roleAdd({ name })
      await auth.userGrantRole({ user: name, role: name })
    }
    const everything = { permType: 'Readwrite', key: Buffer.from('/'), range_end: Buffer.from('0') } as const
    await auth.roleGrantPermission({ name: 'broker', perm: everything })
    await auth.authEnable()
    admin.close()
  })
  afterEach(() => drivers.close())
  after(() => server.stop())

  it('says who was refused, without the password', async () => {
    const error = await failureOf(drivers.open([server.endpoint], { user: user('broker', 'battery staple') }))
    expect(error).to.include({ code: 'AUTHENTICATION', effect: 'none', retriable: false })
    expect(JSON.stringify(error) + String(error['stack']) + String(error['cause'])).to.not.include('battery')
    expect(await failureOf(drivers.open([server.endpoint]))).to.include({ code: 'AUTHENTICATION' })
    expect(await failureOf(drivers.open([server.endpoint], { user: user('guest') }))).to.include({
      code: 'AUTHORIZATION',
      effect: 'none',
    })
  })

  it('gets a new token when the server has forgotten the old one, for requests and for watches', async () => {
    const driver = await drivers.open([server.endpoint], { user: user('broker') })
    const sink = recorder<Entry>(({ text }) => text)
    await driver.followKey('/a', sink).active
    await delay(2500)
    const { id } = await driver.openSession(20_000, call())
    expect(await driver.commit(commitOf(id, 1, write('/a', '1')), call())).to.include({ committed: true })
    await delay(2500)
    expect(await driver.commit(commitOf(id, 2, write('/b', '1')), call())).to.include({ committed: true })
    const late = recorder<Entry>(({ text }) => text)
    await driver.followKey('/b', late).active
    await driver.commit(commitOf(id, 3, write('/b', '2')), call())
    await until(
      () => sink.lines.includes('/a=1') && late.lines.includes('/b=2'),
      () => [sink.lines, late.lines],
    )
    expect(await driver.renewSession(id, call())).to.include({ id })
  })
})
