/**
 * Keeps what was asked of a server and what it acknowledged, and holds the history that it gives afterwards against it:
 * every acknowledged write at its revision, every other write whole or not at all, and nothing else.
 */
import { type Change, ReplayedStore, type StoredVersion, textOf } from './replayed-store.fixture.ts'

export interface Write {
  /** For messages. */
  readonly text: string
  /** What it does, given the store as it is then. */
  readonly changes: (store: ReplayedStore) => readonly Change[]
  /** The highest revision that any client had been told when this was asked for: its own must be higher. */
  readonly floor: number
}

interface Acknowledged {
  readonly write: Write
  /** How many changes the answer said; undefined if it did not say. */
  readonly changed: number | undefined
}

/** What one revision did. */
export interface HistoryCommit {
  readonly revision: number
  readonly versions: readonly StoredVersion[]
}

export class WriteLedger {
  /** As checked so far. */
  readonly store = new ReplayedStore()
  /** The highest revision that any answer or event has carried. */
  highest = 1
  readonly totals = { acknowledged: 0, unknown: 0, unknownFound: 0 }
  readonly #pending = new Set<Write>()
  #acknowledged = new Map<number, Acknowledged[]>()
  /** What watchers saw before the end of the server. */
  #seen: HistoryCommit[] = []
  #compactions: number[] = [-1]

  ask(text: string, changes: Write['changes']): Write {
    const write = { text, changes, floor: this.highest }
    this.#pending.add(write)
    return write
  }

  acknowledge(write: Write, revision: number, changed?: number): void {
    this.#pending.delete(write)
    this.saw(revision)
    this.totals.acknowledged++
    this.#acknowledged.set(revision, [...(this.#acknowledged.get(revision) ?? []), { write, changed }])
  }

  /** A client has been told of this revision: it may not be lost. */
  saw(revision: number): void {
    this.highest = Math.max(this.highest, revision)
  }

  sawCommit(commit: HistoryCommit): void {
    this.saw(commit.revision)
    this.#seen.push(commit)
  }

  askCompaction(revision: number): void {
    this.#compactions.push(revision)
  }

  acknowledgeCompaction(revision: number): void {
    this.#compactions = this.#compactions.filter((asked) => asked >= revision)
  }

  /** @throws if the store was compacted at a revision that it cannot have been compacted at */
  checkCompaction(revision: number): void {
    if (!this.#compactions.includes(revision)) {
      throw new Error(`compacted at ${revision}; possible: ${this.#compactions.join()}`)
    }
    this.#compactions = [revision]
    if (revision > this.store.compactRevision) this.store.compact(revision)
  }

  /**
   * All revisions after those checked before, of a server that has been started again: what is not in them now may
   * never appear. @throws at the first contradiction
   */
  check(history: readonly HistoryCommit[]): void {
    const first = this.store.revision + 1
    this.totals.unknown += this.#pending.size
    for (const commit of history) this.#checkCommit(commit)
    if (this.store.revision < this.highest) {
      throw new Error(`revision ${this.store.revision}, but clients had been told of ${this.highest}`)
    }
    this.#checkSeen(first, history)
    this.#pending.clear()
    this.#acknowledged = new Map()
    this.#seen = []
  }

  #checkCommit({ revision, versions }: HistoryCommit): void {
    const { store } = this
    if (revision !== store.revision + 1) throw new Error(`revision ${revision} follows ${store.revision}`)
    const text = textOfAll(versions)
    const expected = this.#acknowledgedAt(revision) ?? this.#unknownThatMade(text, revision)
    const made = store.madeBy(expected.changes(store))
    if (textOfAll(made) !== text) {
      throw new Error(`revision ${revision} of "${expected.text}" is\n${text}\nand should be\n${textOfAll(made)}`)
    }
    store.add(made)
  }

  /** Of the writes answered with this revision the one that changed something: the others found nothing to change. */
  #acknowledgedAt(revision: number): Write | undefined {
    const { store } = this
    const made = (this.#acknowledged.get(revision) ?? []).filter(({ write, changed }) => {
      const { length } = store.madeBy(write.changes(store))
      if (changed !== undefined && changed !== length) {
        throw new Error(`"${write.text}" was answered with ${changed} changes at ${revision} and made ${length}`)
      }
      return length > 0
    })
    if (made.length > 1) {
      throw new Error(`revision ${revision} was given to ${made.map(({ write }) => write.text).join(' and ')}`)
    }
    return made[0]?.write
  }

  #unknownThatMade(text: string, revision: number): Write {
    const { store } = this
    for (const write of this.#pending) {
      if (textOfAll(store.madeBy(write.changes(store))) !== text) continue
      if (write.floor >= revision) throw new Error(`"${write.text}" began after ${write.floor} and is at ${revision}`)
      this.#pending.delete(write)
      this.totals.unknownFound++
      return write
    }
    throw new Error(`nobody asked for revision ${revision}:\n${text}`)
  }

  #checkSeen(first: number, history: readonly HistoryCommit[]): void {
    for (const [index, seen] of this.#seen.entries()) {
      const now = history[seen.revision - first]
      if (seen.revision !== first + index) throw new Error(`a watcher saw ${seen.revision} instead of ${first + index}`)
      if (now === undefined || textOfAll(now.versions) !== textOfAll(seen.versions)) {
        throw new Error(`a watcher saw revision ${seen.revision} as\n${textOfAll(seen.versions)}`)
      }
    }
  }
}

function textOfAll(versions: readonly StoredVersion[]): string {
  return versions.map(textOf).join('\n')
}
