/**
 * A sorted map from byte-string keys to values: a blocked array, that is a list of blocks of at most BLOCK_KEYS sorted
 * keys with their values beside them.
 *
 * Why not a B-tree or a balanced tree: two binary searches touch fewer objects than a walk down a tree, a range scan
 * runs over plain arrays, and a key costs two array slots (about 23 bytes with the slack of half-full blocks) and no
 * node of its own. Inserting moves at most BLOCK_KEYS slots, which is one short memmove.
 */
import type { Key } from './key.ts'

const BLOCK_KEYS = 512
/** Neighbours are joined when they fit into half a block, so that the next insert does not split them again. */
const JOIN_KEYS = BLOCK_KEYS / 2

interface Block<V> {
  /** Never empty. */
  readonly keys: Key[]
  readonly values: V[]
}

export class OrderedMap<V> {
  readonly #blocks: Block<V>[] = []
  /** The first key of each block, kept apart so that the search among blocks reads one array. */
  readonly #firstKeys: Key[] = []
  #size = 0
  /** Where `#locate` found its key, or where it belongs. */
  #index = 0
  #block: Block<V> | undefined
  #slot = 0
  #found = false

  get size(): number {
    return this.#size
  }

  get(key: Key): V | undefined {
    const block = this.#blocks[this.#blockOf(key)]
    if (block === undefined) return undefined
    const slot = lowerBound(block.keys, key)
    return block.keys[slot] === key ? block.values[slot] : undefined
  }

  /** Inserts or replaces. */
  set(key: Key, value: V): void {
    this.#locate(key)
    if (this.#found) (this.#block as Block<V>).values[this.#slot] = value
    else this.#insert(key, value)
  }

  /** The value of `key`, which is made by `create` and inserted if it was not there: one search for both. */
  getOrInsert(key: Key, create: (key: Key) => V): V {
    this.#locate(key)
    if (this.#found) return (this.#block as Block<V>).values[this.#slot] as V
    const value = create(key)
    this.#insert(key, value)
    return value
  }

  /** True if the key was there. */
  delete(key: Key): boolean {
    const index = this.#blockOf(key)
    const block = this.#blocks[index]
    if (block === undefined) return false
    const slot = lowerBound(block.keys, key)
    if (block.keys[slot] !== key) return false
    block.keys.splice(slot, 1)
    block.values.splice(slot, 1)
    this.#size--
    this.#tidy(index, block)
    return true
  }

  /** The smallest key ≥ `key`. */
  firstKeyAtOrAfter(key: Key): Key | undefined {
    let found: Key | undefined
    this.scan(key, null, (_value, at) => {
      found = at
      return false
    })
    return found
  }

  /**
   * Calls `visit` for each key of [start, end) in order (`end === null`: to the end), until it returns false. `visit`
   * must not change the map's keys. To scan in slices between which the map may change, start each slice at the
   * successor of the last key seen.
   */
  scan(start: Key, end: Key | null, visit: (value: V, key: Key) => boolean): void {
    const firstIndex = Math.max(0, this.#blockOf(start))
    for (let index = firstIndex; index < this.#blocks.length; index++) {
      const { keys, values } = this.#blocks[index] as Block<V>
      const from = index === firstIndex ? lowerBound(keys, start) : 0
      // Only in its last block can a range end early: elsewhere no key is compared.
      const next = this.#firstKeys[index + 1]
      const to = end === null || (next !== undefined && next <= end) ? keys.length : lowerBound(keys, end)
      for (let slot = from; slot < to; slot++) {
        if (!visit(values[slot] as V, keys[slot] as Key)) return
      }
      if (to < keys.length) return
    }
  }

  /** Index of the last block whose first key is ≤ `key`; -1 if all keys are greater. */
  #blockOf(key: Key): number {
    const firstKeys = this.#firstKeys
    let low = 0
    let high = firstKeys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((firstKeys[middle] as Key) <= key) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Keys that come in ascending order are found to belong at the end without a search. */
  #locate(key: Key): void {
    const lastIndex = this.#blocks.length - 1
    const last = this.#blocks[lastIndex]
    if (last === undefined || key > (last.keys[last.keys.length - 1] as Key)) {
      this.#index = lastIndex
      this.#block = last
      this.#slot = last === undefined ? 0 : last.keys.length
      this.#found = false
      return
    }
    this.#index = Math.max(0, this.#blockOf(key))
    const block = this.#blocks[this.#index] as Block<V>
    this.#block = block
    this.#slot = lowerBound(block.keys, key)
    this.#found = block.keys[this.#slot] === key
  }

  /** Inserts at the place that `#locate` found. */
  #insert(key: Key, value: V): void {
    const block = this.#block
    const atTheEnd = this.#index === this.#blocks.length - 1 && this.#slot === block?.keys.length
    this.#size++
    // Ascending keys fill block after block; splitting would leave all of them half empty.
    if (block === undefined || (atTheEnd && block.keys.length >= BLOCK_KEYS)) {
      this.#blocks.push({ keys: [key], values: [value] })
      this.#firstKeys.push(key)
      return
    }
    if (atTheEnd) {
      block.keys.push(key)
      block.values.push(value)
      return
    }
    block.keys.splice(this.#slot, 0, key)
    block.values.splice(this.#slot, 0, value)
    if (this.#slot === 0) this.#firstKeys[this.#index] = key
    if (block.keys.length > BLOCK_KEYS) this.#split(this.#index, block)
  }

  #split(index: number, block: Block<V>): void {
    const half = block.keys.length >>> 1
    const upper = { keys: block.keys.splice(half), values: block.values.splice(half) }
    this.#blocks.splice(index + 1, 0, upper)
    this.#firstKeys.splice(index + 1, 0, upper.keys[0] as Key)
  }

  /** After a delete: drops the block if it is empty, joins it with a neighbour if both are small. */
  #tidy(index: number, block: Block<V>): void {
    const first = block.keys[0]
    if (first === undefined) {
      this.#blocks.splice(index, 1)
      this.#firstKeys.splice(index, 1)
      return
    }
    this.#firstKeys[index] = first
    if (!this.#join(index - 1)) this.#join(index)
  }

  /** Joins the block at `index` with the one after it, if together they are small. */
  #join(index: number): boolean {
    const left = this.#blocks[index]
    const right = this.#blocks[index + 1]
    if (left === undefined || right === undefined) return false
    if (left.keys.length + right.keys.length > JOIN_KEYS) return false
    left.keys.push(...right.keys)
    left.values.push(...right.values)
    this.#blocks.splice(index + 1, 1)
    this.#firstKeys.splice(index + 1, 1)
    return true
  }
}

/** The first slot whose key is ≥ `key`. */
function lowerBound(keys: readonly Key[], key: Key): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as Key) < key) low = middle + 1
    else high = middle
  }
  return low
}
