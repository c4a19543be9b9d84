import { expect } from 'chai'
import fc from 'fast-check'
import type { Key, KeyRange } from '../bytes/key.ts'
import { contains, isEmptyRange } from '../bytes/key.ts'
import { IntervalIndex } from './interval-index.ts'

const letters = ['', 'a', 'ab', 'b', 'c', 'cc', 'd', 'ÿ'] as Key[]
const anyKey = fc.constantFrom(...letters)
const anyRange: fc.Arbitrary<KeyRange> = fc
  .record({ start: anyKey, end: fc.oneof(anyKey, fc.constant(null)) })
  .filter((range) => !isEmptyRange(range))

function collect(index: IntervalIndex<string>, key: string): string[] {
  const found: string[] = []
  index.collect(key as Key, found)
  return found
}

function nameOf(range: KeyRange): string {
  return `${range.start}..${range.end ?? 'end'}`
}

describe('IntervalIndex', () => {
  it('finds the ranges that contain a key: start included, end excluded, null as no end', () => {
    const index = new IntervalIndex<string>()
    for (const [start, end] of [
      ['b', 'd'],
      ['a', 'c'],
      ['c', null],
    ] as [Key, Key | null][]) {
      index.insert({ start, end }, nameOf({ start, end }))
    }
    expect(collect(index, 'a')).to.deep.equal(['a..c'])
    expect(collect(index, 'b')).to.deep.equal(['a..c', 'b..d'])
    expect(collect(index, 'c')).to.deep.equal(['b..d', 'c..end'])
    expect(collect(index, 'z')).to.deep.equal(['c..end'])
    expect(collect(index, '')).to.deep.equal([])
  })

  it('agrees with a plain list under random insertions and removals', () => {
    fc.assert(
      fc.property(fc.array(anyRange, { maxLength: 60 }), (toggled) => {
        const index = new IntervalIndex<string>()
        const plain = new Map<string, KeyRange>()
        for (const range of toggled) {
          const name = nameOf(range)
          expect(index.get(range)).to.equal(plain.has(name) ? name : undefined)
          if (plain.delete(name)) index.remove(range)
          else {
            plain.set(name, range)
            index.insert(range, name)
          }
          expect(index.size).to.equal(plain.size)
          for (const key of letters) {
            const expected = [...plain.values()].filter((held) => contains(held, key)).map(nameOf)
            expect(collect(index, key)).to.have.members(expected)
          }
        }
      }),
      { numRuns: 150 },
    )
  })

  it('stays balanced when ranges come and go in key order', () => {
    const index = new IntervalIndex<number>()
    const rangeNumber = (n: number): KeyRange => {
      const start = String(n).padStart(5, '0') as Key
      return { start, end: `${start}~` as Key }
    }
    for (let n = 0; n < 4096; n++) index.insert(rangeNumber(n), n)
    expect(index.height).to.be.at.most(1.45 * Math.log2(4098))
    for (let n = 0; n < 4000; n++) index.remove(rangeNumber(n))
    expect(index.size).to.equal(96)
    expect(index.height).to.be.at.most(1.45 * Math.log2(98))
  })

  it('refuses to hold a range twice or to remove one that it does not hold', () => {
    const index = new IntervalIndex<number>()
    const range = { start: 'a' as Key, end: 'b' as Key }
    index.insert(range, 1)
    expect(() => index.insert(range, 2)).to.throw('already in the interval index')
    expect(() => index.remove({ start: 'a' as Key, end: null })).to.throw('not in the interval index')
  })
})
