import { expect } from 'chai'
import { EMPTY_KEY, type Key, keyFromText, rangeOf } from '../bytes/key.ts'
import { MemoryValues } from './memory-values.ts'
import { compactFully, described, describedEvents, write } from './store-suite.ts'
import { createStore } from './store.ts'
import type { ValueStore } from './value-store.ts'
import { VALUE_STORES, type ValueStores } from './value-stores.fixture.ts'

const EVERYTHING = { start: EMPTY_KEY, end: null }
const at = (name: string): Key => keyFromText(name)

for (const adapter of VALUE_STORES) {
  describe(`on ${adapter.name},`, () => {
    let stores: ValueStores
    let values: ValueStore
    before(async () => {
      stores = await adapter.open()
    })
    beforeEach(async () => {
      values = await stores.fresh()
    })
    after(() => stores.close())

    describe('a store', () => {
      it('is empty at revision 1', () => {
        const store = createStore(values)
        expect([store.revision, store.compactRevision, store.keyCount, store.liveBytes]).to.deep.equal([1, -1, 0, 0])
        expect(store.range(EVERYTHING, 1, 0)).to.deep.equal({ versions: [], count: 0 })
        expect(store.allocatedBytes).to.be.greaterThan(0)
      })

      it('counts generations, versions and revisions', () => {
        const store = createStore(values)
        write(store, 'a=1')
        write(store, 'a=2')
        write(store, '-a')
        write(store, 'a=3')
        const seen = [2, 3, 5].map((revision) => {
          const { createRevision, modRevision, version } = store.get(at('a'), revision)!
          return [createRevision, modRevision, version]
        })
        expect(seen).to.deep.equal([
          [2, 2, 1],
          [2, 3, 2],
          [5, 5, 1],
        ])
        expect(store.get(at('a'), 4)).to.equal(undefined)
        expect(store.keyCount).to.equal(1)
      })

      it('does not move its revision for a write that changes nothing', () => {
        const store = createStore(values)
        expect(write(store, '-a')).to.equal(undefined)
        expect(write(store)).to.equal(undefined)
        expect(store.revision).to.equal(1)
      })

      it('counts the keys before an open write and those that the write sees', () => {
        const store = createStore(values)
        write(store, 'a=1', 'b=1')
        const txn = store.begin()
        txn.put(at('c'), Buffer.alloc(0), 0n)
        const counts = [2, 3].map((revision) => txn.range(EVERYTHING, revision, 0, true).count)
        txn.deleteRange(EVERYTHING)
        const countsAfterDelete = [2, 3].map((revision) => txn.range(EVERYTHING, revision, 0, true).count)
        txn.commit()
        expect([...counts, ...countsAfterDelete, store.range(EVERYTHING, 3, 0, true).count]).to.deep.equal([
          2, 3, 2, 0, 0,
        ])
      })

      it('copies values, keeps leases with all their bits and encodes as protobuf does', () => {
        const store = createStore(values)
        const txn = store.begin()
        const value = Buffer.from('x')
        const { version } = txn.put(at('a'), value, -1n)
        txn.commit()
        value.fill(0)
        expect(version.lease).to.equal(-1n)
        expect(Buffer.from(version.value()).toString()).to.equal('x')
        expect(Buffer.from(version.encoded()).toString('hex')).to.equal(
          '0a0161100218022001' + '2a0178' + '30ffffffffffffffffff01',
        )
        expect(version.encodedLength).to.equal(version.encoded().length)
      })

      it('reads the past', () => {
        const store = createStore(values)
        write(store, 'a=1', 'b=1', 'c=1')
        write(store, '-b')
        const past = store.range(rangeOf(at('a'), at('c')), 2, 1)
        expect([past.versions.map(described), past.count]).to.deep.equal([['a=1@2.0'], 2])
        const now = store.range(EVERYTHING, 3, 0)
        expect(now.versions.map(described)).to.deep.equal(['a=1@2.0', 'c=1@2.2'])
        expect(store.range(EVERYTHING, 3, 0, true)).to.deep.equal({ versions: [], count: 2 })
        expect(store.range(EVERYTHING, 2, 0, true)).to.deep.equal({ versions: [], count: 3 })
        expect(store.range(rangeOf(at('b'), EMPTY_KEY), 2, 0).versions.map(described)).to.deep.equal(['b=1@2.1'])
        expect(store.range(rangeOf(at('b'), EMPTY_KEY), 3, 0).count).to.equal(0)
      })

      it('refuses revisions that are compacted or in the future', () => {
        const store = createStore(values)
        expect(store.compact(0)).to.equal(undefined)
        expect(store.compact(0)).to.equal('compacted')
        write(store, 'a=1')
        write(store, 'a=2')
        expect(store.compact(4)).to.equal('future')
        expect(store.compact(3)).to.equal(undefined)
        expect(store.compact(2)).to.equal('compacted')
        expect([2, 3, 4].map((revision) => store.checkRevision(revision))).to.deep.equal([
          'compacted',
          undefined,
          'future',
        ])
      })
    })

    describe('a write', () => {
      it('sees its own changes at the next revision, and numbers them', () => {
        const store = createStore(values)
        write(store, 'a=1')
        const txn = store.begin()
        expect([txn.revision, txn.changed]).to.deep.equal([2, false])
        expect(described(txn.put(at('b'), Buffer.from('2'), 0n).previous)).to.equal('nothing')
        expect([txn.revision, txn.changed]).to.deep.equal([3, true])
        expect(txn.deleteRange(EVERYTHING).map(described)).to.deep.equal(['a=1@2.0', 'b=2@3.0'])
        expect(txn.range(EVERYTHING, 3, 0).count).to.equal(0)
        expect(txn.range(EVERYTHING, 2, 0).versions.map(described)).to.deep.equal(['a=1@2.0'])
        expect(describedEvents([txn.commit()])).to.deep.equal([
          'b=2@3.0 ← nothing',
          '-a@3.1 ← a=1@2.0',
          '-b@3.2 ← nothing',
        ])
      })

      it('is not seen by readers of the store before it is committed', () => {
        const store = createStore(values)
        write(store, 'a=1')
        const txn = store.begin()
        txn.put(at('a'), Buffer.from('2'), 0n)
        expect(described(store.get(at('a'), store.revision))).to.equal('a=1@2.0')
        expect(describedEvents(store.commits(1, 10, 1000))).to.deep.equal(['a=1@2.0 ← nothing'])
        txn.commit()
        expect(described(store.get(at('a'), store.revision))).to.equal('a=2@3.0')
      })

      it('begins a new generation when it puts a key that it has deleted', () => {
        const store = createStore(values)
        write(store, 'a=1')
        write(store, '-a', 'a=2')
        const { createRevision, version, sub } = store.get(at('a'), 3)!
        expect([createRevision, version, sub]).to.deep.equal([3, 1, 1])
      })

      it('is the only one, and ends once', () => {
        const store = createStore(values)
        const txn = store.begin()
        expect(() => store.begin()).to.throw('has not ended')
        txn.commit()
        expect(() => txn.commit()).to.throw('has ended')
        expect(() => txn.put(at('a'), Buffer.alloc(0), 0n)).to.throw('has ended')
        store.begin().commit()
      })
    })

    describe('the history of a store', () => {
      it('gives whole commits from a revision on, within limits', () => {
        const store = createStore(values)
        for (let index = 0; index < 10; index++) write(store, `a=${index}`, `b=${index}`)
        const revisions = (from: number, count: number, bytes: number): number[] =>
          store.commits(from, count, bytes).map(({ revision }) => revision)
        expect(revisions(9, 10, 10_000)).to.deep.equal([9, 10, 11])
        expect(revisions(2, 3, 10_000)).to.deep.equal([2, 3, 4])
        expect(revisions(2, 10, 0)).to.deep.equal([2])
        expect(revisions(2, 10, 24)).to.deep.equal([2, 3])
        expect(revisions(12, 10, 10_000)).to.deep.equal([])
        expect(store.commits(2, 1, 0)[0]!.events).to.have.lengthOf(2)
      })

      it('gives as previous the state at the revision before', () => {
        const store = createStore(values)
        write(store, 'a=1')
        const live = [write(store, 'a=2', '-a'), write(store, 'a=3'), write(store, 'a=4')]
        const expected = ['a=2@3.0 ← a=1@2.0', '-a@3.1 ← a=1@2.0', 'a=3@4.0 ← nothing', 'a=4@5.0 ← a=3@4.0']
        expect(describedEvents(live)).to.deep.equal(expected)
        expect(describedEvents(store.commits(3, 10, 1000))).to.deep.equal(expected)
      })

      it('tells a watch from the compacted revision what etcd tells it', () => {
        const store = createStore(values)
        write(store, 'a=1', 'b=1', 'c=1')
        write(store, 'a=2', 'b=2', '-a', '-c')
        write(store, 'b=3')
        store.compact(3)
        const expected = ['b=2@3.1 ← nothing', '-a@3.2 ← nothing', '-c@3.3 ← nothing', 'b=3@4.0 ← b=2@3.1']
        expect(describedEvents(store.commits(3, 10, 1000))).to.deep.equal(expected)
        while (!store.scrub(1));
        expect(describedEvents(store.commits(3, 10, 1000))).to.deep.equal(expected)
        expect(() => store.commits(2, 1, 1)).to.throw('from revision 2, compacted at 3')
      })
    })
  })
}

