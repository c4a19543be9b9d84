/** Tests of goSort against permutations that Go's sort.Sort (1.26) made of the same inputs. */
import { expect } from 'chai'
import { crc32c } from './crc32c.ts'
import { goSort } from './go-sort.ts'

interface Item {
  readonly key: number
  readonly id: number
}

/** Shape of the input, its length, number of different keys; checksum of the sorted ids, and of the reverse-sorted. */
const GOLDEN: readonly (readonly [string, number, number, string, string])[] = [
  ['random', 13, 2, '3bec9864', '2db9cc0b'],
  ['random', 13, 100, 'c4124f74', 'f2d4ce84'],
  ['random', 50, 2, 'cd23a147', '0179c41d'],
  ['random', 50, 100, 'e496e318', '8bf9793a'],
  ['random', 300, 2, '42ced990', '3babec1a'],
  ['random', 300, 100, '3c13617d', '96f09d20'],
  ['random', 2000, 2, 'c8004e52', '9c071b0b'],
  ['random', 2000, 100, '84781664', '3cbb77e4'],
  ['ascending', 13, 2, '589fb06f', '2f2c985e'],
  ['ascending', 13, 100, '589fb06f', '875a46cb'],
  ['ascending', 50, 2, 'cb635e70', '81cb7c89'],
  ['ascending', 50, 100, 'cb635e70', 'e00967c2'],
  ['ascending', 300, 2, '48378707', '1971a20a'],
  ['ascending', 300, 100, '48378707', '8cf9f284'],
  ['ascending', 2000, 2, '1ccc88b6', '22f35aff'],
  ['ascending', 2000, 100, '1ccc88b6', '17cfc639'],
  ['descending', 13, 2, '852029d3', '589fb06f'],
  ['descending', 13, 100, '875a46cb', '589fb06f'],
  ['descending', 50, 2, '5ed5726d', 'cb635e70'],
  ['descending', 50, 100, 'e00967c2', 'cb635e70'],
  ['descending', 300, 2, 'e6d57ebe', '48378707'],
  ['descending', 300, 100, '87b699c1', '48378707'],
  ['descending', 2000, 2, '8395207b', '1ccc88b6'],
  ['descending', 2000, 100, 'c008cea5', '1ccc88b6'],
  ['sawtooth', 13, 2, '73446bf9', '92fd7aa7'],
  ['sawtooth', 13, 100, '589fb06f', '875a46cb'],
  ['sawtooth', 50, 2, '7ad950cb', 'e14d6812'],
  ['sawtooth', 50, 100, 'cb635e70', 'e00967c2'],
  ['sawtooth', 300, 2, '3d8f3cde', 'e4d5f3bc'],
  ['sawtooth', 300, 100, 'b2d2f815', 'f93eea4d'],
  ['sawtooth', 2000, 2, '33af0387', '34025add'],
  ['sawtooth', 2000, 100, '5fbc7647', '89a83486'],
  ['organ', 13, 2, '133afd03', '4833fac6'],
  ['organ', 13, 100, '133afd03', '4833fac6'],
  ['organ', 50, 2, '337f0527', 'd18f4148'],
  ['organ', 50, 100, '184b56f4', '9e164fa0'],
  ['organ', 300, 2, '1874a365', '16d8f915'],
  ['organ', 300, 100, '9849f5a3', 'b2a8171a'],
  ['organ', 2000, 2, '71d1f355', '846f42a0'],
  ['organ', 2000, 100, 'df43cb25', '55e0b0de'],
  ['nearly', 13, 2, '76509016', 'ebbc1c9f'],
  ['nearly', 13, 100, 'e28f0278', '19fd3a56'],
  ['nearly', 50, 2, '69e60880', '8dd7a07c'],
  ['nearly', 50, 100, '76af8d87', 'c8778e27'],
  ['nearly', 300, 2, '23b3d8d4', '7bd7f10b'],
  ['nearly', 300, 100, '989da693', 'ba74c165'],
  ['nearly', 2000, 2, '903c5636', '89258a20'],
  ['nearly', 2000, 100, '83f08b8a', 'bb93212e'],
]

