import { expect } from 'chai'
import fc from 'fast-check'
import { compareKeys, isCoordinationError, toBytes, versionOf } from '../../spi/index.ts'
import type { Commit, KeyChange, Seat } from '../shared/driver.ts'
import { type Page, rangeBelow, rangeOfKeys, rangeOfSeat, Store, tokenOf, versionTextOf } from './store.ts'

const CLUSTER = 'c'
const LEADER: Seat = { kind: 'leader', service: 's' }
const holder = (session: string, nonce: string) => ({ id: 'h', session, nonce, data: toBytes(nonce) })

function commitOf(session: string, number: number, changes: readonly KeyChange[], slot = 0): Commit {
  return { id: { session, slot, number, after: number - 1 }, changes, fence: undefined }
}

function everything(store: Store, at?: number): Page {
  return store.page({ ...rangeOfKeys(CLUSTER, '/', '0'), limit: Infinity, keysOnly: false, at })
}

function shown(page: Page): readonly (readonly [string, string])[] {
  return page.rows.map(({ key, bytes }) => [key, Buffer.from(bytes).toString()] as const)
}

function errorOf(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    if (!isCoordinationError(error)) throw error
    return { code: error.code, effect: error.effect }
  }
}

/** What a client may do; sessions, seats and keys from few, so that they collide. */
const session = fc.constantFrom('x', 'y')
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('commit' as const), session, changes: changes() }) },
  fc.record({ do: fc.constant('take' as const), session }),
  fc.record({ do: fc.constant('empty' as const), guess: fc.boolean() }),
  fc.record({ do: fc.constant('amend' as const), guess: fc.boolean() }),
  fc.record({ do: fc.constant('open' as const), session }),
  fc.record({ do: fc.constant('end' as const), session }),
)

