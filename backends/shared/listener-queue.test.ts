import { expect } from 'chai'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { silentLogger } from '../../spi/index.ts'
import { deferred } from './deferred.ts'
import { ListenerQueue } from './listener-queue.ts'

interface Listener {
  heard(what: string): void | Promise<void>
}

describe('ListenerQueue', () => {
  let errors: string[]
  let queue: ListenerQueue<Listener>

  beforeEach(() => {
    errors = []
    const logger = { ...silentLogger, error: (message: string) => errors.push(message) }
    queue = new ListenerQueue<Listener>({ logger, what: 'listener of x' })
  })

  function recorder(gate: () => Promise<void> | undefined = () => undefined): Listener & { readonly heard_: string[] } {
    const heard_: string[] = []
    return {
      heard_,
      heard(what) {
        heard_.push(what)
        return gate()
      },
    }
  }

  const say = (what: string) => (listener: Listener) => listener.heard(what)

  it('shows a state to every listener, and to one alone', async () => {
    const [a, b] = [recorder(), recorder()]
    queue.add(a)
    queue.add(b)
    queue.state('s', say('1'))
    await nextTurn()
    queue.stateFor(a, 's', say('2'))
    await nextTurn()
    expect([a.heard_, b.heard_]).to.deep.equal([['1', '2'], ['1']])
  })

  it('counts a listener once', async () => {
    const a = recorder()
    queue.add(a)
    queue.add(a)
    queue.state('s', say('1'))
    await nextTurn()
    expect(a.heard_).to.deep.equal(['1'])
    await queue.remove(a)
    expect(queue.has(a)).to.equal(false)
  })

  it('skips states while a call is going on, never the last one, and calls one at a time', async () => {
    const gate = deferred<undefined>()
    let running = 0
    const a = recorder(async () => {
      expect(++running).to.equal(1)
      await gate.promise
      running--
    })
    queue.add(a)
    for (let n = 1; n <= 3; n++) {
      queue.state('s', say(`s${n}`))
      queue.state('t', say(`t${n}`))
      await nextTurn()
    }
    gate.resolve(undefined)
    await nextTurn()
    expect(a.heard_).to.deep.equal(['s1', 's3', 't3'])
  })

  it('skips no event, keeps their order, and lets no state overtake the events before it', async () => {
    const gate = deferred<undefined>()
    const a = recorder(() => gate.promise)
    queue.add(a)
    const all = [queue.event(say('e1')), queue.event(say('e2'))]
    queue.state('s', say('old'))
    all.push(queue.event(say('e3')))
    queue.state('s', say('new'))
    gate.resolve(undefined)
    await Promise.all(all)
    await nextTurn()
    expect(a.heard_).to.deep.equal(['e1', 'e2', 'e3', 'new'])
  })

  it('tells an event to all and waits for all, slow ones and failing ones', async () => {
    const gate = deferred<undefined>()
    const slow = recorder(() => gate.promise)
    const throwing = recorder(() => {
      throw new Error('thrown')
    })
    const rejecting = recorder(() => Promise.reject(new Error('rejected')))
    for (const listener of [throwing, rejecting, slow]) queue.add(listener)
    let told = false
    const event = queue.event(say('e')).then(() => (told = true))
    await nextTurn()
    expect(told).to.equal(false)
    gate.resolve(undefined)
    await event
    await queue.event(say('f'))
    for (const listener of [throwing, rejecting, slow]) expect(listener.heard_).to.deep.equal(['e', 'f'])
    expect(errors).to.have.length(4)
    expect(errors.join()).to.include('a listener of x failed: thrown').and.include('rejected')
  })

  it('is silent after remove: what waited is dropped, events are settled, the running call is awaited', async () => {
    const gate = deferred<undefined>()
    const a = recorder(() => gate.promise)
    queue.add(a)
    queue.state('s', say('1'))
    await nextTurn()
    const event = queue.event(say('never'))
    queue.state('s', say('never'))
    let removed = false
    const removal = queue.remove(a).then(() => (removed = true))
    await event
    await nextTurn()
    expect(removed).to.equal(false)
    gate.resolve(undefined)
    await removal
    queue.state('s', say('never'))
    await queue.event(say('never'))
    await nextTurn()
    expect(a.heard_).to.deep.equal(['1'])
  })

  it('does nothing when an unknown listener is removed', async () => {
    await queue.remove(recorder())
  })

  it('calls a listener that was removed and came back only after its running call', async () => {
    const gate = deferred<undefined>()
    const a = recorder(() => gate.promise)
    queue.add(a)
    queue.state('s', say('1'))
    await nextTurn()
    const removal = queue.remove(a)
    queue.add(a)
    queue.state('s', say('2'))
    await nextTurn()
    expect(a.heard_).to.deep.equal(['1'])
    gate.resolve(undefined)
    await removal
    await nextTurn()
    expect(a.heard_).to.deep.equal(['1', '2'])
  })

  it('lets a listener remove itself within its call, and closes from within one', async () => {
    const a = recorder(() => queue.remove(a))
    const b = recorder(() => queue.close())
    queue.add(a)
    queue.add(b)
    await queue.event(say('e'))
    await queue.event(say('f'))
    expect([a.heard_, b.heard_]).to.deep.equal([['e'], ['e']])
  })

  it('waits at close for the running calls of all', async () => {
    const gate = deferred<undefined>()
    const a = recorder(() => gate.promise)
    queue.add(a)
    queue.state('s', say('1'))
    await nextTurn()
    let closed = false
    const closing = queue.close().then(() => (closed = true))
    await nextTurn()
    expect(closed).to.equal(false)
    gate.resolve(undefined)
    await closing
  })

  describe('from within a call', () => {
    it('tells events to the same listener at once, after those that waited before', async () => {
      const heard: string[] = []
      const a: Listener = {
        async heard(what) {
          heard.push(`${what}(`)
          if (what === 'elected') await queue.event(say('lost'))
          heard.push(')')
        },
      }
      queue.add(a)
      const elected = queue.event(say('elected'))
      const other = queue.event(say('other'))
      await Promise.all([elected, other])
      expect(heard.join('')).to.equal('elected(other()lost())')
    })

    it('keeps nested events apart from each other, at any depth', async () => {
      const heard: string[] = []
      const a: Listener = {
        async heard(what) {
          heard.push(`${what}(`)
          if (what.length < 3) await Promise.all([queue.event(say(`${what}x`)), queue.event(say(`${what}y`))])
          await nextTurn()
          heard.push(')')
        },
      }
      queue.add(a)
      await queue.event(say('e'))
      const text = heard.join('')
      for (const name of ['e', 'ex', 'ey', 'exx', 'exy', 'eyx', 'eyy']) expect(text.split(`${name}(`)).to.have.length(2)
      expect(text.slice(-1)).to.equal(')')
      // calls lie within each other or after each other
      let depth = 0
      for (const piece of heard) expect((depth += piece === ')' ? -1 : 1)).to.be.at.least(0)
      expect(depth).to.equal(0)
    })

    it('waits through another listener and another queue', async () => {
      const other = new ListenerQueue<Listener>({ logger: silentLogger, what: 'other' })
      const heard: string[] = []
      const a: Listener = {
        async heard(what) {
          heard.push(`a:${what}`)
          if (what === '1') await other.event(say('2'))
        },
      }
      const b: Listener = {
        async heard(what) {
          heard.push(`b:${what}`)
          await queue.event(say('3'))
          await queue.remove(a)
        },
      }
      queue.add(a)
      other.add(b)
      await queue.event(say('1'))
      expect(heard).to.deep.equal(['a:1', 'b:2', 'a:3'])
    })

    it('queues what is told later, when the call that it came from is over', async () => {
      const gate = deferred<undefined>()
      const heard: string[] = []
      let later: Promise<void> | undefined
      const a: Listener = {
        async heard(what) {
          heard.push(what)
          if (what === '1') later = gate.promise.then(() => queue.event(say('3')))
          if (what === '2') await gate.promise
        },
      }
      queue.add(a)
      await queue.event(say('1'))
      const second = queue.event(say('2'))
      await nextTurn()
      gate.resolve(undefined)
      await Promise.all([second, later])
      expect(heard).to.deep.equal(['1', '2', '3'])
    })

    it('keeps the next call until what was told within has ended, also if nobody waited for it', async () => {
      const heard: string[] = []
      const a: Listener = {
        async heard(what) {
          heard.push(`${what}(`)
          if (what === '1') queue.event(say('2')).catch(() => undefined)
          else for (let turn = 0; turn < 3; turn++) await nextTurn()
          heard.push(')')
        },
      }
      queue.add(a)
      await queue.event(say('1'))
      await queue.event(say('3'))
      expect(heard.join('')).to.equal('1(2())3()')
    })

    it('does not take a state for something told within the call that happened to show it', async () => {
      const gate = deferred<undefined>()
      let removed = false
      const b: Listener = { heard: () => queue.remove(a).then(() => void (removed = true)) }
      const a: Listener = {
        async heard() {
          queue.stateFor(b, 's', say('shown'))
          await gate.promise
        },
      }
      queue.add(b)
      queue.add(a)
      queue.stateFor(a, 's', say('go'))
      await nextTurn()
      expect(removed).to.equal(false)
      gate.resolve(undefined)
      await nextTurn()
      expect(removed).to.equal(true)
    })
  })
})
