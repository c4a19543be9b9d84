import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { makeEntry, versionOf } from '../entry.ts'
import { isCoordinationError } from '../errors.ts'
import { makeRegistry, rejection } from './doubles.fixture.ts'
import { keySets, values } from './latest.ts'

let versions = 0
const entry = (text: string) => makeEntry('/k', Buffer.from(text), versionOf(`v${versions++}`))

describe('values', () => {
  it('begins with the present value, absent or not, and goes on with each change', async () => {
    const registry = makeRegistry()
    const seen: (string | undefined)[] = []
    for await (const now of values(registry, '/k')) {
      seen.push(now?.text)
      if (seen.length === 1) registry.setValue(entry('a'))
      if (seen.length === 2) registry.setValue(undefined)
      if (seen.length === 3) break
    }
    expect(seen).to.deep.equal([undefined, 'a', undefined])
    expect(registry.size()).to.equal(0)
  })

  it('skips to the latest if the loop is slow', async () => {
    const registry = makeRegistry()
    const seen: (string | undefined)[] = []
    for await (const now of values(registry, '/k')) {
      seen.push(now?.text)
      if (seen.length === 2) break
      for (const text of ['a', 'b', 'c']) registry.setValue(entry(text))
      await turn()
    }
    expect(seen).to.deep.equal([undefined, 'c'])
  })

  it('shows no version twice, even if others came and went between', async () => {
    const registry = makeRegistry()
    const first = entry('a')
    registry.setValue(first)
    const iterator = values(registry, '/k')[Symbol.asyncIterator]()
    expect((await iterator.next()).value).to.equal(first)
    registry.setValue(entry('b'))
    registry.setValue(first)
    const next = iterator.next()
    const last = entry('c')
    registry.setValue(last)
    expect((await next).value).to.equal(last)
    await iterator.return?.()
  })

  it('unsubscribes when the loop is left by break, return or throw', async () => {
    const registry = makeRegistry()
    const failure = new Error('in the loop')
    const loop = async () => {
      for await (const _ of values(registry, '/k')) throw failure
    }
    expect(await rejection(loop())).to.equal(failure)
    expect(registry.size()).to.equal(0)
  })

  it('throws the reason of an abort, while waiting as well as before', async () => {
    const registry = makeRegistry()
    const reason = new Error('enough')
    const abort = new AbortController()
    const iterator = values(registry, '/k', { signal: abort.signal })[Symbol.asyncIterator]()
    await iterator.next()
    const waiting = rejection(iterator.next())
    await turn()
    abort.abort(reason)
    expect(await waiting).to.equal(reason)
    await turn()
    expect(registry.size()).to.equal(0)
    expect(await iterator.next()).to.deep.equal({ done: true, value: undefined })

    const aborted = values(registry, '/k', { signal: AbortSignal.abort(reason) })[Symbol.asyncIterator]()
    expect(await rejection(aborted.next())).to.equal(reason)
    expect(registry.size()).to.equal(0)
  })

  it('throws CLOSED when the registry closes', async () => {
    const registry = makeRegistry()
    const iterator = values(registry, '/k')[Symbol.asyncIterator]()
    await iterator.next()
    const waiting = rejection(iterator.next())
    registry.shut()
    expect(isCoordinationError(await waiting, 'CLOSED')).to.equal(true)
    expect(await iterator.return?.()).to.deep.equal({ done: true, value: undefined })
  })

  it('throws what subscribing throws', async () => {
    const registry = makeRegistry()
    const error = await rejection(values(registry, 'k')[Symbol.asyncIterator]().next())
    expect(isCoordinationError(error, 'INVALID_KEY')).to.equal(true)
  })

  it('returns at once while a next() is waiting', async () => {
    const registry = makeRegistry()
    const iterator = values(registry, '/k')[Symbol.asyncIterator]()
    await iterator.next()
    const waiting = iterator.next()
    await turn()
    await iterator.return?.()
    expect(await waiting).to.deep.equal({ done: true, value: undefined })
    expect(registry.size()).to.equal(0)
  })

  it('leaves no listener behind that was still being added', async () => {
    const registry = makeRegistry()
    let open = () => {}
    registry.gate = new Promise((resolve) => {
      open = resolve
    })
    const iterator = values(registry, '/k')[Symbol.asyncIterator]()
    const waiting = iterator.next()
    const returned = iterator.return?.()
    open()
    await returned
    expect(await waiting).to.deep.equal({ done: true, value: undefined })
    expect(registry.size()).to.equal(0)
  })

  it('subscribes once per loop, and not before it begins', async () => {
    const registry = makeRegistry()
    const all = values(registry, '/k')
    expect(registry.size()).to.equal(0)
    const loops = [all[Symbol.asyncIterator](), all[Symbol.asyncIterator]()]
    await Promise.all(loops.map((loop) => loop.next()))
    expect(registry.size()).to.equal(2)
    for (const loop of loops) await loop.return?.()
    expect(registry.size()).to.equal(0)
  })
})

describe('keySets', () => {
  it('shows each set that differs from the last one shown', async () => {
    const registry = makeRegistry()
    registry.setNames('a')
    const iterator = keySets(registry, '/')[Symbol.asyncIterator]()
    expect((await iterator.next()).value).to.deep.equal(new Set(['a']))
    registry.setNames('a', 'b')
    registry.setNames('a')
    const next = iterator.next()
    registry.setNames('c')
    expect((await next).value).to.deep.equal(new Set(['c']))
    await iterator.return?.()
    expect(registry.size()).to.equal(0)
  })
})
