/**
 * Names the commits of one session: a slot for each that is under way, numbered within its slot; see CommitId in
 * driver.ts. So the store need remember one commit per slot, and there are few slots.
 */
import type { CommitId } from './driver.ts'

export class WriteSlots {
  readonly #session: string
  /** The last number of each slot. */
  readonly #numbers: number[] = []
  readonly #free: number[] = []

  constructor(session: string) {
    this.#session = session
  }

  get session(): string {
    return this.#session
  }

  /** A name that was never given before, in a slot that nobody uses. */
  acquire(): CommitId {
    const slot = this.#free.pop() ?? this.#numbers.push(0) - 1
    const number = (this.#numbers[slot] ?? 0) + 1
    this.#numbers[slot] = number
    return { session: this.#session, slot, number }
  }

  /** The commit's outcome is known: the next one may follow it. A slot that is not given back is never used again. */
  release({ slot }: CommitId): void {
    this.#free.push(slot)
  }
}
