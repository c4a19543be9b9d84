import { expect } from 'chai'
import { type Command, type Reply, State, type Touched } from './state.ts'

const SEAT = { kind: 'leader', service: 'controller' } as const
const open = (session: string): Command => ({ does: 'open', session, ttlMs: 1000 })
const take = (session: string, nonce: string): Command => {
  return { does: 'take', sitting: { seat: SEAT, id: `of ${session}`, session, nonce, data: '' } }
}
const put = (number: number, key: string, become: string, token?: string): Command => ({
  does: 'commit',
  name: { session: 'a', slot: 1, number },
  changes: [{ key, expect: 'absent', become }],
  ...(token !== undefined && { fence: { service: SEAT.service, token } }),
})

function play(state: State, ...commands: readonly Command[]): { last: Reply; touched: Touched[] } {
  const touched: Touched[] = []
  const replies = commands.map((command) => state.apply(command, touched))
  return { last: replies.at(-1) ?? { is: 'gone' }, touched }
}

describe('the state that a log describes', () => {
  it('gives a seat to the first who asks, and says to all others who that is', () => {
    const state = new State()
    expect(play(state, open('a'), open('b'), take('a', 'x')).last).to.deep.include({ is: 'seated' })
    expect(play(state, take('b', 'y')).last).to.have.nested.property('sitting.nonce', 'x')
    expect(play(state, take('nobody', 'z')).last).to.deep.equal({ is: 'session over' })
  })

  it('ends a silent session with its seats, and only if it was not renewed in between', () => {
    const state = new State()
    play(state, open('a'), take('a', 'x'), { does: 'renew', session: 'a' })
    expect(play(state, { does: 'expire', session: 'a', renewal: 0 }).last).to.deep.equal({ is: 'gone' })
    expect(state.sitting(SEAT)).to.not.equal(undefined)
    expect(play(state, { does: 'expire', session: 'a', renewal: 1 }).touched).to.deep.equal([{ seat: SEAT }])
    expect(state.sitting(SEAT)).to.equal(undefined)
    expect(play(state, { does: 'renew', session: 'a' }).last).to.deep.equal({ is: 'session over' })
  })

  it('gives each new holder a greater token, and takes a fence only with the present one', () => {
    const state = new State()
    play(state, open('a'), open('b'), take('b', 'x'))
    const before = state.sitting(SEAT)?.token ?? ''
    play(state, { does: 'end', session: 'b' }, take('a', 'y'))
    const now = state.sitting(SEAT)?.token ?? ''
    expect(BigInt(now) > BigInt(before)).to.equal(true)
    expect(play(state, put(1, '/k', 'dg==', before)).last).to.deep.include({ is: 'refused', token: now })
    expect(play(state, put(1, '/k', 'dg==', now)).last).to.deep.include({ is: 'committed' })
  })

  it('refuses a commit as a whole, with all that it found', () => {
    const state = new State()
    play(state, open('a'), put(1, '/there', 'dg=='))
    const both: Command = {
      does: 'commit',
      name: { session: 'a', slot: 1, number: 2 },
      changes: [
        { key: '/new', expect: 'absent', become: 'dg==' },
        { key: '/there', expect: 'absent', become: 'dg==' },
      ],
    }
    const { last } = play(state, both)
    const found = last.is === 'refused' ? last.found : new Map<string, unknown>()
    expect([...found.keys()]).to.deep.equal(['/new', '/there'])
    expect(found.get('/there')).to.have.property('data', 'dg==')
    expect([...state.values.keys()]).to.deep.equal(['/there'])
  })

  it('knows what became of a commit, and keeps one that was given up from ever happening', () => {
    const state = new State()
    const name = { session: 'a', slot: 1, number: 1 }
    play(state, open('a'), put(1, '/k', 'dg=='))
    expect(play(state, { does: 'settle', name }).last).to.deep.include({ is: 'committed', written: ['/k'] })
    expect(play(state, { does: 'settle', name: { ...name, number: 2 } }).last).to.deep.equal({ is: 'never' })
    expect(play(state, put(2, '/late', 'dg==')).last).to.deep.equal({ is: 'never' })
    expect(state.values.has('/late')).to.equal(false)
  })

  it('is the same after it was a snapshot', () => {
    const state = new State()
    play(state, open('a'), take('a', 'x'), put(1, '/k', 'dg=='), { does: 'renew', session: 'a' })
    const again = State.fromJSON(JSON.stringify(state))
    expect(again).to.deep.equal(state)
    const settle: Command = { does: 'settle', name: { session: 'a', slot: 1, number: 1 } }
    expect(play(again, settle)).to.deep.equal(play(state, settle))
  })
})
