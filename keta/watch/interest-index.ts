/**
 * All interests of the hub's watchers, found by the key of an event: single keys in a hash map, ranges in an interval
 * index.
 */
import type { Key, KeyRange } from '../bytes/key.ts'
import { successor } from '../bytes/key.ts'
import { IntervalIndex } from './interval-index.ts'
import type { Interest, Wish } from './watcher.ts'

export class InterestIndex {
  /** Interests in one range differ in their filters and prevKv: at most eight in an array. */
  readonly #ofKey = new Map<Key, Interest[]>()
  readonly #ofRange = new IntervalIndex<Interest[]>()
  readonly #found: Interest[][] = []

  /** The interest of this wish, with one watcher more. */
  acquire(wish: Wish): Interest {
    const sharing = this.#interestsIn(wish.range)
    const existing = sharing.find((interest) => sameFilters(interest, wish))
    if (existing !== undefined) {
      existing.watchers += 1
      return existing
    }
    const interest: Interest = { ...wish, synced: new Set(), watchers: 1 }
    sharing.push(interest)
    return interest
  }

  /** Undoes one `acquire`; the last one takes the interest out of the index. */
  release(interest: Interest): void {
    interest.watchers -= 1
    if (interest.watchers > 0) return
    const { range } = interest
    const sharing = this.#interestsIn(range)
    sharing.splice(sharing.indexOf(interest), 1)
    if (sharing.length > 0) return
    if (isSingleKey(range)) this.#ofKey.delete(range.start)
    else this.#ofRange.remove(range)
  }

  /** Appends to `found` every interest whose range contains `key`. */
  collect(key: Key, found: Interest[]): void {
    const ofKey = this.#ofKey.get(key)
    if (ofKey !== undefined) found.push(...ofKey)
    this.#ofRange.collect(key, this.#found)
    for (const interests of this.#found) found.push(...interests)
    this.#found.length = 0
  }

  #interestsIn(range: KeyRange): Interest[] {
    const single = isSingleKey(range)
    const existing = single ? this.#ofKey.get(range.start) : this.#ofRange.get(range)
    if (existing !== undefined) return existing
    const interests: Interest[] = []
    if (single) this.#ofKey.set(range.start, interests)
    else this.#ofRange.insert(range, interests)
    return interests
  }
}

function isSingleKey(range: KeyRange): boolean {
  return range.end === successor(range.start)
}

function sameFilters(a: Wish, b: Wish): boolean {
  return a.noPut === b.noPut && a.noDelete === b.noDelete && a.prevKv === b.prevKv
}
