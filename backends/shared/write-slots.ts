/**
 * Names the commits of one session: a slot for each that is under way, numbered within its slot; see CommitId in
 * driver.ts. So the store need remember one commit per slot, and there are few slots.
 */
import type { CommitId } from './driver.ts'

export class WriteSlots {
  readonly #session: string
  readonly #slots: { number: number; after: number }[] = []
  readonly #free: number[] = []

  constructor(session: string) {
    this.#session = session
  }

  get session(): string {
    return this.#session
  }

  /** A name that was never given before, in a slot that nobody uses. */
  acquire(): CommitId {
    const slot = this.#free.pop() ?? this.#slots.length
    const { number, after } = this.#slots[slot] ?? { number: 0, after: 0 }
    this.#slots[slot] = { number: number + 1, after }
    return { session: this.#session, slot, number: number + 1, after }
  }

  /** The commit's outcome is known: the next one may follow it. A slot that is not given back is never used again. */
  release({ slot, number, after }: CommitId, { committed }: { readonly committed: boolean }): void {
    this.#slots[slot] = { number, after: committed ? number : after }
    this.#free.push(slot)
  }
}
