/** The union of key ranges, beside a plain list of them. */
import { expect } from 'chai'
import fc from 'fast-check'
import { contains, isEmptyRange, type Key, type KeyRange, keyFromText } from '../bytes/key.ts'
import { RangeSet } from './range-set.ts'

describe('RangeSet', () => {
  const key = fc.integer({ min: 0, max: 60 }).map((number): Key => keyFromText(String(number).padStart(2, '0')))
  const range: fc.Arbitrary<KeyRange> = fc
    .tuple(key, fc.option(key, { nil: null, freq: 20 }))
    .map(([start, end]) => ({ start, end }))

  it('contains exactly the keys of its ranges, also those of a set that was added', () => {
    fc.assert(
      fc.property(
        fc.array(range, { maxLength: 30, size: 'max' }),
        fc.array(range, { maxLength: 30, size: 'max' }),
        (own, added) => {
          const [set, other] = [new RangeSet(), new RangeSet()]
          expect(set.isEmpty).to.equal(true)
          for (const each of own) set.add(each)
          for (const each of added) other.add(each)
          set.addAll(other)
          const all = [...own, ...added]
          expect(set.isEmpty).to.equal(all.every(isEmptyRange))
          for (let number = 0; number <= 61; number++) {
            const probe = keyFromText(String(number).padStart(2, '0'))
            expect(set.has(probe), probe).to.equal(all.some((each) => contains(each, probe)))
          }
        },
      ),
    )
  })
})
