/**
 * Gives back the memory of compacted versions, in slices.
 *
 * It does not look through all keys. After a complete scrub for compaction B, a version dies under compaction C > B
 * only because of a change in [B, C]: either a newer version ≤ C replaced it, or it is itself a tombstone in [B, C).
 * (B itself counts, because a tombstone of exactly the compacted revision outlives that compaction.) So it visits the
 * versions of [B, C] in the order of revisions, and for each drops whatever is dead of that key: the work is
 * proportional to what was written between two compactions, however many keys there are.
 */
import type { KeyHistory } from './key-index.ts'
import type { StoreParts } from './parts.ts'

export class Scrub {
  readonly #parts: StoreParts
  /** The position from which on versions are still to be visited. */
  #revision = 0
  #sub = 0

  constructor(parts: StoreParts) {
    this.#parts = parts
    // What was loaded from a dump holds nothing that is dead already.
    if (parts.compactRevision > 0) this.#revision = parts.compactRevision + 1
  }

  get pending(): boolean {
    const next = this.#parts.sequence.atOrAfter(this.#revision, this.#sub)
    return next !== undefined && next.modRevision <= this.#parts.compactRevision
  }

  /** The store is about to be compacted further than `previousCompactRevision`. */
  compacting(previousCompactRevision: number): void {
    if (this.#revision < previousCompactRevision) return
    this.#revision = Math.max(0, previousCompactRevision)
    this.#sub = 0
  }

  /** Visits and drops at most `budget` versions, counted together. True when nothing is left to do. */
  run(budget: number): boolean {
    if (this.#parts.openDumps > 0) return true
    const { index, sequence, compactRevision } = this.#parts
    let left = budget
    while (left > 0) {
      const version = sequence.atOrAfter(this.#revision, this.#sub)
      if (version === undefined || version.modRevision > compactRevision) break
      const history = index.get(version.key)
      if (history === undefined) throw new Error(`version ${version.modRevision}.${version.sub} belongs to no key`)
      left--
      const dead = history.deadCount(compactRevision)
      const dropped = Math.min(dead, Math.max(left, 1))
      dropOldest(this.#parts, history, dropped)
      left -= dropped
      if (dropped < dead) break
      this.#revision = version.modRevision
      this.#sub = version.sub + 1
    }
    return !this.pending
  }
}

/** Removes the `count` oldest versions of the key, and the key if none is left. */
export function dropOldest({ index, sequence, values }: StoreParts, history: KeyHistory, count: number): void {
  if (count === 0) return
  for (const version of history.dropOldest(count)) {
    sequence.remove(version)
    values.remove(version)
  }
  if (history.length === 0) index.delete(history.key)
}
