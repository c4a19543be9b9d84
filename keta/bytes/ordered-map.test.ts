import { expect } from 'chai'
import fc from 'fast-check'
import { type Key, keyFromText, successor } from './key.ts'
import { OrderedMap } from './ordered-map.ts'

const key = (number: number): Key => keyFromText(String(number).padStart(6, '0'))

describe('OrderedMap', () => {
  it('keeps keys in order whatever the order of insertion', () => {
    for (const step of [1, 7919, 99_999]) {
      const map = new OrderedMap<number>()
      for (let index = 0; index < 5000; index++) map.set(key((index * step) % 100_003), index)
      expect(map.size).to.equal(5000)
      const seen = scanned(map)
      expect(seen).to.have.lengthOf(5000)
      expect(seen).to.deep.equal([...seen].sort())
    }
  })

  it('replaces the value of a key that is there', () => {
    const map = new OrderedMap<string>()
    map.set(key(1), 'old')
    map.set(key(1), 'new')
    expect(map.get(key(1))).to.equal('new')
    expect(map.size).to.equal(1)
  })

  it('creates a value only for a key that is not there', () => {
    const map = new OrderedMap<string>()
    expect(map.getOrInsert(key(1), (created) => `made for ${created}`)).to.equal('made for 000001')
    expect(map.getOrInsert(key(1), () => expect.fail('must not be called'))).to.equal('made for 000001')
    expect(map.get(key(2))).to.equal(undefined)
  })

  it('finds the first key at or after a key', () => {
    const map = mapOf(3000, 2)
    expect(map.firstKeyAtOrAfter(key(10))).to.equal(key(10))
    expect(map.firstKeyAtOrAfter(key(11))).to.equal(key(12))
    expect(map.firstKeyAtOrAfter(key(5999))).to.equal(undefined)
    expect(new OrderedMap().firstKeyAtOrAfter(key(1))).to.equal(undefined)
  })

  it('scans half-open ranges, also across blocks, and stops when told', () => {
    const map = mapOf(3000, 1)
    expect(scanned(map, key(100), key(2500))).to.have.lengthOf(2400)
    expect(scanned(map, key(2999), null)).to.deep.equal([key(2999)])
    expect(scanned(map, key(500), key(500))).to.deep.equal([])
    expect(scanned(map, key(600), key(500))).to.deep.equal([])
    const seen: Key[] = []
    map.scan(key(5), null, (_value, at) => seen.push(at) < 3)
    expect(seen).to.deep.equal([key(5), key(6), key(7)])
  })

  it('can be changed between the slices of a scan', () => {
    const map = mapOf(2000, 2)
    const seen: Key[] = []
    let next = key(0)
    for (let more = true; more; ) {
      more = false
      let left = 100
      map.scan(next, null, (_value, at) => {
        more = left-- > 0
        if (more) seen.push(at)
        next = successor(at)
        return left > 0
      })
      map.delete(seen[seen.length - 1]!)
      map.set(key(1), 0)
    }
    expect(seen).to.deep.equal(Array.from({ length: 2000 }, (_, index) => key(index * 2)))
  })

  it('is empty again after all keys are deleted, in any order', () => {
    for (const step of [1, 1999, 777]) {
      const map = mapOf(2000, 1)
      for (let index = 0; index < 2000; index++) expect(map.delete(key((index * step) % 2000))).to.equal(true)
      expect(map.size).to.equal(0)
      expect(scanned(map)).to.deep.equal([])
      expect(map.delete(key(1))).to.equal(false)
      map.set(key(3), 3)
      expect(map.get(key(3))).to.equal(3)
    }
  })

  it('does what a sorted list does', () => {
    const operation = fc.record({ kind: fc.constantFrom('set', 'set', 'delete', 'fill', 'clear'), at: fc.nat(3000) })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), fc.nat(3000), fc.nat(3000), (operations, from, to) => {
        const map = new OrderedMap<number>()
        const model = new Map<Key, number>()
        operations.forEach(({ kind, at }, step) => {
          // Runs of 300 make blocks split and join.
          const count = kind === 'fill' || kind === 'clear' ? 300 : 1
          for (let index = at; index < at + count; index++) {
            if (kind === 'set' || kind === 'fill') {
              map.set(key(index), step)
              model.set(key(index), step)
            } else expect(map.delete(key(index))).to.equal(model.delete(key(index)))
          }
        })
        const sorted = [...model.keys()].sort()
        expect(map.size).to.equal(model.size)
        expect(scanned(map)).to.deep.equal(sorted)
        const inRange = sorted.filter((at) => at >= key(from) && at < key(to))
        expect(scanned(map, key(from), key(to))).to.deep.equal(inRange)
        for (const [at, value] of model) expect(map.get(at)).to.equal(value)
      }),
      { numRuns: 60 },
    )
  })
})

function mapOf(count: number, step: number): OrderedMap<number> {
  const map = new OrderedMap<number>()
  for (let index = 0; index < count; index++) map.set(key(index * step), index)
  return map
}

function scanned<V>(map: OrderedMap<V>, start = '' as Key, end: Key | null = null): Key[] {
  const keys: Key[] = []
  map.scan(start, end, (_value, at) => {
    keys.push(at)
    return true
  })
  return keys
}
