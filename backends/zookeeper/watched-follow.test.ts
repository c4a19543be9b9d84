import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import { CoordinationError, pluginContext, silentLogger } from '../../spi/index.ts'
import { type Deferred, deferred } from '../shared/deferred.ts'
import { recorder, until } from '../shared/driver-calls.fixture.ts'
import { stamped } from './changes.ts'
import { getData } from './protocol/operations.ts'
import { followByWatch, type Looked } from './watched-follow.ts'
import type { WatchEvents } from './watches.ts'

type Answer = readonly Looked<string>[]

/** A follow whose store is played by the test. */
class Play {
  readonly sink = recorder<string>((state) => state)
  readonly looks: string[] = []
  events: WatchEvents | undefined
  count = 0
  sets = 0
  #asked: Deferred<Answer> = deferred()

  readonly follow = followByWatch<string>(
    {
      context: pluginContext({ logger: silentLogger, random: () => 0 }),
      reads: { barrier: () => Promise.resolve() },
      watches: this.#watches(),
    },
    {
      what: 'a play',
      path: '/',
      recursive: true,
      nameOf: (path) => (path.startsWith('/') ? path.slice(1) : undefined),
      all: () => this.#ask('all'),
      look: (names) => this.#ask(names.join()),
    },
    this.sink,
  )

  async event(name: string): Promise<void> {
    this.count++
    this.events?.changed(`/${name}`)
    await settled()
  }

  /** What was asked for last, shown as of the events so far, or of fewer. */
  async answer(states: Readonly<Record<string, string | undefined>>, at = this.count): Promise<void> {
    this.#asked.resolve(Object.entries(states).map(([name, state]) => ({ name, state, at })))
    await settled()
  }

  async fail(error: Error): Promise<void> {
    this.#asked.reject(error)
    await settled()
  }

  #ask(what: string): Promise<Answer> {
    this.looks.push(what)
    this.#asked = deferred()
    return this.#asked.promise
  }

  #watches() {
    const count = () => this.count
    return {
      add: (_path: string, _recursive: boolean, events: WatchEvents) => {
        this.events = events
        return { [Symbol.dispose]: () => (this.events = undefined) }
      },
      set: () => {
        this.sets++
        return Promise.resolve()
      },
      get count() {
        return count()
      },
    }
  }
}

async function settled(): Promise<void> {
  for (let left = 5; left > 0; left--) await setImmediate()
}

async function begun(states: Readonly<Record<string, string>> = {}): Promise<Play> {
  const play = new Play()
  await settled()
  await play.answer(states)
  return play
}

describe('a follow on watches', () => {
  it('tells everything, then what has changed', async () => {
    const play = await begun({ a: '1', b: '1' })
    await play.follow.active
    await play.event('a')
    await play.answer({ a: '2' })
    await play.event('b')
    await play.answer({ b: undefined })
    expect(play.sink.lines).to.deep.equal(['reset a=1 b=1', 'a=2', 'b=gone'])
    expect(play.looks).to.deep.equal(['all', 'a', 'b'])
  })

  it('tells nothing later before something earlier: what events named meanwhile is read first', async () => {
    const play = await begun()
    await play.event('b')
    await play.event('a')
    await play.answer({ b: '2' })
    expect(play.looks.at(-1)).to.equal('a')
    expect(play.sink.lines).to.deep.equal(['reset'])
    await play.answer({ a: '1' })
    expect(play.sink.lines).to.deep.equal(['reset', 'b=2 a=1'])
  })

  it('looks again at what changed after the answer, even if it was asked about', async () => {
    const play = await begun()
    await play.event('a')
    const shown = play.count
    await play.event('a')
    await play.answer({ a: '1' }, shown)
    expect(play.sink.lines).to.deep.equal(['reset', 'a=1'])
    await play.answer({ a: '2' })
    expect(play.sink.lines).to.deep.equal(['reset', 'a=1', 'a=2'])
  })

  it('looks again at what changed while everything was read', async () => {
    const play = new Play()
    await settled()
    await play.event('a')
    await play.answer({ a: '1', b: '1' })
    expect(play.sink.lines).to.deep.equal([])
    await play.answer({ a: undefined })
    expect(play.sink.lines).to.deep.equal(['reset b=1'])
  })

  it('begins anew on another connection, also in the middle of a look', async () => {
    const play = await begun({ a: '1' })
    await play.event('a')
    play.events?.broken()
    await play.answer({ a: '2' })
    expect(play.sink.lines).to.deep.equal(['reset a=1'])
    await play.answer({ a: '3' })
    expect(play.sink.lines).to.deep.equal(['reset a=1', 'reset a=3'])
    expect(play.sets).to.equal(2)
  })

  it('does not tell of what was never there', async () => {
    const play = await begun()
    await play.event('a')
    await play.answer({ a: undefined })
    expect(play.sink.lines).to.deep.equal(['reset'])
  })

  it('goes on after a failure, and ends with one that is final', async () => {
    const play = new Play()
    await settled()
    await play.fail(new CoordinationError('CONNECTION', 'away'))
    await until(
      () => play.looks.length === 2,
      () => play.looks,
    )
    await play.answer({ a: '1' })
    expect(play.sink.lines).to.deep.equal(['reset a=1'])
    await play.event('a')
    await play.fail(new CoordinationError('AUTHORIZATION', 'forbidden'))
    expect(play.sink.lines.at(-1)).to.equal('failed: forbidden')
    expect(play.events).to.equal(undefined)
  })

  it('that is closed tells nothing more', async () => {
    const play = await begun({ a: '1' })
    await play.event('a')
    play.follow.close()
    await play.answer({ a: '2' })
    expect(play.sink.lines).to.deep.equal(['reset a=1'])
    expect(play.events).to.equal(undefined)
  })

  it('counts events when an answer comes, not when somebody gets round to it', () => {
    let count = 1
    const operation = stamped({ ...getData('/a'), read: () => 'x' }, () => count)
    const answer = operation.read(Buffer.alloc(0))
    count++
    expect(answer).to.deep.equal({ value: 'x', at: 1 })
  })
})
