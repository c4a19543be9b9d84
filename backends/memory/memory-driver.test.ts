import { expect } from 'chai'
import { type PluginContext, pluginContext, silentLogger, toBytes } from '../../spi/index.ts'
import type { Commit, KeyChange, Seat } from '../shared/driver.ts'
import { driverSuite } from '../shared/driver-suite.ts'
import { DirectAccess } from './access.ts'
import { MemoryDriver } from './memory-driver.ts'
import { Store } from './store.ts'
import { StoreHost } from './store-host.ts'
import { makeManualClock } from './manual-clock.fixture.ts'

const CALL = { signal: new AbortController().signal, timeoutMs: 1_000 }
const READ = { ...CALL, consistency: 'linearizable' as const }
const LEADER: Seat = { kind: 'leader', service: 'controller' }

function makeDrivers(context: PluginContext = pluginContext({ logger: silentLogger })) {
  const host = new StoreHost(new Store())
  return () => new MemoryDriver(new DirectAccess(host, context.clock), context)
}

function commitOf(session: string, number: number, changes: readonly KeyChange[], fence?: Commit['fence']): Commit {
  return { id: { session, slot: 0, number, after: number - 1 }, changes, fence }
}

const put = (key: string, text: string): KeyChange => ({ key, expect: 'absent', become: toBytes(text) })