describe('memory', () => {
  it('comes back in slices after a compaction', () => {
    const store = createStore(new MemoryValues(1024))
    for (let index = 0; index < 300; index++) write(store, `a=${'x'.repeat(100)}${index}`)
    const { allocatedBytes } = store
    expect(store.scrubPending).to.equal(false)
    store.compact(store.revision)
    expect(store.scrubPending).to.equal(true)
    expect(store.allocatedBytes).to.equal(allocatedBytes)
    let slices = 1
    while (!store.scrub(10)) slices++
    expect(slices).to.be.greaterThan(20)
    expect(store.scrubPending).to.equal(false)
    expect(store.liveBytes).to.equal(store.get(at('a'), store.revision)!.encodedLength)
    expect(store.allocatedBytes).to.be.at.most(2048)
  })

  it('comes back for keys that are deleted, one compaction after their tombstone', () => {
    const store = createStore()
    write(store, 'a=1', 'b=1')
    write(store, '-a')
    compactFully(store, 3)
    expect(store.liveBytes).to.be.greaterThan(store.get(at('b'), 3)!.encodedLength)
    write(store, 'c=1')
    compactFully(store, 4)
    const alive = store.range(EVERYTHING, 4, 0).versions
    expect(store.liveBytes).to.equal(alive.reduce((sum, { encodedLength }) => sum + encodedLength, 0))
  })

  it('is made compact by defragmentation, and views given out stay valid', () => {
    const store = createStore(new MemoryValues(4096))
    for (let index = 0; index < 400; index++) write(store, `k${index}=${index}:${'v'.repeat(80)}`)
    for (let index = 0; index < 400; index++) if (index % 8 !== 0) write(store, `-k${index}`)
    compactFully(store, store.revision)
    write(store, 'last=1')
    compactFully(store, store.revision)
    const before = store.range(EVERYTHING, store.revision, 0).versions
    const views = before.map((version) => version.encoded())
    const copies = views.map((view) => Buffer.from(view).toString('hex'))
    expect(store.allocatedBytes).to.be.greaterThan(store.liveBytes * 3)
    let slices = 1
    while (!store.defragment(10)) slices++
    expect(slices).to.be.greaterThan(4)
    expect(store.allocatedBytes).to.be.lessThan(store.liveBytes * 2 + 4096)
    expect(views.map((view) => Buffer.from(view).toString('hex'))).to.deep.equal(copies)
    expect(before.map((version) => Buffer.from(version.encoded()).toString('hex'))).to.deep.equal(copies)
  })
})
