/**
 * Sorts as Go's sort.Sort does, ties included.
 *
 * etcd sorts the answer of a Range with sort.Sort, which is not stable but is deterministic: the order of keys that
 * compare equal is part of what clients see. So this follows, exchange for exchange, the pattern-defeating quicksort
 * of Go ≥ 1.19 (Orson Peters, arXiv:2106.05123, with the pivot choice and the shuffling that Go took from Rust's):
 * every comparison and every swap happens in the same order. Ranges [from, to) are half-open.
 */
const INSERTION_SORT_MAX = 12
/** From this length on the pivot is a median of medians, and almost sorted input is finished by shifting. */
const LONG = 50
const MAX_SHIFTS = 5
/** Exchanges of a median of medians on input that strictly descends. */
const ALL_SWAPPED = 12

type Less<T> = (a: T, b: T) => boolean

/** Sorts in place. For Go's sort.Reverse give `(a, b) => less(b, a)`. */
export function goSort<T>(items: T[], less: Less<T>): void {
  new Sorter(items, less).sort()
}

class Sorter<T> {
  readonly #items: T[]
  readonly #lessThan: Less<T>
  /** Exchanges counted while the last pivot was chosen: 0 means "ascending", ALL_SWAPPED "descending". */
  #swaps = 0
  #wasPartitioned = true

  constructor(items: T[], less: Less<T>) {
    this.#items = items
    this.#lessThan = less
  }

  sort(): void {
    const { length } = this.#items
    if (length > 1) this.#quickSort(0, length, bitLength(length))
  }

  /** @param badPivots how many more unbalanced partitions are put up with before heap sort takes over. */
  #quickSort(from: number, to: number, badPivots: number): void {
    let balanced = true
    let partitioned = true
    while (to - from > INSERTION_SORT_MAX) {
      if (badPivots === 0) {
        this.#heapSort(from, to)
        return
      }
      if (!balanced) {
        this.#breakPatterns(from, to)
        badPivots--
      }
      let pivot = this.#choosePivot(from, to)
      let ascending = this.#swaps === 0
      if (this.#swaps === ALL_SWAPPED) {
        this.#reverse(from, to)
        pivot = to - 1 - (pivot - from)
        ascending = true
      }
      if (balanced && partitioned && ascending && this.#finishByShifting(from, to)) return
      // Nothing in the range is smaller than the item before it: then the equals of the pivot are already in place.
      if (from > 0 && !this.#less(from - 1, pivot)) {
        from = this.#partitionEqual(from, to, pivot)
        continue
      }
      const middle = this.#partition(from, to, pivot)
      partitioned = this.#wasPartitioned
      const enough = (to - from) >>> 3
      if (middle - from < to - middle) {
        balanced = middle - from >= enough
        this.#quickSort(from, middle, badPivots)
        from = middle + 1
      } else {
        balanced = to - middle >= enough
        this.#quickSort(middle + 1, to, badPivots)
        to = middle
      }
    }
    this.#insertionSort(from, to)
  }

  #insertionSort(from: number, to: number): void {
    for (let next = from + 1; next < to; next++) {
      for (let at = next; at > from && this.#less(at, at - 1); at--) this.#swap(at, at - 1)
    }
  }

  #heapSort(from: number, to: number): void {
    const length = to - from
    for (let root = (length - 1) >>> 1; root >= 0; root--) this.#siftDown(root, length, from)
    for (let end = length - 1; end >= 0; end--) {
      this.#swap(from, from + end)
      this.#siftDown(0, end, from)
    }
  }

  #siftDown(root: number, length: number, from: number): void {
    for (let child = 2 * root + 1; child < length; child = 2 * root + 1) {
      if (child + 1 < length && this.#less(from + child, from + child + 1)) child++
      if (!this.#less(from + root, from + child)) return
      this.#swap(from + root, from + child)
      root = child
    }
  }

  /** Moves what is smaller than the pivot before it; returns the pivot's new place. */
  #partition(from: number, to: number, pivot: number): number {
    this.#swap(from, pivot)
    let low = from + 1
    let high = to - 1
    this.#wasPartitioned = true
    for (;;) {
      while (low <= high && this.#less(low, from)) low++
      while (low <= high && !this.#less(high, from)) high--
      if (low > high) break
      this.#wasPartitioned = false
      this.#swap(low++, high--)
    }
    this.#swap(high, from)
    return high
  }

  /** For a range without items smaller than the pivot: puts its equals first; returns where the greater ones begin. */
  #partitionEqual(from: number, to: number, pivot: number): number {
    this.#swap(from, pivot)
    let low = from + 1
    let high = to - 1
    for (;;) {
      while (low <= high && !this.#less(from, low)) low++
      while (low <= high && this.#less(from, high)) high--
      if (low > high) return low
      this.#swap(low++, high--)
    }
  }

  /** Puts a few misplaced items right; true if the range is sorted then. */
  #finishByShifting(from: number, to: number): boolean {
    let at = from + 1
    for (let shift = 0; shift < MAX_SHIFTS; shift++) {
      while (at < to && !this.#less(at, at - 1)) at++
      if (at === to) return true
      if (to - from < LONG) return false
      this.#swap(at, at - 1)
      // Go shifts to the left beyond the range if it must: what is there is not greater, so it never goes far.
      if (at - from >= 2)
        for (let left = at - 1; left >= 1 && this.#less(left, left - 1); left--) this.#swap(left, left - 1)
      if (to - at >= 2) {
        for (let right = at + 1; right < to && this.#less(right, right - 1); right++) this.#swap(right, right - 1)
      }
    }
    return false
  }

  /** Exchanges three items in the middle with pseudo-random ones, so that no input makes every pivot a bad one. */
  #breakPatterns(from: number, to: number): void {
    const length = to - from
    let random = BigInt(length)
    const mask = (1n << BigInt(bitLength(length))) - 1n
    const middle = from + (length >>> 2) * 2
    for (let at = middle - 1; at <= middle + 1; at++) {
      random = xorShift(random)
      let other = Number(random & mask)
      if (other >= length) other -= length
      this.#swap(at, from + other)
    }
  }

  #choosePivot(from: number, to: number): number {
    const length = to - from
    const quarter = length >>> 2
    let low = from + quarter
    let middle = from + quarter * 2
    let high = from + quarter * 3
    this.#swaps = 0
    if (length >= LONG) {
      low = this.#median(low - 1, low, low + 1)
      middle = this.#median(middle - 1, middle, middle + 1)
      high = this.#median(high - 1, high, high + 1)
    }
    return this.#median(low, middle, high)
  }

  #median(a: number, b: number, c: number): number {
    if (this.#less(b, a)) {
      this.#swaps++
      ;[a, b] = [b, a]
    }
    if (this.#less(c, b)) {
      this.#swaps++
      b = c
    }
    if (this.#less(b, a)) {
      this.#swaps++
      b = a
    }
    return b
  }

  #reverse(from: number, to: number): void {
    for (let low = from, high = to - 1; low < high; low++, high--) this.#swap(low, high)
  }

  #less(a: number, b: number): boolean {
    return this.#lessThan(this.#items[a] as T, this.#items[b] as T)
  }

  #swap(a: number, b: number): void {
    const item = this.#items[a] as T
    this.#items[a] = this.#items[b] as T
    this.#items[b] = item
  }
}

/** Marsaglia's generator on 64 bits. */
function xorShift(state: bigint): bigint {
  let next = state ^ BigInt.asUintN(64, state << 13n)
  next ^= next >> 7n
  return next ^ BigInt.asUintN(64, next << 17n)
}

function bitLength(value: number): number {
  return 32 - Math.clz32(value)
}