describe('the driver of the reference store', () => {
  let another: () => MemoryDriver
  let driver: MemoryDriver
  beforeEach(() => {
    another = makeDrivers()
    driver = another()
  })
  driverSuite(() => ({
    driver,
    another: () => Promise.resolve(another()),
    session: async (of = driver) => (await of.openSession(60_000, CALL)).id,
  }))

  it('lets two drivers of one store meet, and two clusters not', async () => {
    const host = new StoreHost(new Store())
    const driver = (clusterId: string) => {
      const context = pluginContext({ clusterId })
      return new MemoryDriver(new DirectAccess(host, context.clock), context)
    }
    const [a, b, other] = [driver('x'), driver('x'), driver('y')]
    const { id } = await a.openSession(1_000, CALL)
    const outcome = await a.commit(commitOf(id, 1, [put('/k', 'v')]), CALL)
    const entry = await b.read('/k', READ)
    expect(entry?.text).to.equal('v')
    expect(outcome.committed && outcome.versions.get('/k')).to.equal(entry?.version)
    expect(await other.read('/k', READ)).to.equal(undefined)
    await a.endSession(id, CALL)
  })

  it('ends a session when its time is over by the clock of its client, and empties its seats', async () => {
    const clock = makeManualClock()
    const makeDriver = makeDrivers(pluginContext({ clock }))
    const [a, b] = [makeDriver(), makeDriver()]
    const { id: session } = await a.openSession(1_000, CALL)
    const seated = await a.takeSeat(LEADER, { id: '1', session, nonce: 'n', data: toBytes('') }, CALL)
    clock.advance(900)
    expect(await a.renewSession(session, CALL)).to.deep.equal({ id: session, ttlMs: 1_000 })
    clock.advance(999)
    expect(await b.readSeat(LEADER, READ)).to.deep.equal(seated)
    clock.advance(1)
    expect(await b.readSeat(LEADER, READ)).to.equal(undefined)
    expect(await a.renewSession(session, CALL)).to.equal(undefined)
  })

  it('follows a group: all there is, then each change, until closed', async () => {
    const makeDriver = makeDrivers()
    const [a, b] = [makeDriver(), makeDriver()]
    const { id: session } = await a.openSession(60_000, CALL)
    const sit = (id: string) =>
      a.takeSeat({ kind: 'member', group: 'g', id }, { id, session, nonce: id, data: toBytes(id) }, CALL)
    await sit('1')
    const told: unknown[] = []
    const follow = b.followGroup('g', {
      reset: (all) => told.push([...all.keys()]),
      changed: (changes) => told.push([...changes].map(([id, seated]) => [id, seated?.nonce])),
      failed: (error) => told.push(error),
    })
    await follow.active
    const second = await sit('2')
    await a.emptySeat({ kind: 'member', group: 'g', id: '2' }, second.token, CALL)
    await a.endSession(session, CALL)
    follow.close()
    await b.close()
    expect(told).to.deep.equal([['1'], [['2', '2']], [['2', undefined]], [['1', undefined]]])
  })

  it('scans pages of one moment while keys come and go', async () => {
    const driver = makeDrivers()()
    const { id } = await driver.openSession(60_000, CALL)
    let number = 0
    const change = (changes: readonly KeyChange[]) => driver.commit(commitOf(id, ++number, changes), CALL)
    for (const name of ['a', 'b', 'c', 'd']) await change([put(`/${name}`, name)])
    const range = { from: '/', to: '0', limit: 2, keysOnly: false }
    const first = await driver.scan({ ...range, at: undefined }, READ)
    await change([
      { key: '/c', expect: 'present', become: 'absent' },
      put('/bb', 'new'),
      { key: '/d', expect: 'present', become: toBytes('changed') },
    ])
    const rest = await driver.scan({ ...range, from: '/b\0', at: first.at }, READ)
    expect([...first.entries, ...rest.entries].map(({ text }) => text)).to.deep.equal(['a', 'b', 'c', 'd'])
    expect([first.more, rest.more]).to.deep.equal([true, false])
    await driver.endSession(id, CALL)
  })

  it('refuses a commit with what stood in its way, and one without its fence', async () => {
    const driver = makeDrivers()()
    const { id: session } = await driver.openSession(60_000, CALL)
    await driver.commit(commitOf(session, 1, [put('/k', 'v')]), CALL)
    const again = await driver.commit(commitOf(session, 2, [put('/k', 'w'), put('/l', 'w')]), CALL)
    expect(again.committed).to.equal(false)
    expect(!again.committed && [...again.found].map(([key, entry]) => [key, entry?.text])).to.deep.equal([
      ['/k', 'v'],
      ['/l', undefined],
    ])
    const { token } = await driver.takeSeat(LEADER, { id: '1', session, nonce: 'n', data: toBytes('') }, CALL)
    const fence = (of: bigint) => ({ service: 'controller', token: of })
    const stale = await driver.commit(commitOf(session, 3, [put('/m', '')], fence(token - 1n)), CALL)
    expect(stale).to.deep.include({ committed: false, token })
    const fresh = await driver.commit(commitOf(session, 4, [put('/m', '')], fence(token)), CALL)
    expect(fresh.committed).to.equal(true)
    await driver.endSession(session, CALL)
  })

  it('keeps no buffer of the caller, and gives none of its own', async () => {
    const driver = makeDrivers()()
    const { id } = await driver.openSession(60_000, CALL)
    const mine = new Uint8Array([1])
    await driver.commit(commitOf(id, 1, [{ key: '/k', expect: 'anything', become: mine }]), CALL)
    mine[0] = 2
    const first = await driver.read('/k', READ)
    expect(first?.bytes).to.deep.equal(new Uint8Array([1]))
    first!.bytes[0] = 3
    expect((await driver.read('/k', READ))?.bytes).to.deep.equal(new Uint8Array([1]))
    await driver.endSession(id, CALL)
  })

  it('sends nothing once the call is given up or the driver closed', async () => {
    const driver = makeDrivers()()
    const { id } = await driver.openSession(60_000, CALL)
    const given = { signal: AbortSignal.abort(), timeoutMs: 1 }
    const failure = await driver.commit(commitOf(id, 1, [put('/k', 'v')]), given).catch((error: unknown) => error)
    expect(failure).to.include({ effect: 'none' })
    expect(await driver.read('/k', READ)).to.equal(undefined)
    await driver.endSession(id, CALL)
    await driver.close()
    expect(await driver.read('/k', READ).catch((error: unknown) => error)).to.include({ code: 'CLOSED' })
  })
})