function changes() {
  const key = fc.constantFrom('/a', '/a/b', '/a0', '/é', '/\u{10000}', '/\uffee')
  const expectation = fc.constantFrom('anything' as const, 'absent' as const, 'present' as const)
  const become = fc.constantFrom('absent' as const, 'unchanged' as const, 'one', 'two')
  const change = fc.record({ key, expect: expectation, become })
  return fc.uniqueArray(change, { minLength: 1, maxLength: 3, selector: (one) => one.key })
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** The same in the words of the port, as simple as can be: maps. */
class Model {
  readonly live = new Set<string>()
  values = new Map<string, string>()
  seat: { session: string; token: bigint } | undefined

  commit(all: readonly { key: string; expect: 'anything' | 'absent' | 'present'; become: string }[]): boolean {
    const fits = all.every(
      ({ key, expect: wanted }) => wanted === 'anything' || (wanted === 'present') === this.values.has(key),
    )
    if (!fits) return false
    for (const { key, become } of all) {
      if (become === 'absent') this.values.delete(key)
      else if (become !== 'unchanged') this.values.set(key, become)
    }
    return true
  }
}

describe('the reference store', () => {
  it('does what a plain model does, and never gives a version or a token twice', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const store = new Store()
        const model = new Model()
        for (const one of ['x', 'y'] as const) run(store, model, { do: 'open', session: one }, 0, new Set())
        const versions = new Set<string>()
        let lastToken = -1n
        for (const [at, one] of steps.entries()) {
          const token = run(store, model, one, at, versions)
          if (token !== undefined && token > lastToken) lastToken = token
          else if (token !== undefined) expect(token).to.equal(model.seat?.token)
          const sorted = [...model.values].sort(([a], [b]) => compareKeys(a, b))
          expect(shown(everything(store))).to.deep.equal(sorted)
          const [row] = store.page({ ...rangeOfSeat(CLUSTER, LEADER), limit: 1, keysOnly: false, at: undefined }).rows
          expect(row && { session: row.occupant?.session, token: tokenOf(row) }).to.deep.equal(model.seat)
        }
      }),
    )
  })

  it('shows every moment that it remembers as it was', () => {
    fc.assert(
      fc.property(fc.array(changes(), { maxLength: 30 }), (commits) => {
        const store = new Store()
        store.openSession('x', 1)
        const moments = new Map([[store.revision, shown(everything(store))]])
        for (const [at, all] of commits.entries()) {
          store.commit(CLUSTER, commitOf('x', at + 1, all.map(changeOf)))
          moments.set(store.revision, shown(everything(store)))
        }
        for (const [revision, was] of moments) expect(shown(everything(store, revision))).to.deep.equal(was)
      }),
    )
  })

  it('tells all changes since any revision: applied to what was there they give what is there', () => {
    fc.assert(
      fc.property(fc.array(changes(), { maxLength: 30 }), fc.nat(30), (commits, from) => {
        const store = new Store()
        store.openSession('x', 1)
        let then = new Map<string, string>()
        let since = 0
        for (const [at, all] of commits.entries()) {
          if (at === from) {
            then = new Map(shown(everything(store)))
            since = store.revision
          }
          store.commit(CLUSTER, commitOf('x', at + 1, all.map(changeOf)))
        }
        for (const { key, after } of store.changesSince(since) ?? []) {
          if (after === undefined) then.delete(key)
          else then.set(key, Buffer.from(after.bytes).toString())
        }
        expect([...then].sort(([a], [b]) => compareKeys(a, b))).to.deep.equal(shown(everything(store)))
      }),
    )
  })

  it('does a commit once, however often it comes, and never once it has been asked about in vain', () => {
    const store = new Store()
    store.openSession('x', 1)
    const increment = commitOf('x', 1, [{ key: '/k', expect: 'absent', become: toBytes('1') }])
    const first = store.commit(CLUSTER, increment)
    expect(store.commit(CLUSTER, increment)).to.equal(first)
    expect(store.outcomeOf(increment.id)).to.equal(first)
    const lost = commitOf('x', 2, [{ key: '/k', expect: 'present', become: toBytes('2') }])
    expect(store.outcomeOf(lost.id)).to.equal('never')
    expect(errorOf(() => store.commit(CLUSTER, lost))).to.deep.equal({ code: 'TIMEOUT', effect: 'none' })
    expect(errorOf(() => store.commit(CLUSTER, increment))).to.deep.equal({ code: 'TIMEOUT', effect: 'none' })
    expect(shown(everything(store))).to.deep.equal([['/k', '1']])
  })

  it('refuses what hangs on a session that is over', () => {
    const store = new Store()
    store.openSession('x', 1)
    store.endSession('x')
    const gone = { code: 'SESSION_LOST', effect: 'none' }
    expect(errorOf(() => store.takeSeat(CLUSTER, LEADER, holder('x', 'n')))).to.deep.equal(gone)
    expect(errorOf(() => store.commit(CLUSTER, commitOf('x', 1, [])))).to.deep.equal(gone)
    expect(store.renewSession('x')).to.equal(undefined)
  })

  it('cannot say what became of a commit once its session is over', () => {
    const store = new Store()
    store.openSession('x', 1)
    const { id } = commitOf('x', 1, [])
    store.endSession('x')
    expect(errorOf(() => store.outcomeOf(id))).to.deep.equal({ code: 'SESSION_LOST', effect: 'unknown' })
  })

  it('compares versions, and a version does not come back', () => {
    const store = new Store()
    store.openSession('x', 1)
    let number = 0
    const change = (expectation: KeyChange['expect'], become: KeyChange['become']) =>
      store.commit(CLUSTER, commitOf('x', ++number, [{ key: '/k', expect: expectation, become }]))
    change('absent', toBytes('v'))
    const version = versionOf(versionTextOf(store.revision))
    change('present', 'absent')
    change('absent', toBytes('v'))
    expect(change(version, toBytes('w')).committed).to.equal(false)
    expect(change(versionOf(versionTextOf(store.revision)), toBytes('w')).committed).to.equal(true)
  })

  it('forgets the oldest history beyond its limits, and says so', () => {
    const store = new Store(0, { changes: 5, bytes: 1_000 })
    store.openSession('x', 1)
    for (let at = 1; at <= 50; at++) {
      store.commit(CLUSTER, commitOf('x', at, [{ key: '/k', expect: 'anything', become: toBytes(`${at}`) }]))
    }
    expect(store.changesSince(0)).to.equal(undefined)
    expect(errorOf(() => everything(store, 1))).to.deep.equal({ code: 'OVERLOADED', effect: 'none' })
    expect(store.changesSince(47)?.map(({ revision }) => revision)).to.deep.equal([48, 49, 50])
    expect(shown(everything(store, 48))).to.deep.equal([['/k', '48']])
    store.forgetHistory()
    expect(store.changesSince(49)).to.equal(undefined)
    expect(store.changesSince(50)).to.deep.equal([])
    const large = ['/l', '/m'].map((key) => ({ key, expect: 'anything' as const, become: new Uint8Array(3_000) }))
    store.commit(CLUSTER, commitOf('x', 51, large))
    expect(store.changesSince(50), 'one commit beyond all limits').to.have.length(2)
  })

  it('ends a page that is full by the bytes of its values, after one row at least', () => {
    const store = new Store()
    store.openSession('x', 1)
    for (const [at, key] of ['/1', '/2', '/3'].entries()) {
      const become = new Uint8Array(3 * 1024 * 1024)
      store.commit(CLUSTER, commitOf('x', at + 1, [{ key, expect: 'absent', become }]))
    }
    const { rows, more } = everything(store)
    expect([rows.length, more]).to.deep.equal([2, true])
    const keys = store.page({ ...rangeBelow(CLUSTER, '/'), limit: Infinity, keysOnly: true, at: undefined })
    expect([keys.rows.length, keys.more]).to.deep.equal([3, false])
  })
})

