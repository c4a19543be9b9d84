/**
 * A growing union of key ranges that can be asked whether it contains a key.
 *
 * The ranges are held in runs, each sorted and free of overlaps; runs of similar size are merged, so that there are
 * O(log n) of them, adding costs O(log n) amortised and a question O(log² n), whatever order the ranges come in.
 */
import { contains, isEmptyRange, type Key, type KeyRange } from '../bytes/key.ts'

type Run = readonly KeyRange[]

export class RangeSet {
  /** Each run is more than twice as long as the next one. */
  readonly #runs: Run[] = []

  get isEmpty(): boolean {
    return this.#runs.length === 0
  }

  add(range: KeyRange): void {
    if (!isEmptyRange(range)) this.#addRun([range])
  }

  addAll(other: RangeSet): void {
    for (const run of other.#runs) this.#addRun(run)
  }

  has(key: Key): boolean {
    return this.#runs.some((run) => {
      const candidate = lastStartingAtOrBefore(run, key)
      return candidate !== undefined && contains(candidate, key)
    })
  }

  #addRun(run: Run): void {
    let merged = run
    for (
      let last = this.#runs.at(-1);
      last !== undefined && last.length <= 2 * merged.length;
      last = this.#runs.at(-1)
    ) {
      this.#runs.pop()
      merged = merge(last, merged)
    }
    this.#runs.push(merged)
  }
}

function merge(a: Run, b: Run): Run {
  const merged: KeyRange[] = []
  for (let i = 0, j = 0; ; ) {
    const fromA = a[i]
    const fromB = b[j]
    if (fromA === undefined && fromB === undefined) return merged
    if (fromB === undefined || (fromA !== undefined && fromA.start <= fromB.start)) {
      if (fromA !== undefined) append(merged, fromA)
      i++
    } else {
      append(merged, fromB)
      j++
    }
  }
}

/** `range` starts at or after the last range of `run`; the two become one if they touch. */
function append(run: KeyRange[], range: KeyRange): void {
  const last = run.at(-1)
  if (last === undefined || (last.end !== null && last.end < range.start)) {
    run.push(range)
    return
  }
  const lastReachesFurther = last.end === null || (range.end !== null && range.end <= last.end)
  if (!lastReachesFurther) run[run.length - 1] = { start: last.start, end: range.end }
}

function lastStartingAtOrBefore(run: Run, key: Key): KeyRange | undefined {
  let low = 0
  let high = run.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const range = run[middle]
    if (range !== undefined && range.start <= key) low = middle + 1
    else high = middle
  }
  return run[low - 1]
}