/** Inputs on which every pivot is bad: length; checksum of the keys, of their order, of the ids sorted by key / 4. */
const GOLDEN_KILLERS: readonly (readonly [number, string, string, string])[] = [
  [100, '4162f724', 'e079373e', '58bb8b1f'],
  [500, '4ec68e69', '0f11d59d', '4e047b26'],
  [2000, 'a6313968', '3feb6408', '859e88d4'],
]

describe('goSort', () => {
  it('orders ties of a short input as Go does', () => {
    const items = itemsOf([3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3])
    goSort(items, (a, b) => a.key < b.key)
    expect(items.map(({ id }) => id)).to.deep.equal([7, 1, 13, 10, 4, 8, 5, 11, 2, 14, 6, 0, 9, 3, 12, 15])
  })

  it('is stable up to 12 items, in both directions', () => {
    const keys = [2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]
    const ascending = itemsOf(keys)
    goSort(ascending, (a, b) => a.key < b.key)
    expect(ascending.map(({ id }) => id)).to.deep.equal([1, 3, 5, 7, 9, 11, 0, 2, 4, 6, 8, 10])
    const descending = itemsOf(keys)
    goSort(descending, (a, b) => b.key < a.key)
    expect(descending.map(({ id }) => id)).to.deep.equal([0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11])
  })

  it('makes the same permutation as Go of every shape of input', () => {
    for (const [shape, length, keys, sorted, reversed] of GOLDEN) {
      const name = `${shape} ${length} ${keys}`
      const ascending = itemsOf(keysOf(shape, length, keys))
      goSort(ascending, (a, b) => a.key < b.key)
      expect(checksum(ascending.map(({ id }) => id)), name).to.equal(sorted)
      const descending = itemsOf(keysOf(shape, length, keys))
      goSort(descending, (a, b) => b.key < a.key)
      expect(checksum(descending.map(({ id }) => id)), `${name} reversed`).to.equal(reversed)
    }
  })

  it('compares and falls back to heap sort as Go does when an adversary spoils every pivot', () => {
    for (const [length, keys, order, sorted] of GOLDEN_KILLERS) {
      const killer = adversary(length)
      expect(checksum(killer.keys), `keys of ${length}`).to.equal(keys)
      expect(checksum(killer.order), `order of ${length}`).to.equal(order)
      const items = itemsOf(killer.keys.map((key) => Math.floor(key / 4)))
      goSort(items, (a, b) => a.key < b.key)
      expect(checksum(items.map(({ id }) => id)), `sorted ${length}`).to.equal(sorted)
    }
  })
})

function itemsOf(keys: readonly number[]): Item[] {
  return keys.map((key, id) => ({ key, id }))
}

/** The same inputs as those that Go was given. */
function keysOf(shape: string, length: number, keys: number): number[] {
  let state = length * 31 + keys
  const next = (bound: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % bound
  }
  return Array.from({ length }, (_, index) => {
    const random = next(keys)
    switch (shape) {
      case 'ascending':
        return Math.floor((index * keys) / length)
      case 'descending':
        return Math.floor(((length - index) * keys) / length)
      case 'sawtooth':
        return index % keys
      case 'organ':
        return index < Math.floor(length / 2) ? index % (keys * 8) : (length - index) % (keys * 8)
      case 'nearly': {
        const other = next(length)
        return index % 29 === 7 ? other : index
      }
      default:
        return random
    }
  })
}

/**
 * M. D. McIlroy, "A killer adversary for quicksort": keys are fixed during the sort, so that each pivot is a bad one.
 */
function adversary(length: number): { readonly keys: number[]; readonly order: number[] } {
  const gas = length - 1
  const keys = Array.from({ length }, () => gas)
  const order = Array.from({ length }, (_, index) => index)
  let solid = 0
  let candidate = 0
  goSort(order, (a, b) => {
    if (keys[a] === gas && keys[b] === gas) keys[a === candidate ? a : b] = solid++
    if (keys[a] === gas) candidate = a
    else if (keys[b] === gas) candidate = b
    return keys[a]! < keys[b]!
  })
  return { keys, order }
}

function checksum(numbers: readonly number[]): string {
  const bytes = Buffer.alloc(numbers.length * 2)
  numbers.forEach((number, index) => bytes.writeUInt16LE(number, index * 2))
  return crc32c(bytes).toString(16).padStart(8, '0')
}
