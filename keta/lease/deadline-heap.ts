/** A binary min-heap of entries ordered by `at`; equal times come out in insertion order: runs are reproducible. */
export interface HeapEntry {
  readonly id: bigint
  /** Milliseconds on the caller's clock. */
  at: number
  /** Order of insertion, breaks ties. */
  readonly order: number
}

export class DeadlineHeap {
  #entries: HeapEntry[] = []

  get size(): number {
    return this.#entries.length
  }

  peek(): HeapEntry | undefined {
    return this.#entries[0]
  }

  push(entry: HeapEntry): void {
    this.#entries.push(entry)
    this.#rise(this.#entries.length - 1)
  }

  pop(): HeapEntry | undefined {
    const top = this.#entries[0]
    const last = this.#entries.pop()
    if (top !== undefined && last !== undefined && top !== last) {
      this.#entries[0] = last
      this.#sink(0)
    }
    return top
  }

  /** Restores the order after the top entry's time was moved later. */
  topPostponed(): void {
    this.#sink(0)
  }

  /** Drops every entry that `keep` refuses. O(size). */
  retain(keep: (entry: HeapEntry) => boolean): void {
    this.#entries = this.#entries.filter(keep)
    for (let index = (this.#entries.length >> 1) - 1; index >= 0; index--) this.#sink(index)
  }

  #rise(from: number): void {
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!this.#swapIfBefore(index, parent)) return
      index = parent
    }
  }

  #sink(from: number): void {
    for (let index = from; ; ) {
      const left = 2 * index + 1
      const right = left + 1
      const child = this.#isBefore(right, left) ? right : left
      if (!this.#swapIfBefore(child, index)) return
      index = child
    }
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    if (!this.#isBefore(lower, upper)) return false
    const a = this.#entries[lower]
    const b = this.#entries[upper]
    if (a === undefined || b === undefined) return false
    this.#entries[lower] = b
    this.#entries[upper] = a
    return true
  }

  /** False if there is no entry at `a`. */
  #isBefore(a: number, b: number): boolean {
    const first = this.#entries[a]
    const second = this.#entries[b]
    if (first === undefined || second === undefined) return false
    return first.at < second.at || (first.at === second.at && first.order < second.order)
  }
}
