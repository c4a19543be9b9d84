/** Offers every version to its value store for moving, in slices over the keys, so that memory can be given back. */
import { EMPTY_KEY, type Key, successor } from '../bytes/key.ts'
import type { StoreParts } from './parts.ts'

export class Defragmentation {
  readonly #parts: StoreParts
  /** Where the pass under way goes on; undefined if there is none. */
  #nextKey: Key | undefined

  constructor(parts: StoreParts) {
    this.#parts = parts
  }

  /** Visits at most `maxKeys` keys. True when the pass is complete; then the next call begins another one. */
  run(maxKeys: number): boolean {
    const { index, values, openDumps } = this.#parts
    if (openDumps > 0) return true
    if (this.#nextKey === undefined) values.beginDefragmentation()
    let left = maxKeys
    let last: Key | undefined
    index.scan(this.#nextKey ?? EMPTY_KEY, null, (history) => {
      if (left === 0) return false
      left--
      last = history.key
      for (let position = 0; position < history.length; position++) {
        const version = history.version(position)
        if (version !== undefined) values.defragment(version)
      }
      return true
    })
    this.#nextKey = left === 0 && last !== undefined ? successor(last) : undefined
    return this.#nextKey === undefined
  }
}
