import { expect } from 'chai'
import { leaseDeadline } from '../../spi/index.ts'
import { inTime, makeClient, makeStore, T } from './fake-client.fixture.ts'

const granularityMs = 5
/** From a renewal's sending to the deadline that it gives. */
const LEASE = leaseDeadline({ sentAt: 0, ttlMs: T, granularityMs })

describe('SessionKeeper', () => {
  it('renews for as long as it is open', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const { id } = a.keeper.current
    await store.world.pass(20 * T)
    expect(a.keeper.current).to.include({ id, state: 'connected' })
    expect(a.events).to.deep.equal([])
    const renewals = a.driver.calls.filter((op) => op === 'renewSession').length
    expect(renewals).to.be.within(60, 80)
  })

  it('counts the deadline from the sending of the request, not from the reply', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const sent: number[] = []
    a.driver.delayMs = () => 200
    a.driver.fault = () => {
      sent.push(store.world.now())
      return 'none'
    }
    for (let n = 0; n < 10; n++) {
      await store.world.pass(T / 2)
      const counted = a.keeper.current.deadline - LEASE
      expect(sent.some((at) => Math.abs(at - counted) < 1e-6)).to.equal(true)
    }
  })

  it('is suspended by the first failure and resumed by the first success', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const { id } = a.keeper.current
    let failures = 0
    a.driver.fault = (op) => (op === 'renewSession' && failures++ < 3 ? 'refused' : 'none')
    await store.world.pass(2 * T)
    expect(a.events).to.deep.equal(['suspended', 'resumed'])
    expect(a.keeper.current.id).to.equal(id)
  })

  it('is suspended when a renewal is overdue', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.driver.cut()
    await store.world.pass(0.7 * T)
    expect(a.keeper.current.state).to.equal('suspended')
    a.driver.heal()
    await store.world.pass(0.4 * T)
    expect(a.events).to.deep.equal(['suspended', 'resumed'])
  })

  it('is lost at its deadline, before the store ends it, and comes back under another id', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const first = a.keeper.current
    a.driver.cut()
    await store.world.pass(first.deadline - store.world.now())
    expect(a.keeper.current.state).to.equal('lost')
    await store.world.pass(1)
    expect(store.sessions).to.deep.equal([first.id])
    expect(a.events).to.deep.equal(['suspended', 'lost'])
    await store.world.pass(5 * T)
    a.driver.heal()
    await store.world.pass(2 * T)
    expect(a.events).to.deep.equal(['suspended', 'lost', 'reestablished'])
    expect(a.keeper.current.id).to.not.equal(first.id)
    expect(first.state).to.equal('lost')
    expect(store.sessions).to.deep.equal([a.keeper.current.id])
  })

  for (const ttls of [1.1, 3]) {
    it(`does not count an acknowledgement that is heard after the deadline, at ${ttls} of the ttl`, async () => {
      const store = makeStore()
      const a = await makeClient(store)
      const first = a.keeper.current
      const from = store.world.now()
      a.driver.delayMs = () => 20
      while (!a.driver.calls.includes('renewSession')) await store.world.pass(1)
      await store.world.pass(12)
      // the store has renewed it, and the reply waits
      a.clock.stall()
      await store.world.pass(from + ttls * T - store.world.now())
      expect(first.state).to.equal('lost')
      expect(a.keeper.live).to.equal(undefined)
      a.clock.wake()
      await store.world.pass(0.5 * T)
      expect(a.keeper.current.id).to.not.equal(first.id)
      expect(a.events).to.deep.equal(['lost', 'reestablished'])
    })
  }

  it('believes the store that the session is over', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const { id } = a.keeper.current
    store.end(id)
    await store.world.pass(0.5 * T)
    expect(a.events).to.deep.equal(['lost', 'reestablished'])
    expect(a.keeper.current.id).to.not.equal(id)
  })

  it('ends a lost session in the store too', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const { id } = a.keeper.current
    a.driver.fault = (op) => (op === 'renewSession' ? 'refused' : 'none')
    await store.world.pass(a.keeper.current.deadline - store.world.now() - 1)
    expect(store.sessions).to.deep.equal([id])
    await store.world.pass(3)
    expect(store.sessions).to.deep.equal([a.keeper.current.id])
    expect(store.sessions).to.not.include(id)
  })

  it('loses all at a step of the clock, and opens anew', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.clock.stepForward(3_600_000)
    expect(a.keeper.live).to.equal(undefined)
    expect(a.keeper.current.state).to.equal('lost')
    await store.world.pass(T / 2)
    expect(a.events).to.deep.equal(['lost', 'reestablished'])
  })

  it('starts with its whole time, however long opening it has taken', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.driver.delayMs = (op) => (op === 'openSession' ? 0.9 : 0.09) * T
    a.clock.stepForward(10 * T)
    const next = await inTime(store, a.keeper.next())
    expect(next.deadline - a.clock.now()).to.be.within(LEASE - 0.09 * T - 2, LEASE)
    await store.world.pass(3 * T)
    expect(a.keeper.current.id).to.equal(next.id)
    expect(a.events).to.deep.equal(['lost', 'reestablished'])
  })

  for (const fault of ['none', 'refused'] as const) {
    const why = fault === 'none' ? 'is over' : 'cannot be renewed'
    it(`opens another one if what took long to open ${why} by then, and leaves nothing behind`, async () => {
      const store = makeStore()
      const a = await makeClient(store)
      a.driver.delayMs = (op) => (op === 'openSession' ? 0.8 * T : 0)
      let renewals = 0
      a.driver.fault = (op) => {
        if (op !== 'renewSession' || renewals++ > 1) return 'none'
        if (fault === 'none') for (const id of store.sessions) store.end(id)
        return fault
      }
      a.clock.stepForward(10 * T)
      const next = await inTime(store, a.keeper.next())
      expect(renewals).to.be.greaterThan(1)
      await store.world.pass(T / 2)
      expect(store.sessions).to.deep.equal([next.id])
      expect(a.events).to.deep.equal(['lost', 'reestablished'])
    })
  }

  it('hands the next incarnation to who waits for it', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const { id } = a.keeper.current
    a.clock.stepForward(10 * T)
    const next = await inTime(store, a.keeper.next())
    expect(next.id).to.not.equal(id)
    expect(next.holds).to.equal(true)
  })

  it('aborts every signal before any listener of a dependant runs, and tells the session’s own last', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const seen: string[] = []
    const marked = new Set<string>()
    for (const name of ['x', 'y']) {
      a.keeper.addDependant({
        sessionLost: () => {
          marked.add(name)
          return async () => {
            const sees = [...marked].join()
            await new Promise<void>((resolve) => {
              store.world.setTimeout(resolve, 50)
            })
            seen.push(`${name} sees ${sees}`)
          }
        },
      })
    }
    a.keeper.current.addListener({ onLost: () => void seen.push('lost') })
    store.end(a.keeper.current.id)
    await store.world.pass(T)
    expect(seen).to.deep.equal(['x sees x,y', 'y sees x,y', 'lost'])
  })

  it('is quiet after closing and leaves nothing behind', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const waiting = a.keeper.next()
    await a.close()
    expect(store.sessions).to.deep.equal([])
    expect(a.keeper.current.state).to.equal('closed')
    const calls = a.driver.calls.length
    await store.world.pass(5 * T)
    expect(a.driver.calls.length).to.equal(calls)
    expect(store.world.waiting).to.equal(0)
    expect(await waiting).to.have.property('id')
    expect(a.events).to.deep.equal([])
  })

  it('closes in bounded time when the store does not answer', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.driver.cut()
    const from = store.world.now()
    await inTime(store, a.keeper.close())
    expect(store.world.now() - from).to.be.at.most(T + 1)
  })

  it('refuses a time to live that its margin uses up', async () => {
    const store = makeStore()
    const failure = await makeClient(store, { sessionTimeoutMs: 4 }).catch((error: unknown) => error)
    expect(failure).to.include({ code: 'CONFIG' })
  })
})
