import { expect } from 'chai'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../spi/index.ts'
import type { Call, KeyChange } from '../shared/driver.ts'
import { commitChange, openSession, outcomeOf, takeSeat } from './change.ts'
import { Committer } from './committer.ts'
import { FakeTables } from './fake-tables.fixture.ts'
import { changeAt, placeText, valueAt } from './layout.ts'
import type { Tables } from './tables.ts'

const SEAT = { kind: 'leader', service: 's' } as const
const DATA = new Uint8Array([1])

function call(timeoutMs = 5000, signal = new AbortController().signal): Call {
  return { signal, timeoutMs }
}

describe('the committer', () => {
  let tables: FakeTables
  let committer: Committer

  const write = (key: string, expect: KeyChange['expect'] = 'anything'): KeyChange => ({ key, expect, become: DATA })
  const commit = (slot: number, change: KeyChange) => ({
    id: { session: 'a', slot, number: 1, after: 0 },
    changes: [change],
    fence: undefined,
  })
  const put = (slot: number, key: string, limits = call()) =>
    committer.submit(commitChange(commit(slot, write(key))), limits)

  beforeEach(async () => {
    tables = new FakeTables()
    committer = new Committer(tables as unknown as Tables, { clock: systemClock, random: () => 0 })
    await committer.submit(openSession('a', 1000, []), call())
  })

  it('makes changes that wait together in one step, and says what the step has changed', async () => {
    await Promise.all([put(1, '/a'), put(2, '/b'), put(3, '/c')])
    expect(tables.tried).to.deep.equal([0n, 1n])
    const change = tables.rows.get(placeText(changeAt(2n)))
    expect(change?.changed).to.include.members(['value /a', 'value /b', 'value /c', 'mark a/1'])
  })

  it('makes changes of one key one after the other, each with a version of its own', async () => {
    const all = await Promise.all([put(0, '/a'), put(1, '/a'), put(2, '/a')])
    const versions = all.map((one) => (one.committed ? one.versions.get('/a') : undefined))
    expect(new Set(versions).size).to.equal(3)
  })

  it('decides anew what others have been faster with', async () => {
    let raced = false
    tables.afterRead = () => {
      if (raced) return
      raced = true
      tables.apply(tables.revision, [{ place: valueAt('/a'), become: { data: DATA } }])
    }
    const outcome = await committer.submit(commitChange(commit(0, write('/a', 'absent'))), call())
    expect(outcome).to.include({ committed: false })
  })

  it('says that it is unknown what became of a write without an answer', async () => {
    tables.next = 'reply lost'
    const change = commit(0, write('/a'))
    const error: unknown = await committer.submit(commitChange(change), call()).catch((reason: unknown) => reason)
    expect(error).to.include({ code: 'TIMEOUT', effect: 'unknown' })
    expect(await committer.submit(outcomeOf(change), call())).to.include({ committed: true })
  })

  it('answers what was refused although the write beside it had no answer', async () => {
    tables.next = 'reply lost'
    const [lost, refused] = await Promise.all([
      put(0, '/a').catch((reason: unknown) => reason),
      committer.submit(commitChange(commit(1, write('/b', 'present'))), call()),
    ])
    expect(tables.tried).to.have.lengthOf(2)
    expect(lost).to.include({ effect: 'unknown' })
    expect(refused).to.include({ committed: false })
  })

  it('lets no write take effect once it was settled that it has none', async () => {
    tables.next = 'late'
    const holder = { id: 'x', session: 'a', nonce: 'n', data: DATA }
    const error: unknown = await committer.submit(takeSeat(SEAT, holder), call()).catch((reason: unknown) => reason)
    expect(error).to.include({ effect: 'unknown' })
    await committer.settle(call())
    expect(tables.arrive()).to.equal(false)
    const writes = tables.tried.length
    await committer.settle(call())
    expect(tables.tried).to.have.lengthOf(writes)
  })

  it('has nothing to settle once it has seen that others have gone on', async () => {
    tables.next = 'late'
    await put(0, '/a').catch(() => undefined)
    tables.apply(tables.revision, [])
    await committer.submit(commitChange(commit(1, write('/b', 'present'))), call())
    const writes = tables.tried.length
    await committer.settle(call())
    expect(tables.tried).to.have.lengthOf(writes)
    expect(tables.arrive()).to.equal(false)
  })

  it('does not send what was given up while it waited', async () => {
    const abort = new AbortController()
    const first = put(0, '/first')
    const second = put(1, '/second', call(5000, abort.signal)).catch((reason: unknown) => reason)
    abort.abort()
    await first
    expect(await second).to.include({ code: 'TIMEOUT', effect: 'none' })
    expect(tables.rows.has('value /second')).to.equal(false)
  })

  it('gives up in time where others are always faster, without an effect', async () => {
    tables.afterRead = () => void tables.apply(tables.revision, [])
    const error: unknown = await put(0, '/a', call(100)).catch((reason: unknown) => reason)
    expect(error).to.include({ code: 'TIMEOUT', effect: 'none' })
  })

  it('refuses what no mutation can hold', async () => {
    const change = { key: '/a', expect: 'anything', become: new Uint8Array(2 << 20) } as const
    const error: unknown = await committer.submit(commitChange(commit(0, change)), call()).catch((e: unknown) => e)
    expect(error).to.include({ code: 'TOO_LARGE', effect: 'none' })
  })

  it('ends what waits when it is closed', async () => {
    const first = put(0, '/first').catch(() => undefined)
    const second = put(1, '/second').catch((reason: unknown) => reason)
    committer.close()
    expect(await second).to.include({ code: 'CLOSED', effect: 'none' })
    expect(await put(2, '/third').catch((reason: unknown) => reason)).to.include({ code: 'CLOSED', effect: 'none' })
    await first
    await delay(0)
  })
})
