import { expect } from 'chai'
import { type FakeClient, inTime, makeClient, makeStore, T } from './fake-client.fixture.ts'
import type { FakeStore } from './fake-store.fixture.ts'

const ofId = (id: string) => `member/g/${id}`
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )
const own = (client: FakeClient) => client.events.filter((event) => / lost | rejoined /.test(event))

async function join(store: FakeStore, client: FakeClient, id: string, options = {}) {
  return inTime(store, client.group.join(id, 'data', options))
}

describe('GroupClient', () => {
  it('joins, shows all members, and leaves', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    const one = await join(store, a, '1')
    const two = await join(store, b, '2')
    expect([...(await inTime(store, a.group.membership()))]).to.deep.equal([
      ['1', 'data'],
      ['2', 'data'],
    ])
    expect((await inTime(store, b.group.members())).get('1')).to.include({ id: '1', epoch: one.epoch })
    await inTime(store, b.group.leave('2'))
    expect(two.signal.aborted).to.equal(true)
    await store.world.pass(10)
    expect(a.events).to.deep.equal(['group 1', 'group 1,2', 'group 1'])
    expect(own(b)).to.deep.equal([`2 lost ${two.epoch} resigned`])
    await inTime(store, b.group.leave('2'))
    await inTime(store, b.group.leave('1'))
    expect(store.seats.has(ofId('1'))).to.equal(true)
  })

  it('refuses an id that a session holds, also its own', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    const held = await join(store, a, '1')
    expect(await failure(join(store, b, '1'))).to.include({ code: 'MEMBER_EXISTS', effect: 'none' })
    expect(await failure(join(store, a, '1'))).to.include({ code: 'MEMBER_EXISTS', effect: 'none' })
    await store.world.pass(5 * T)
    expect(held.signal.aborted).to.equal(false)
    expect(store.seats.get(ofId('1'))?.token).to.equal(held.epoch)
    await inTime(store, a.group.leave('1'))
    expect((await join(store, b, '1')).epoch > held.epoch).to.equal(true)
  })

  it('gives one id to one of many', async () => {
    const store = makeStore()
    const clients = []
    for (let n = 0; n < 8; n++) clients.push(await makeClient(store))
    const outcomes = await inTime(store, Promise.all(clients.map((one) => failure(one.group.join('1', '')))))
    expect(outcomes.filter((error) => error === undefined)).to.have.length(1)
  })

  for (const fault of ['lost-reply', 'reset', 'refused', 'lost-request'] as const) {
    it(`joins although the first attempt meets: ${fault}`, async () => {
      const store = makeStore()
      const a = await makeClient(store)
      let faults = 0
      a.driver.fault = (op) => (op === 'takeSeat' && faults++ === 0 ? fault : 'none')
      const membership = await join(store, a, '1')
      expect(store.seats.get(ofId('1'))?.token).to.equal(membership.epoch)
      await store.world.pass(5 * T)
      expect(own(a)).to.deep.equal([])
      expect(membership.signal.aborted).to.equal(false)
    })
  }

  it('empties what a late request takes after the member has left', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    let faults = 0
    a.driver.fault = (op) => (op === 'takeSeat' && faults++ === 0 ? 'late' : 'none')
    await join(store, a, '1')
    await inTime(store, a.group.leave('1'))
    store.deliverLate()
    expect(store.seats.has(ofId('1'))).to.equal(true)
    await store.world.pass(10)
    expect(store.seats.has(ofId('1'))).to.equal(false)
  })

  it('undoes a join that was given up while its reply was on the way', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.driver.fault = (op) => (op === 'takeSeat' ? 'lost-reply' : 'none')
    const abort = new AbortController()
    const joining = failure(a.group.join('1', '', { signal: abort.signal }))
    await store.world.pass(5)
    expect(store.seats.has(ofId('1'))).to.equal(true)
    abort.abort(new Error('enough'))
    expect(await inTime(store, joining, 0)).to.include({ message: 'enough' })
    await store.world.pass(10)
    expect(store.seats.has(ofId('1'))).to.equal(false)
    a.driver.fault = () => 'none'
    await join(store, a, '1')
    expect(own(a)).to.deep.equal([])
  })

  it('says TIMEOUT when the store does not answer, and takes the id of nobody later', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.driver.fault = (op) => (op === 'takeSeat' ? 'late' : 'none')
    const error = await inTime(store, failure(a.group.join('1', '', { timeoutMs: 300 })))
    expect(error).to.include({ code: 'TIMEOUT' })
    store.deliverLate()
    await store.world.pass(10)
    expect(store.seats.has(ofId('1'))).to.equal(false)
  })

  it('is not refused its own ghost', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.driver.fault = (op) => (op === 'takeSeat' ? 'lost-reply' : op === 'emptySeat' ? 'lost-request' : 'none')
    a.driver.deafen()
    await inTime(store, failure(a.group.join('1', '', { timeoutMs: 100 })))
    expect(store.seats.has(ofId('1'))).to.equal(true)
    a.driver.fault = () => 'none'
    const membership = await join(store, a, '1')
    expect(membership.signal.aborted).to.equal(false)
    await store.world.pass(T)
    expect(store.seats.get(ofId('1'))?.token).to.equal(membership.epoch)
  })

  it('is not refused what a late request of its own has taken', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    let faults = 0
    a.driver.fault = (op) => (op === 'takeSeat' && faults++ === 0 ? 'late' : 'none')
    await join(store, a, '1')
    await inTime(store, a.group.leave('1'))
    await store.world.pass(5)
    a.driver.deafen()
    store.deliverLate()
    const membership = await join(store, a, '1')
    expect(store.seats.get(ofId('1'))?.token).to.equal(membership.epoch)
  })

  it('waits for the holder, and joins when it is gone', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await join(store, a, '1')
    const waiting = b.group.join('1', '', { onConflict: 'wait' })
    await store.world.pass(3 * T)
    a.driver.cut()
    const joined = await inTime(store, waiting, T + 10)
    expect(store.seats.get(ofId('1'))?.token).to.equal(joined.epoch)
    expect(own(a)[0]).to.match(/^1 lost 1 deadline/)
  })

  it('leaves nothing of a wait that was aborted', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await join(store, a, '1')
    const abort = new AbortController()
    const waiting = failure(b.group.join('1', '', { onConflict: 'wait', signal: abort.signal }))
    await store.world.pass(10)
    abort.abort(new Error('enough'))
    expect(await inTime(store, waiting)).to.include({ message: 'enough' })
    await inTime(store, a.group.leave('1'))
    await store.world.pass(T)
    expect(store.seats.size).to.equal(0)
  })

  it('takes over: the old one is evicted, waits its turn, and removes nothing of the new', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    const old = await join(store, a, '1')
    const taken = await join(store, b, '1', { onConflict: 'takeover' })
    await store.world.pass(3 * T)
    expect(old.signal.aborted).to.equal(true)
    expect(own(a)).to.deep.equal([`1 lost ${old.epoch} evicted`])
    expect(taken.signal.aborted).to.equal(false)
    await inTime(store, Promise.resolve(old[Symbol.asyncDispose]()))
    expect(store.seats.get(ofId('1'))?.token).to.equal(taken.epoch)
  })

  it('re-joins when the one that took over leaves', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await join(store, a, '1')
    await join(store, b, '1', { onConflict: 'takeover' })
    await store.world.pass(T)
    await inTime(store, b.group.leave('1'))
    await store.world.pass(T)
    expect(own(a)).to.deep.equal(['1 lost 1 evicted', `1 rejoined ${store.seats.get(ofId('1'))?.token}`])
  })

  it('takes over although the evicted one comes back at once', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await join(store, a, '1')
    b.driver.delayMs = () => 150
    const taken = await join(store, b, '1', { onConflict: 'takeover', timeoutMs: 20 * T })
    await store.world.pass(2 * T)
    expect(store.seats.get(ofId('1'))?.token).to.equal(taken.epoch)
  })

  it('comes back after an administrator has removed it', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const first = await join(store, a, '1')
    await store.world.pass(10)
    store.empty({ kind: 'member', group: 'g', id: '1' })
    await store.world.pass(T)
    const epoch = store.seats.get(ofId('1'))?.token ?? 0n
    expect(own(a)).to.deep.equal([`1 lost ${first.epoch} evicted`, `1 rejoined ${epoch}`])
  })

  it('does not take for joined what was removed before the reply came', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.driver.delayMs = () => 20
    const joining = a.group.join('1', '')
    await store.world.pass(10)
    expect(store.seats.size).to.equal(1)
    store.empty({ kind: 'member', group: 'g', id: '1' })
    const { epoch } = await inTime(store, joining)
    expect(store.seats.get(ofId('1'))?.token).to.equal(epoch)
    await store.world.pass(T)
    expect(own(a)).to.deep.equal([])
  })

  it('notices its removal also if the store never told that it was there', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.driver.deafen()
    const first = await join(store, a, '1')
    store.empty({ kind: 'member', group: 'g', id: '1' })
    await store.world.pass(5)
    a.driver.heal()
    await store.world.pass(T)
    expect(first.signal.aborted).to.equal(true)
    expect(own(a)).to.deep.equal([`1 lost ${first.epoch} evicted`, `1 rejoined ${store.seats.get(ofId('1'))?.token}`])
  })

  it('is not evicted by old news of others', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await join(store, b, '1')
    await inTime(store, b.group.leave('1'), 0)
    a.driver.deafen()
    const membership = await join(store, a, '1')
    a.driver.heal()
    await store.world.pass(5 * T)
    expect(membership.signal.aborted).to.equal(false)
    expect(own(a)).to.deep.equal([])
  })

  for (const autoRejoin of [true, false]) {
    it(`${autoRejoin ? 'comes back' : 'stays out'} after a lost session with autoRejoin ${autoRejoin}`, async () => {
      const store = makeStore()
      const a = await makeClient(store)
      const first = await join(store, a, '1', { autoRejoin })
      await store.world.pass(5)
      a.driver.deafen()
      store.end(a.keeper.current.id)
      await store.world.pass(2 * T)
      a.driver.heal()
      expect(first.signal.aborted).to.equal(true)
      const epoch = store.seats.get(ofId('1'))?.token
      const expected = [`1 lost ${first.epoch} session-lost`]
      expect(own(a)).to.deep.equal(autoRejoin ? [...expected, `1 rejoined ${epoch}`] : expected)
      expect(epoch !== undefined && epoch > first.epoch).to.equal(autoRejoin)
      expect(a.events.indexOf('lost')).to.be.greaterThan(a.events.indexOf(expected[0] ?? ''))
      const update = await inTime(store, failure(a.group.updateData('1', 'x')))
      if (autoRejoin) expect(update).to.equal(undefined)
      else expect(update).to.include({ code: 'NOT_A_MEMBER' })
    })
  }

  it('joins with the next session if the store has ended this one', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    store.end(a.keeper.current.id)
    await join(store, a, '1')
    expect(store.seats.get(ofId('1'))?.session).to.equal(a.keeper.current.id)
    expect(a.events).to.include.members(['lost', 'reestablished'])
  })

  it('leaves while it is on its way back', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    await join(store, a, '1')
    a.driver.cut()
    await store.world.pass(1.5 * T)
    expect(own(a)).to.deep.equal(['1 lost 1 deadline'])
    await inTime(store, a.group.leave('1'), 10)
    a.driver.heal()
    await store.world.pass(5 * T)
    expect(own(a)).to.deep.equal(['1 lost 1 deadline'])
    expect(store.seats.size).to.equal(0)
  })

  it('replaces data, and comes back with the new ones', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const { epoch } = await join(store, a, '1')
    await inTime(store, a.group.updateData('1', 'new'))
    expect((await inTime(store, a.group.members())).get('1')).to.include({ epoch })
    expect((await inTime(store, a.group.membership())).get('1')).to.equal('new')
    store.end(a.keeper.current.id)
    await store.world.pass(2 * T)
    expect((await inTime(store, a.group.membership())).get('1')).to.equal('new')
    expect(await failure(a.group.updateData('2', 'new'))).to.include({ code: 'NOT_A_MEMBER' })
  })

  it('lives through a stall of three times the ttl: lost before anything else, then back', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const first = await join(store, a, '1')
    a.clock.stall()
    await store.world.pass(3 * T)
    a.clock.wake()
    await store.world.pass(T)
    expect(first.signal.aborted).to.equal(true)
    expect(own(a)).to.deep.equal([`1 lost ${first.epoch} deadline`, `1 rejoined ${store.seats.get(ofId('1'))?.token}`])
  })

  it('on closing tells, leaves at once, and is quiet', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    const held = await join(store, a, '1')
    await join(store, b, '2')
    const waiting = failure(a.group.join('2', '', { onConflict: 'wait' }))
    await store.world.pass(5)
    const from = store.world.now()
    await a.close()
    expect(store.world.now() - from).to.be.lessThan(20)
    expect(await waiting).to.include({ code: 'CLOSED' })
    expect(held.signal.aborted).to.equal(true)
    expect(own(a)).to.deep.equal([`1 lost ${held.epoch} closed`])
    expect(store.seats.has(ofId('1'))).to.equal(false)
    const before = a.events.length
    await store.world.pass(3 * T)
    expect(a.events).to.have.length(before)
    expect(await failure(a.group.join('1', ''))).to.include({ code: 'CLOSED', effect: 'none' })
    expect(a.logged).to.deep.equal([])
  })

  it('shows the present state first if asked, once, and else only changes', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await join(store, a, '1')
    const seen: string[][] = [[], []]
    const listener = (at: number) => ({
      onGroupChange: (ids: ReadonlySet<string>) => void seen[at]?.push([...ids].join()),
    })
    const first = listener(0)
    await inTime(store, b.group.addListener(first, { initial: true }))
    await inTime(store, b.group.addListener(first, { initial: true }))
    const second = listener(1)
    await inTime(store, b.group.addListener(second))
    await store.world.pass(5)
    expect(seen).to.deep.equal([['1'], []])
    await inTime(store, a.group.leave('1'))
    await store.world.pass(5)
    expect(seen).to.deep.equal([['1', ''], ['']])
    await b.group.removeListener(first)
    await join(store, a, '1')
    await store.world.pass(5)
    expect(seen).to.deep.equal([
      ['1', ''],
      ['', '1'],
    ])
  })
})
