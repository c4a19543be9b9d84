/** The keys that a user may read, or write: the union of the ranges that the roles grant. */
import { isEmptyRange, type Key, type KeyRange, rangeOf } from '../bytes/key.ts'

export class PermissionRanges {
  /** Sorted, without overlaps; ranges that touch are one. */
  readonly #merged: readonly KeyRange[]

  constructor(ranges: readonly KeyRange[]) {
    this.#merged = merge(ranges)
  }

  /** Whether every key of the range is granted. Of a range that holds no key the start must be, as in etcd. */
  cover(key: Key, rangeEnd: Key): boolean {
    const asked = rangeOf(key, rangeEnd)
    const granted = this.#lastStartingAtOrBefore(key)
    if (granted === undefined || !reaches(granted.end, key)) return false
    if (isEmptyRange(asked) || granted.end === null) return true
    return asked.end !== null && asked.end <= granted.end
  }

  #lastStartingAtOrBefore(key: Key): KeyRange | undefined {
    let low = 0
    let high = this.#merged.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const range = this.#merged[middle]
      if (range !== undefined && range.start <= key) low = middle + 1
      else high = middle
    }
    return this.#merged[low - 1]
  }
}

/** Whether a range with this end goes beyond `key`. */
function reaches(end: Key | null, key: Key): boolean {
  return end === null || key < end
}

function merge(ranges: readonly KeyRange[]): readonly KeyRange[] {
  const merged: KeyRange[] = []
  for (const range of ranges.toSorted((a, b) => (a.start < b.start ? -1 : Number(a.start > b.start)))) {
    const last = merged.at(-1)
    if (last === undefined || (last.end !== null && last.end < range.start)) merged.push(range)
    else if (last.end !== null && (range.end === null || range.end > last.end)) {
      merged[merged.length - 1] = { start: last.start, end: range.end }
    }
  }
  return merged
}
