/**
 * Reads history in bounded batches for lagging watchers, so that watchers who stand at the same place share the
 * reading.
 */
import type { Commit, History } from '../mvcc/kv.ts'
import { selectPast } from './selection.ts'
import type { WatchEvent } from './watch.ts'
import type { Interest } from './watcher.ts'

export interface BatchLimits {
  /** Most revisions in one batch, and so in one catch-up answer. */
  readonly batchRevisions: number
  /** A batch ends with the revision that takes its encoded key-values beyond so many bytes. */
  readonly batchBytes: number
}

interface Batch {
  readonly commits: readonly Commit[]
  /** The revision after the batch: everything below it has been looked at. */
  readonly next: number
  readonly selections: Map<Interest, readonly WatchEvent[]>
}

export interface PastEvents {
  readonly events: readonly WatchEvent[]
  readonly next: number
  /** Revisions that had to be looked at to answer, at least 1. */
  readonly cost: number
}

/** Valid as long as the history does not change: one turn. It holds no more than it was asked to read. */
export class PastReader {
  readonly #history: History
  readonly #limits: BatchLimits
  readonly #lastRevision: number
  readonly #batches = new Map<number, Batch>()

  /** @param lastRevision where the past ends; what the history has beyond is not looked at. */
  constructor(history: History, limits: BatchLimits, lastRevision: number) {
    this.#history = history
    this.#limits = limits
    this.#lastRevision = lastRevision
  }

  /**
   * What the interest asked for in the batch that begins with `fromRevision` (≥ the compact revision, ≤ the last one).
   */
  read(fromRevision: number, interest: Interest): PastEvents {
    const batch = this.#batchFrom(fromRevision)
    const known = batch.selections.get(interest)
    if (known !== undefined) return { events: known, next: batch.next, cost: 1 }
    const events = selectPast(batch.commits, interest)
    batch.selections.set(interest, events)
    return { events, next: batch.next, cost: Math.max(1, batch.commits.length) }
  }

  #batchFrom(fromRevision: number): Batch {
    const known = this.#batches.get(fromRevision)
    if (known !== undefined) return known
    const { batchRevisions, batchBytes } = this.#limits
    const read = this.#history.commits(fromRevision, batchRevisions, batchBytes)
    const commits = read.filter((commit) => commit.revision <= this.#lastRevision)
    // Without a commit there is nothing left up to the last revision: the rest of the revisions was compacted away.
    const next = (commits.at(-1)?.revision ?? this.#lastRevision) + 1
    const batch: Batch = { commits, next, selections: new Map() }
    this.#batches.set(fromRevision, batch)
    return batch
  }
}
