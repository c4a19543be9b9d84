/** Moves the living bytes out of sparse chunks, in slices over the keys, so that those chunks can go. */
import { EMPTY_KEY, type Key, successor } from '../bytes/key.ts'
import type { StoreParts } from './parts.ts'

export class Defragmentation {
  readonly #parts: StoreParts
  /** Where the pass under way goes on; undefined if there is none. */
  #nextKey: Key | undefined
  /** Chunks made since the pass began are its targets and are not emptied again. */
  #beforeSerial = 0

  constructor(parts: StoreParts) {
    this.#parts = parts
  }

  /** Visits at most `maxKeys` keys. True when the pass is complete; then the next call begins another one. */
  run(maxKeys: number): boolean {
    const { index, arena, openDumps } = this.#parts
    if (openDumps > 0) return true
    if (this.#nextKey === undefined) {
      arena.retireSparseOpenChunk()
      this.#beforeSerial = arena.nextSerial
    }
    let left = maxKeys
    let last: Key | undefined
    index.scan(this.#nextKey ?? EMPTY_KEY, null, (history) => {
      if (left === 0) return false
      left--
      last = history.key
      for (let position = 0; position < history.length; position++) {
        history.version(position)?.moveIfSparse(arena, this.#beforeSerial)
      }
      return true
    })
    this.#nextKey = left === 0 && last !== undefined ? successor(last) : undefined
    return this.#nextKey === undefined
  }
}
