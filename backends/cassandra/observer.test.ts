import { expect } from 'chai'
import { pluginContext, silentLogger } from '../../spi/index.ts'
import { call } from '../shared/driver-calls.fixture.ts'
import { Observer } from './observer.ts'
import type { Row } from './row.ts'
import type { Ending } from './sessions.ts'

const TTL_MS = 1000

describe('the observer', () => {
  let now: number
  let readMs: number
  let rows: Row[]
  let beats: Map<string, bigint>
  let ended: (readonly [string, bigint | undefined])[]
  let ending: Ending
  let own: ReadonlySet<string>
  let observer: Observer

  const lookAfter = (ms: number) => {
    now += ms
    return observer.look(call())
  }

  beforeEach(() => {
    now = 50_000
    readMs = 0
    rows = [{ kind: 'session', name: 's', at: 1n, number: BigInt(TTL_MS) }]
    beats = new Map([['s', 7n]])
    ended = []
    ending = 'ended'
    own = new Set()
    observer = new Observer({
      context: pluginContext({ logger: silentLogger }),
      tables: { slice: () => Promise.resolve({ revision: 1n, rows }) },
      sessions: {
        isOwn: (id) => own.has(id),
        beats: () => {
          now += readMs
          return Promise.resolve(beats)
        },
        endIfStill: (id, seen) => {
          ended.push([id, seen])
          return Promise.resolve(ending)
        },
      },
      steadyNow: () => now,
    })
  })

  it('ends a session whose beat has stood still for more than its time to live', async () => {
    await lookAfter(0)
    await lookAfter(TTL_MS)
    expect(ended).to.deep.equal([])
    await lookAfter(TTL_MS * 0.05)
    expect(ended).to.deep.equal([['s', 7n]])
  })

  it('counts from the end of the read that first showed the beat', async () => {
    readMs = 500
    await lookAfter(0)
    readMs = 0
    await lookAfter(TTL_MS * 0.6)
    expect(ended).to.deep.equal([])
  })

  it('begins anew with every beat, and not with an older one', async () => {
    await lookAfter(0)
    beats.set('s', 8n)
    await lookAfter(TTL_MS * 0.9)
    await lookAfter(TTL_MS * 0.9)
    expect(ended).to.deep.equal([])
    beats.set('s', 7n)
    await lookAfter(TTL_MS * 0.2)
    expect(ended).to.deep.equal([['s', 8n]])
  })

  it('begins anew with a beat that it only learns when it wants to end the session', async () => {
    ending = { beat: 9n }
    await lookAfter(0)
    await lookAfter(TTL_MS * 1.1)
    expect(ended).to.deep.equal([['s', 7n]])
    await lookAfter(TTL_MS * 0.9)
    expect(ended).to.have.lengthOf(1)
    await lookAfter(TTL_MS * 0.2)
    expect(ended[1]).to.deep.equal(['s', 9n])
  })

  it('watches sessions that show no beat, and ends them too', async () => {
    beats.clear()
    await lookAfter(0)
    await lookAfter(TTL_MS * 1.1)
    expect(ended).to.deep.equal([['s', undefined]])
  })

  it('keeps to the time to live of each session', async () => {
    rows = [{ kind: 'session', name: 's', at: 1n, number: BigInt(3 * TTL_MS) }]
    await lookAfter(0)
    await lookAfter(TTL_MS * 2)
    expect(ended).to.deep.equal([])
  })

  it('leaves its own sessions alone, and what it saw of those that are gone', async () => {
    own = new Set(['s'])
    await lookAfter(0)
    await lookAfter(TTL_MS * 2)
    expect(ended).to.deep.equal([])
    own = new Set()
    await lookAfter(0)
    const [row] = rows
    rows = []
    await lookAfter(TTL_MS)
    rows = row === undefined ? [] : [row]
    await lookAfter(TTL_MS)
    expect(ended).to.deep.equal([])
  })
})
