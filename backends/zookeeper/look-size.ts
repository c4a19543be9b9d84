/**
 * How many znodes are looked at in one request. Nobody knows beforehand what stands in them: so many that the answer
 * has some 1 MiB, by what the last ones had, and not many more than last time.
 */

const FIRST = 16
const MOST = 1000
const GROWTH = 8
const ANSWER_BYTES = 1 << 20
/** Of a znode without data. */
const STAT_BYTES = 100

export class LookSize {
  #next = FIRST

  get next(): number {
    return this.#next
  }

  /** @param sizes of the data that an answer brought, bytes. */
  saw(sizes: readonly number[]): void {
    if (sizes.length === 0) return
    const average = sizes.reduce((sum, size) => sum + size + STAT_BYTES, 0) / sizes.length
    const fitting = Math.floor(ANSWER_BYTES / average)
    this.#next = Math.max(1, Math.min(fitting, this.#next * GROWTH, MOST))
  }
}
