/** A distribution in buckets. `observe` is for hot paths: it allocates nothing. */

export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  sum = 0
  count = 0

  /** @param bounds upper ends of the buckets, rising; the last bucket has none */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(value: number): void {
    let bucket = 0
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] ?? 0)) bucket++
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.sum += value
    this.count++
  }

  /** Of each bound how many values were not above it. */
  cumulative(): readonly (readonly [bound: number, count: number])[] {
    let total = 0
    return this.#counts.map((count, bucket) => {
      total += count
      return [this.#bounds[bucket] ?? Infinity, total]
    })
  }
}

/** `count` bounds, each `factor` times the one before. */
export function exponentialBounds(first: number, factor: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => Number((first * factor ** index).toPrecision(12)))
}
