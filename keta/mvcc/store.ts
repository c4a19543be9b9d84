/**
 * The multi-version store. This file joins the parts; each operation stands in a file of its own.
 */
import type { Key, KeyRange } from '../bytes/key.ts'
import { Defragmentation } from './defragment.ts'
import { DumpWriter } from './dump-writer.ts'
import { commitsFrom } from './events.ts'
import { hashKvAt } from './hash.ts'
import type { Commit, RangeResult, RevisionProblem, Store, StoreDump, Version, WriteTxn } from './kv.ts'
import { StoreParts } from './parts.ts'
import { getAt, rangeAt } from './reads.ts'
import { Scrub } from './scrub.ts'
import type { ValueStore } from './value-store.ts'
import { StoreWriteTxn } from './write-txn.ts'

const DUMP_CHUNK_BYTES = 1024 * 1024

/** A new, empty store. @param values where its versions will lie: in memory unless given. */
export function createStore(values?: ValueStore): MvccStore {
  return new MvccStore(new StoreParts(values))
}

export class MvccStore implements Store {
  readonly #parts: StoreParts
  readonly #scrub: Scrub
  readonly #defragmentation: Defragmentation
  #writing = false

  constructor(parts: StoreParts) {
    this.#parts = parts
    this.#scrub = new Scrub(parts)
    this.#defragmentation = new Defragmentation(parts)
  }

  get revision(): number {
    return this.#parts.revision
  }

  get compactRevision(): number {
    return this.#parts.compactRevision
  }

  get keyCount(): number {
    return this.#parts.keyCount
  }

  get allocatedBytes(): number {
    return this.#parts.values.allocatedBytes
  }

  get liveBytes(): number {
    return this.#parts.values.liveBytes
  }

  get scrubPending(): boolean {
    return this.#scrub.pending
  }

  get(key: Key, atRevision: number): Version | undefined {
    return getAt(this.#parts, key, atRevision)
  }

  range(range: KeyRange, atRevision: number, limit: number, countOnly = false): RangeResult {
    return rangeAt(this.#parts, this.#parts.revision, range, atRevision, limit, countOnly)
  }

  commits(fromRevision: number, maxRevisions: number, maxBytes: number): readonly Commit[] {
    return commitsFrom(this.#parts, fromRevision, maxRevisions, maxBytes)
  }

  begin(): WriteTxn {
    if (this.#writing) throw new Error(`the write after revision ${this.revision} has not ended`)
    this.#writing = true
    return new StoreWriteTxn(this.#parts, () => (this.#writing = false))
  }

  checkRevision(atRevision: number): RevisionProblem | undefined {
    if (atRevision < this.compactRevision) return 'compacted'
    return atRevision > this.revision ? 'future' : undefined
  }

  compact(revision: number): RevisionProblem | undefined {
    if (revision <= this.compactRevision) return 'compacted'
    if (revision > this.revision) return 'future'
    this.#scrub.compacting(this.compactRevision)
    this.#parts.compactRevision = revision
    return undefined
  }

  scrub(maxKeys: number): boolean {
    return this.#scrub.run(maxKeys)
  }

  defragment(maxKeys: number): boolean {
    return this.#defragmentation.run(maxKeys)
  }

  hashKv(atRevision: number): number {
    return hashKvAt(this.#parts, atRevision)
  }

  dump(chunkBytes = DUMP_CHUNK_BYTES): StoreDump {
    return new DumpWriter(this.#parts, chunkBytes)
  }
}
