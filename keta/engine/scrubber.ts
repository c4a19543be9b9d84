/**
 * Gives memory back after a compaction, in slices between other work, and tells those who asked for a physical
 * compaction when it is done. Rests while a dump of the state is open, because a dump reads what a scrub would drop.
 */
import type { Store } from '../mvcc/kv.ts'
import type { Clock } from './ports.ts'

/** Keys visited per slice: about a millisecond. */
const KEYS_PER_SLICE = 2_000

export class Scrubber {
  readonly #clock: Clock
  readonly #store: Store
  #scheduled = false
  /** How many want it to rest. */
  #pauses = 0
  #stopped = false
  readonly #waiters: (() => void)[] = []

  constructor(clock: Clock, store: Store) {
    this.#clock = clock
    this.#store = store
  }

  /** Work may have appeared. */
  wake(): void {
    if (this.#scheduled || this.#pauses > 0 || this.#stopped) return
    if (!this.#store.scrubPending) {
      for (const resolve of this.#waiters.splice(0)) resolve()
      return
    }
    this.#scheduled = true
    this.#clock.soon(() => {
      this.#scheduled = false
      if (this.#pauses > 0 || this.#stopped) return
      this.#store.scrub(KEYS_PER_SLICE)
      this.wake()
    })
  }

  /** Resolves when nothing that is compacted now is still held (or when the engine stops). */
  finished(): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
      this.wake()
    })
  }

  /** Until as many `resume` have followed. */
  pause(): void {
    this.#pauses++
  }

  resume(): void {
    this.#pauses--
    this.wake()
  }

  stop(): void {
    this.#stopped = true
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}