function changeOf(change: { key: string; expect: 'anything' | 'absent' | 'present'; become: string }): KeyChange {
  const { become } = change
  return { ...change, become: become === 'absent' || become === 'unchanged' ? become : toBytes(become) }
}

/** @returns the token of who sits there after a `take`. */
function run(store: Store, model: Model, one: Step, at: number, versions: Set<string>): bigint | undefined {
  switch (one.do) {
    case 'open':
      store.openSession(one.session, 1)
      model.live.add(one.session)
      return undefined
    case 'end':
      store.endSession(one.session)
      model.live.delete(one.session)
      if (model.seat?.session === one.session) model.seat = undefined
      return undefined
    case 'amend': {
      const token = one.guess ? 0n : (model.seat?.token ?? 0n)
      const isHeld = !one.guess && model.seat !== undefined
      expect(store.amendSeat(CLUSTER, LEADER, token, toBytes('new'))).to.equal(isHeld)
      return undefined
    }
    case 'empty':
      store.emptySeat(CLUSTER, LEADER, one.guess ? 0n : (model.seat?.token ?? 0n))
      if (!one.guess) model.seat = undefined
      return undefined
    case 'take': {
      if (!model.live.has(one.session)) return undefined
      const token = tokenOf(store.takeSeat(CLUSTER, LEADER, holder(one.session, `${at}`)))
      model.seat ??= { session: one.session, token }
      return token
    }
    case 'commit': {
      if (!model.live.has(one.session)) return undefined
      const outcome = store.commit(CLUSTER, commitOf(one.session, 1, one.changes.map(changeOf), at))
      expect(outcome.committed).to.equal(model.commit(one.changes))
      if (!outcome.committed) return undefined
      for (const key of outcome.written) {
        const version = `${key} ${outcome.revision}`
        expect(versions.has(version)).to.equal(false)
        versions.add(version)
      }
      return undefined
    }
  }
}
