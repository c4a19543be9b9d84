/** The open write of one request. */
import type { Key, KeyRange } from '../bytes/key.ts'
import { eventOf } from './events.ts'
import type { KeyHistory } from './key-index.ts'
import type { Commit, RangeResult, WriteTxn } from './kv.ts'
import type { StoreParts } from './parts.ts'
import { getAt, rangeAt } from './reads.ts'
import type { StoredVersion } from './stored-version.ts'

const NO_LEASE = 0n
const EMPTY_VALUE = new Uint8Array(0)

export class StoreWriteTxn implements WriteTxn {
  readonly #parts: StoreParts
  /** The revision that the changes get. */
  readonly #revision: number
  readonly #onEnd: () => void
  readonly #changes: StoredVersion[] = []
  #ended = false

  /** @param onEnd called once, when the write is committed. */
  constructor(parts: StoreParts, onEnd: () => void) {
    this.#parts = parts
    this.#revision = parts.revision + 1
    this.#onEnd = onEnd
  }

  get revision(): number {
    return this.changed ? this.#revision : this.#revision - 1
  }

  get compactRevision(): number {
    return this.#parts.compactRevision
  }

  get changed(): boolean {
    return this.#changes.length > 0
  }

  get(key: Key, atRevision: number): StoredVersion | undefined {
    return getAt(this.#parts, key, atRevision)
  }

  range(range: KeyRange, atRevision: number, limit: number, countOnly = false): RangeResult {
    return rangeAt(this.#parts, this.revision, range, atRevision, limit, countOnly)
  }

  put(
    key: Key,
    value: Uint8Array,
    lease: bigint,
  ): { readonly version: StoredVersion; readonly previous: StoredVersion | undefined } {
    this.#assertOpen()
    const history = this.#parts.index.getOrInsert(key)
    const previous = history.alive
    const fields = {
      key,
      createRevision: previous === undefined ? this.#revision : previous.createRevision,
      modRevision: this.#revision,
      version: previous === undefined ? 1 : previous.version + 1,
      lease,
    }
    const version = this.#parts.values.add(history, fields, this.#changes.length, value)
    this.#append(history, version)
    if (previous === undefined) this.#parts.keyCount++
    return { version, previous }
  }

  deleteRange({ start, end }: KeyRange): readonly StoredVersion[] {
    this.#assertOpen()
    const deleted: StoredVersion[] = []
    this.#parts.index.scan(start, end, (history) => {
      const version = history.alive
      if (version === undefined) return true
      deleted.push(version)
      this.#append(history, this.#tombstone(history))
      return true
    })
    this.#parts.keyCount -= deleted.length
    return deleted
  }

  commit(): Commit | undefined {
    this.#assertOpen()
    this.#ended = true
    this.#onEnd()
    if (!this.changed) return undefined
    this.#parts.revision = this.#revision
    const { compactRevision } = this.#parts
    return { revision: this.#revision, events: this.#changes.map((version) => eventOf(version, compactRevision)) }
  }

  #tombstone(history: KeyHistory): StoredVersion {
    const fields = { key: history.key, createRevision: 0, modRevision: this.#revision, version: 0, lease: NO_LEASE }
    return this.#parts.values.add(history, fields, this.#changes.length, EMPTY_VALUE)
  }

  #append(history: KeyHistory, version: StoredVersion): void {
    history.append(version)
    this.#parts.sequence.append(version)
    this.#changes.push(version)
  }

  #assertOpen(): void {
    if (this.#ended) throw new Error(`the write of revision ${this.#revision} has ended`)
  }
}
