import { expect } from 'chai'
import fc from 'fast-check'
import { EMPTY_KEY, FROM_KEY_END, keyFromText } from '../bytes/key.ts'
import {
  type RangeOperation,
  SORT_ASCEND,
  SORT_DESCEND,
  SORT_NONE,
  TARGET_CREATE,
  TARGET_KEY,
  TARGET_MOD,
  TARGET_VALUE,
  TARGET_VERSION,
} from '../command/operations.ts'
import { write } from '../mvcc/store-suite.ts'
import { createStore, type MvccStore } from '../mvcc/store.ts'
import { range } from './operations.fixture.ts'
import { executeRange } from './range.ts'

const ALL = range('', { key: FROM_KEY_END, rangeEnd: FROM_KEY_END })

describe('executeRange', () => {
  it('understands the forms of range_end', () => {
    const store = furniture()
    expect(keys(store, { key: keyFromText('b'), rangeEnd: EMPTY_KEY })).to.equal('b')
    expect(keys(store, { key: keyFromText('b'), rangeEnd: FROM_KEY_END })).to.equal('b c d')
    expect(keys(store, { key: keyFromText('b'), rangeEnd: keyFromText('d') })).to.equal('b c')
    expect(keys(store, { key: keyFromText('b'), rangeEnd: keyFromText('a') })).to.equal('')
    expect(keys(store, {})).to.equal('a b c d')
  })

  it('counts all keys of the range, whatever the limit and the filters', () => {
    const store = furniture()
    const cut = executeRange(store, { ...ALL, limit: 2 }, store.revision)
    expect([cut.count, cut.more, cut.kvs.length]).to.deep.equal([4, true, 2])
    const whole = executeRange(store, { ...ALL, limit: 4 }, store.revision)
    expect([whole.count, whole.more, whole.kvs.length]).to.deep.equal([4, false, 4])
    const filtered = executeRange(store, { ...ALL, limit: 1, minModRevision: 5 }, store.revision)
    expect([filtered.count, filtered.more, filtered.kvs.length]).to.deep.equal([4, true, 1])
    const negative = executeRange(store, { ...ALL, limit: -1 }, store.revision)
    expect([negative.count, negative.more, negative.kvs.length]).to.deep.equal([4, false, 4])
    const counted = executeRange(store, { ...ALL, limit: 2, countOnly: true }, store.revision)
    expect([counted.count, counted.more, counted.kvs.length]).to.deep.equal([4, false, 0])
  })

  it('filters by inclusive bounds; a negative maximum lets nothing pass', () => {
    const store = furniture()
    expect(keys(store, { minModRevision: 4 })).to.equal('a b d')
    expect(keys(store, { maxModRevision: 4 })).to.equal('c d')
    expect(keys(store, { minCreateRevision: 3, maxCreateRevision: 4 })).to.equal('c d')
    expect(keys(store, { minModRevision: -1 })).to.equal('a b c d')
    expect(keys(store, { maxModRevision: -1 })).to.equal('')
    expect(keys(store, { maxCreateRevision: -1 })).to.equal('')
  })

  it('sorts by each target in both directions', () => {
    const store = furniture()
    const order = (sortTarget: number, sortOrder: number): string => keys(store, { sortTarget, sortOrder })
    expect(order(TARGET_KEY, SORT_ASCEND)).to.equal('a b c d')
    expect(order(TARGET_KEY, SORT_DESCEND)).to.equal('d c b a')
    expect(order(TARGET_VERSION, SORT_DESCEND)).to.equal('a b c d')
    expect(order(TARGET_VERSION, SORT_ASCEND)).to.equal('b c d a')
    expect(order(TARGET_CREATE, SORT_ASCEND)).to.equal('a c d b')
    expect(order(TARGET_MOD, SORT_ASCEND)).to.equal('c d b a')
    expect(order(TARGET_VALUE, SORT_ASCEND)).to.equal('d c a b')
    expect(order(TARGET_VALUE, SORT_DESCEND)).to.equal('b a c d')
  })

  it('sorts ascending by a target without an order, but after the limit has cut in key order', () => {
    const store = furniture()
    expect(keys(store, { sortTarget: TARGET_MOD })).to.equal('c d b a')
    // a, b and c (one more than wanted) are fetched, sorted by mod_revision, and cut to two.
    expect(keys(store, { sortTarget: TARGET_MOD, limit: 2 })).to.equal('c b')
    expect(keys(store, { sortTarget: TARGET_MOD, sortOrder: SORT_ASCEND, limit: 2 })).to.equal('c d')
  })

  it('reads the past', () => {
    const store = furniture()
    const { kvs, count } = executeRange(store, { ...ALL, sortTarget: TARGET_VALUE }, 3)
    expect([kvs.map(({ key }) => key).join(' '), count]).to.deep.equal(['c a', 2])
  })

  it('sorts whatever is asked, as a list that is filtered, sorted and cut by hand', () => {
    const operation = fc.record({
      limit: fc.integer({ min: -1, max: 12 }),
      sortOrder: fc.constantFrom(SORT_NONE, SORT_ASCEND, SORT_DESCEND),
      sortTarget: fc.constantFrom(TARGET_KEY, TARGET_VERSION, TARGET_CREATE, TARGET_MOD),
      minModRevision: fc.constantFrom(0, 0, 3),
      maxCreateRevision: fc.constantFrom(0, 0, 9),
    })
    const writes = fc.array(fc.constantFrom('k1=', 'k2=', 'k3=', 'k4=', 'k5=', 'k6=', 'k7=', '-k3'), { maxLength: 15 })
    fc.assert(
      fc.property(writes, operation, (changes, fields) => {
        const store = createStore()
        for (const change of changes) write(store, change)
        const { sortOrder, sortTarget, limit, minModRevision, maxCreateRevision } = fields
        const field = (['key', 'version', 'createRevision', 'modRevision'] as const)[sortTarget]
        const all = store.range({ start: EMPTY_KEY, end: null }, store.revision, 0).versions
        const isCutFirst = sortOrder === SORT_NONE && minModRevision === 0 && maxCreateRevision === 0 && limit > 0
        const expected = all
          .slice(0, isCutFirst ? limit + 1 : undefined)
          .filter((version) => version.modRevision >= minModRevision)
          .filter((version) => maxCreateRevision === 0 || version.createRevision <= maxCreateRevision)
          // Stable, as Go's sort is for so few.
          .sort(
            (a, b) => (a[field] < b[field] ? -1 : a[field] > b[field] ? 1 : 0) * (sortOrder === SORT_DESCEND ? -1 : 1),
          )
        const { kvs, more, count } = executeRange(store, { ...ALL, ...fields }, store.revision)
        expect(kvs).to.deep.equal(limit > 0 ? expected.slice(0, limit) : expected)
        expect(more).to.equal(limit > 0 && expected.length > limit)
        expect(count).to.equal(all.length)
      }),
      { numRuns: 300 },
    )
  })
})

/** Live keys: a (created 2, modified 6, version 2), c (3, 3, 1), d (4, 4, 1), b (5, 5, 1). */
function furniture(): MvccStore {
  const store = createStore()
  for (const change of ['a=5', 'c=4', 'd=1', 'b=9', 'a=7']) write(store, change)
  return store
}

function keys(store: MvccStore, fields: Partial<RangeOperation>): string {
  const { kvs } = executeRange(store, { ...ALL, ...fields }, store.revision)
  return kvs.map(({ key }) => key).join(' ')
}
