import { expect } from 'chai'
import { FakeWorld } from '../fake-clock.fixture.ts'
import { firstAnswer } from './first-answer.ts'

const TROUBLE = new Error('trouble')
const REFUSED = new Error('refused')

/** Servers that answer after some time, or never; asked in turn. */
function ask(world: FakeWorld, servers: readonly { readonly after: number; readonly says: string | Error }[]) {
  const asked: string[] = []
  let current = 0
  const start = world.now()
  const outcome = firstAnswer<string>({
    clock: world,
    servers: servers.length,
    timeoutMs: 900,
    signal: new AbortController().signal,
    isWorthAnother: (error) => error === TROUBLE,
    ask: (signal, timeoutMs) => {
      const index = current % servers.length
      asked.push(`${index} at ${world.now() - start} for ${timeoutMs}`)
      const pass = () => {
        if (current % servers.length === index) current++
      }
      const answer = new Promise<string>((resolve, reject) => {
        const settle = (says: string | Error) => (typeof says === 'string' ? resolve(says) : reject(says))
        const { after = 0, says = TROUBLE } = servers[index] ?? {}
        signal.addEventListener('abort', () => settle(TROUBLE))
        if (after < timeoutMs) world.setTimeout(() => settle(says), after)
        else world.setTimeout(() => settle(TROUBLE), timeoutMs)
      })
      answer.catch(pass)
      return { answer, pass }
    },
  }).catch((error: unknown) => error)
  return { asked, outcome }
}

describe('a question to several servers', () => {
  it('goes to one, if that one answers', async () => {
    const world = new FakeWorld()
    const { asked, outcome } = ask(world, [
      { after: 10, says: 'a' },
      { after: 0, says: 'b' },
    ])
    await world.pass(1000)
    expect(await outcome).to.equal('a')
    expect(asked).to.deep.equal(['0 at 0 for 900'])
    expect(world.waiting).to.equal(0)
  })

  it('goes on to the next when one fails', async () => {
    const world = new FakeWorld()
    const { asked, outcome } = ask(world, [
      { after: 10, says: TROUBLE },
      { after: 10, says: TROUBLE },
      { after: 10, says: 'c' },
    ])
    await world.pass(1000)
    expect(await outcome).to.equal('c')
    expect(asked).to.deep.equal(['0 at 0 for 900', '1 at 10 for 890', '2 at 20 for 880'])
  })

  it('goes to the next as well when one is slow, and still takes the slow one’s answer', async () => {
    const world = new FakeWorld()
    const { asked, outcome } = ask(world, [
      { after: 500, says: 'slow' },
      { after: 5000, says: 'never' },
      { after: 5000, says: 'never' },
    ])
    await world.pass(1000)
    expect(await outcome).to.equal('slow')
    expect(asked).to.deep.equal(['0 at 0 for 900', '1 at 300 for 600'])
  })

  it('is answered although all but one swallow it', async () => {
    const world = new FakeWorld()
    const { outcome } = ask(world, [
      { after: 5000, says: 'never' },
      { after: 5000, says: 'never' },
      { after: 1, says: 'c' },
    ])
    await world.pass(1000)
    expect(await outcome).to.equal('c')
  })

  it('is over when a server refuses it', async () => {
    const world = new FakeWorld()
    const { asked, outcome } = ask(world, [
      { after: 1, says: REFUSED },
      { after: 1, says: 'b' },
    ])
    await world.pass(1000)
    expect(await outcome).to.equal(REFUSED)
    expect(asked).to.have.lengthOf(1)
  })

  it('is asked twice of a single server, and not for ever', async () => {
    const world = new FakeWorld()
    const { asked, outcome } = ask(world, [{ after: 1, says: TROUBLE }])
    await world.pass(1000)
    expect(await outcome).to.equal(TROUBLE)
    expect(asked).to.deep.equal(['0 at 0 for 900', '0 at 1 for 899'])
  })

  it('fails when its time is up', async () => {
    const world = new FakeWorld()
    const never = { after: 5000, says: 'never' }
    const { asked, outcome } = ask(world, [never, never, never])
    await world.pass(1000)
    expect(await outcome).to.equal(TROUBLE)
    expect(asked).to.have.lengthOf(3)
    expect(world.waiting).to.equal(0)
  })
})
