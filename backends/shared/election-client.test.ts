import { expect } from 'chai'
import type { LeaderChangeListener, Leadership, LossReason } from '../../spi/index.ts'
import { type FakeClient, inTime, makeClient, makeStore, T } from './fake-client.fixture.ts'
import type { FakeStore } from './fake-store.fixture.ts'

const NEVER = () => undefined
const SEAT = { kind: 'leader', service: 's' } as const
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )
const terms = (client: FakeClient) => client.events.filter((event) => / elected | lost /.test(event))
const leaderOf = (store: FakeStore) => store.seats.get('leader/s')

function nominate(store: FakeStore, client: FakeClient, candidate: string, options = {}) {
  return inTime(store, client.election.nominate(candidate, options))
}

function sleep(store: FakeStore, ms: number): Promise<void> {
  return new Promise((resolve) => {
    store.world.setTimeout(resolve, ms)
  })
}

async function listen(store: FakeStore, client: FakeClient, listener: Partial<LeaderChangeListener>): Promise<void> {
  await inTime(store, client.election.addListener({ onLeaderChange: () => undefined, ...listener }))
}

describe('ElectionClient', () => {
  it('elects the first, lets the second wait, and passes on when the first resigns', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    expect(await nominate(store, a, 'A', { data: 'there' })).to.equal(true)
    expect(await nominate(store, b, 'B')).to.equal(false)
    const first = a.election.leadership('A')
    expect(first).to.include({ candidate: 'A', service: 's', held: true })
    expect(b.election.leadership('B')).to.equal(undefined)
    expect(await inTime(store, b.election.getLeader())).to.equal('A')
    expect((await inTime(store, b.election.leader()))?.token).to.equal(first?.token)
    await inTime(store, a.election.resign('A'))
    await store.world.pass(10)
    expect(first?.held).to.equal(false)
    const second = b.election.leadership('B')
    expect(second !== undefined && first !== undefined && second.token > first.token).to.equal(true)
    await store.world.pass(5 * T)
    expect(terms(a)).to.deep.equal(['A elected 1', 'A lost 1 resigned'])
    expect(b.events).to.include.members(['leader A', 'leader B', 'B elected 2'])
  })

  it('lets go only when the duties have been stopped', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    let stoppedAt = 0
    await listen(store, a, {
      onLeadershipLost: async ({ signal }) => {
        expect(signal.aborted).to.equal(true)
        await sleep(store, 300)
        stoppedAt = store.world.now()
      },
    })
    let electedAt = 0
    await listen(store, b, { onElected: () => void (electedAt = store.world.now()) })
    await nominate(store, a, 'A')
    await nominate(store, b, 'B')
    await inTime(store, a.election.resign('A'))
    await store.world.pass(10)
    expect(stoppedAt).to.be.greaterThan(0)
    expect(electedAt).to.be.at.least(stoppedAt)
  })

  it('ignores a resignation of who does not lead', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await nominate(store, a, 'A')
    await nominate(store, b, 'B')
    await inTime(store, b.election.resign('B'))
    await inTime(store, b.election.resign('nobody'))
    await inTime(store, a.election.resign('A'))
    await inTime(store, a.election.resign('A'))
    await store.world.pass(10)
    expect(b.election.leadership('B')?.held).to.equal(true)
  })

  it('withdraws: a waiter never wins, a leader resigns', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await nominate(store, a, 'A')
    await nominate(store, b, 'B')
    await inTime(store, b.election.withdraw('B'))
    await inTime(store, a.election.withdraw('A'))
    await store.world.pass(T)
    expect(leaderOf(store)).to.equal(undefined)
    expect(terms(b)).to.deep.equal([])
    await nominate(store, b, 'B')
    expect(b.election.leadership('B')?.held).to.equal(true)
  })

  it('rejects a resignation that the store has not heard of; repeated, it works', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await nominate(store, a, 'A')
    await nominate(store, b, 'B')
    a.driver.cut()
    const error = await inTime(store, failure(a.election.resign('A', { timeoutMs: 200 })))
    expect(error).to.include({ code: 'TIMEOUT' })
    expect(a.election.leadership('A')).to.equal(undefined)
    a.driver.heal()
    await inTime(store, a.election.resign('A'))
    await store.world.pass(20)
    expect(leaderOf(store)?.id).to.equal('B')
    expect(terms(a)).to.deep.equal(['A elected 1', 'A lost 1 resigned'])
  })

  it('runs several candidates of one client, and each id once', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    expect(await nominate(store, a, '1')).to.equal(true)
    expect(await nominate(store, a, '2')).to.equal(false)
    expect(await failure(nominate(store, a, '1'))).to.include({ code: 'CANDIDATE_EXISTS', effect: 'none' })
    await inTime(store, a.election.resign('1'))
    await store.world.pass(10)
    expect(a.election.leadership('2')?.held).to.equal(true)
    await store.world.pass(5 * T)
    expect(terms(a)).to.deep.equal(['1 elected 1', '1 lost 1 resigned', '2 elected 2'])
  })

  it('takes equal ids in two sessions for two candidates', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await nominate(store, a, 'X')
    expect(await nominate(store, b, 'X')).to.equal(false)
    expect(b.election.leadership('X')).to.equal(undefined)
    expect(await inTime(store, b.election.getLeader())).to.equal('X')
    await b.close()
    expect(leaderOf(store)?.session).to.equal(a.keeper.current.id)
  })

  it('takes over from an older incarnation of the same id only', async () => {
    const store = makeStore()
    const [a, b, c] = [await makeClient(store), await makeClient(store), await makeClient(store)]
    await nominate(store, a, 'X')
    const old = a.election.leadership('X')
    expect(await nominate(store, c, 'Y', { takeover: true })).to.equal(false)
    await inTime(store, c.election.withdraw('Y'))
    expect(await nominate(store, b, 'X', { takeover: true })).to.equal(true)
    await store.world.pass(3 * T)
    expect(old?.held).to.equal(false)
    expect(terms(a)).to.deep.equal(['X elected 1', 'X lost 1 evicted'])
    expect(b.election.leadership('X')?.held).to.equal(true)
    await inTime(store, b.election.resign('X'))
    await store.world.pass(T)
    expect(a.election.leadership('X')?.held).to.equal(true)
  })

  it('evicts nobody once it waits', async () => {
    const store = makeStore()
    const [a, b, c] = [await makeClient(store), await makeClient(store), await makeClient(store)]
    await nominate(store, b, 'Y')
    expect(await nominate(store, c, 'X', { takeover: true })).to.equal(false)
    c.driver.delayMs = () => 100
    await nominate(store, a, 'X')
    await inTime(store, b.election.resign('Y'))
    await store.world.pass(2 * T)
    expect(a.election.leadership('X')?.held).to.equal(true)
    expect(terms(a)).to.deep.equal(['X elected 2'])
  })

  it('loses before the store can give the leadership to another', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    const at: string[] = []
    const note = (what: string) => at.push(`${what} ${a.election.leadership('A')?.held === true}`)
    await listen(store, a, { onLeadershipLost: () => void note('lost') })
    await listen(store, b, { onElected: () => void note('elected') })
    await nominate(store, a, 'A')
    await nominate(store, b, 'B')
    a.driver.cut()
    await store.world.pass(1.5 * T)
    expect(at).to.deep.equal(['lost false', 'elected false'])
    a.driver.heal()
    await store.world.pass(3 * T)
    expect(terms(a)).to.deep.equal(['A elected 1', 'A lost 1 deadline'])
    expect(b.election.leadership('B')?.held).to.equal(true)
  })

  it('knows right after a stall, before any timer, that it leads no more', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await nominate(store, a, 'A')
    await nominate(store, b, 'B')
    const leadership = a.election.leadership('A')
    a.clock.stall()
    await store.world.pass(3 * T)
    a.clock.wake()
    expect(leadership?.held).to.equal(false)
    expect(leadership?.signal.aborted).to.equal(false)
    expect(() => leadership?.assertHeld())
      .to.throw()
      .with.property('code', 'LEADERSHIP_LOST')
    expect(a.election.leadership('A')).to.equal(undefined)
    await store.world.pass(T)
    expect(leadership?.signal.reason).to.include({ code: 'LEADERSHIP_LOST' })
    expect((leadership?.signal.reason as Error).message).to.include('deadline')
    expect(terms(a)).to.deep.equal(['A elected 1', 'A lost 1 deadline'])
    expect(terms(b)).to.deep.equal(['B elected 2'])
  })

  it('does not win with a session that died meanwhile', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await nominate(store, a, 'A')
    await nominate(store, b, 'B')
    const dead = b.keeper.current.id
    b.driver.cut()
    await store.world.pass(1.5 * T)
    await inTime(store, a.election.resign('A'))
    await store.world.pass(10)
    expect(leaderOf(store)).to.equal(undefined)
    expect(terms(b)).to.deep.equal([])
    b.driver.heal()
    await store.world.pass(2 * T)
    expect(b.election.leadership('B')?.held).to.equal(true)
    expect(leaderOf(store)?.session).to.not.equal(dead)
  })

  it('does not count a win that it learns of after its deadline', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.driver.delayMs = () => 20
    const nominating = a.election.nominate('A', { timeoutMs: 10 * T })
    await store.world.pass(12)
    expect(leaderOf(store)?.id).to.equal('A')
    a.clock.stall()
    await store.world.pass(2 * T)
    a.clock.wake()
    expect(await inTime(store, nominating)).to.equal(true)
    expect(a.election.leadership('A')?.token).to.equal(2n)
    expect(terms(a)).to.deep.equal(['A elected 2'])
  })

  it('is lost when an administrator removes it, and runs again', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    await nominate(store, a, 'A')
    const leadership = a.election.leadership('A')
    await store.world.pass(5)
    store.empty(SEAT)
    await store.world.pass(5)
    expect(leadership?.signal.reason).to.include({ code: 'LEADERSHIP_LOST' })
    await store.world.pass(T)
    expect(terms(a)).to.deep.equal(['A elected 1', 'A lost 1 evicted', 'A elected 2'])
  })

  it('verifies in the store, and is lost at once if that says no', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    await nominate(store, a, 'A')
    const leadership = a.election.leadership('A') as Leadership
    expect(await inTime(store, leadership.verify())).to.equal(true)
    a.driver.deafen()
    store.empty(SEAT)
    expect(leadership.held).to.equal(true)
    expect(await inTime(store, leadership.verify(), 5)).to.equal(false)
    expect(leadership.signal.aborted).to.equal(true)
    await store.world.pass(T)
    expect(terms(a)).to.deep.equal(['A elected 1', 'A lost 1 evicted', 'A elected 2'])
  })

  it('comes back to the queue after a lost session, in turn', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    await nominate(store, a, 'A')
    for (let n = 0; n < 3; n++) {
      await store.world.pass(5)
      a.driver.deafen()
      store.end(a.keeper.current.id)
      await store.world.pass(T)
      a.driver.heal()
      await store.world.pass(T)
    }
    const expected = [1, 2, 3].flatMap((n) => [`A elected ${n}`, `A lost ${n} session-lost`])
    expect(terms(a)).to.deep.equal([...expected, 'A elected 4'])
  })

  it('stays leader when a listener throws, and says so', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    await listen(store, a, {
      onElected: () => {
        throw new Error('no way')
      },
    })
    expect(await nominate(store, a, 'A')).to.equal(true)
    await store.world.pass(3 * T)
    expect(a.election.leadership('A')?.held).to.equal(true)
    expect(a.logged.join()).to.include('no way')
  })

  it('may be resigned from within onElected', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    await listen(store, a, { onElected: (leadership) => a.election.resign(leadership.candidate) })
    expect(await nominate(store, a, 'A')).to.equal(false)
    await store.world.pass(T)
    expect(terms(a)).to.deep.equal(['A elected 1', 'A lost 1 resigned'])
    expect(leaderOf(store)).to.equal(undefined)
  })

  it('waits for the listeners’ end of a term before it runs for the next', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const seen: string[] = []
    await listen(store, a, {
      onElected: ({ token }) => void seen.push(`elected ${token}`),
      onLeadershipLost: async ({ token }) => {
        await sleep(store, 2 * T)
        seen.push(`stopped ${token}`)
        expect(leaderOf(store)).to.equal(undefined)
      },
    })
    await nominate(store, a, 'A')
    store.end(a.keeper.current.id)
    await store.world.pass(4 * T)
    expect(seen).to.deep.equal(['elected 1', 'stopped 1', 'elected 2'])
    expect(a.logged.join()).to.not.include('expected')
  })

  it('settles awaitLeadership whatever happens', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    expect(await failure(b.election.awaitLeadership('B'))).to.include({ code: 'LEADERSHIP_LOST' })
    await nominate(store, a, 'A')
    expect((await inTime(store, a.election.awaitLeadership('A'))).held).to.equal(true)
    await nominate(store, b, 'B')
    expect(await inTime(store, failure(b.election.awaitLeadership('B', { timeoutMs: 50 })))).to.include({
      code: 'TIMEOUT',
    })
    const abort = new AbortController()
    const aborted = failure(b.election.awaitLeadership('B', { signal: abort.signal }))
    abort.abort(new Error('enough'))
    expect(await inTime(store, aborted)).to.include({ message: 'enough' })
    const withdrawn = failure(b.election.awaitLeadership('B'))
    await inTime(store, b.election.withdraw('B'))
    expect(await inTime(store, withdrawn)).to.include({ code: 'LEADERSHIP_LOST' })
    await nominate(store, b, 'B')
    const elected = b.election.awaitLeadership('B')
    store.end(b.keeper.current.id)
    await store.world.pass(T)
    await inTime(store, a.election.resign('A'))
    expect((await inTime(store, elected)).held).to.equal(true)
    await inTime(store, b.election.resign('B'))
    await nominate(store, a, 'A')
    await nominate(store, b, 'B')
    const closed = failure(b.election.awaitLeadership('B'))
    await b.close()
    expect(await inTime(store, closed)).to.include({ code: 'CLOSED' })
  })

  it('leaves no candidate behind when a nomination is aborted or times out', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    a.driver.fault = (op) => (op === 'takeSeat' ? 'lost-reply' : 'none')
    expect(await inTime(store, failure(a.election.nominate('A', { timeoutMs: 50 })))).to.include({ code: 'TIMEOUT' })
    await store.world.pass(10)
    expect(leaderOf(store)).to.equal(undefined)
    a.driver.fault = () => 'none'
    await store.world.pass(T)
    expect(leaderOf(store)).to.equal(undefined)
    expect(await nominate(store, a, 'A')).to.equal(true)
  })

  it('tells what the store refuses, and runs no further', async () => {
    const store = makeStore()
    const a = await makeClient(store)
    const refusal = new Error('forbidden')
    a.driver.takeSeat = () => Promise.reject(refusal)
    expect(await failure(nominate(store, a, 'A'))).to.include({ code: 'INTERNAL', cause: refusal })
    expect(await failure(a.election.awaitLeadership('A'))).to.include({ code: 'LEADERSHIP_LOST' })
  })

  it('on closing stops the duties first, then lets the next one lead at once', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    const order: string[] = []
    await listen(store, a, {
      onLeadershipLost: async (_: Leadership, reason: LossReason) => {
        await sleep(store, 50)
        order.push(`stopped, ${reason}`)
      },
    })
    await listen(store, b, { onElected: () => void order.push('next') })
    await nominate(store, a, 'A')
    await nominate(store, b, 'B')
    const from = store.world.now()
    await a.close()
    await store.world.pass(5)
    expect(order).to.deep.equal(['stopped, closed', 'next'])
    expect(store.world.now() - from).to.be.lessThan(100)
  })

  it('closes although a listener never comes to an end', async () => {
    const store = makeStore()
    const [a, b] = [await makeClient(store), await makeClient(store)]
    await listen(store, a, { onLeadershipLost: () => new Promise<never>(NEVER) })
    await nominate(store, a, 'A')
    await nominate(store, b, 'B')
    const from = store.world.now()
    await a.close()
    expect(store.world.now() - from).to.be.at.most(2 * T)
    await store.world.pass(10)
    expect(b.election.leadership('B')?.held).to.equal(true)
  })
})
