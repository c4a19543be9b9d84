/**
 * Versions on disk. A version that was just written lies in memory, in an arena, until a commit has made it durable;
 * then it knows no bytes any more and is read from the database. Commits run beside everything else, one at a time,
 * each up to the last record applied.
 */
import type { Command } from '../../command/command.ts'
import { Arena, Chunk } from '../../mvcc/arena.ts'
import type { KeyValueFields } from '../../mvcc/kv-encoding.ts'
import type { Place, VersionPosition } from '../../mvcc/place.ts'
import { StoredVersion, storeVersion, type VersionsOfKey } from '../../mvcc/stored-version.ts'
import type { ValueStore } from '../../mvcc/value-store.ts'
import type { PositionedState, StateJournal } from '../../state/journal.ts'
import { BackingError } from '../backing.ts'
import type { Database } from './database.ts'
import { type Batch, changesOf, type Pending } from './pending.ts'
import { makeVersionKey, writeVersionKey } from './rows.ts'

/** A change waits for others for so long, in milliseconds: each commit costs an fsync beside those of the log. */
const CHANGE_DELAY_MS = 100
/** If nothing but the position in the log has moved: a commit costs more than to apply such records again. */
const POSITION_DELAY_MS = 5_000
/** From so many bytes on changes wait for nothing: some milliseconds' work for a commit. */
const COMMIT_BYTES = 512 * 1024
/** From so many bytes on whoever makes changes has to wait. */
const MAX_UNSAVED_BYTES = 32 * 1024 * 1024

const ARENA_CHUNK_BYTES = 256 * 1024

export interface LmdbValuesOptions {
  readonly database: Database
  /** The offset of the state that the database holds; -1 if none. */
  readonly durableOffset: number
  readonly pending: Pending
  /** Called once, when a commit has failed. */
  readonly onFailure: (error: BackingError) => void
}

export class LmdbValues implements ValueStore, StateJournal, Place {
  readonly #database: Database
  readonly #pending: Pending
  readonly #onFailure: (error: BackingError) => void
  readonly #key = makeVersionKey()
  /** Where the versions lie that the next commit writes; its memory goes when that is done. */
  #unsaved = new Arena(ARENA_CHUNK_BYTES)
  /** The chunk that versions were last taken over from. */
  #adopted: Chunk | undefined
  #liveBytes = 0
  #databaseBytes: number
  #durableOffset: number
  /** Bytes of versions in the commit under way. */
  #committingBytes = 0
  #committing: Promise<void> | undefined
  #loading = false
  #timer: NodeJS.Timeout | undefined
  #timerDelayMs = Number.POSITIVE_INFINITY
  /** Who waits until less is unsaved. */
  readonly #waiters: (() => void)[] = []
  #failure: BackingError | undefined
  #stopped = false

  constructor(options: LmdbValuesOptions) {
    this.#database = options.database
    this.#pending = options.pending
    this.#onFailure = options.onFailure
    this.#durableOffset = options.durableOffset
    this.#databaseBytes = options.database.usedBytes()
  }

  get allocatedBytes(): number {
    return this.#databaseBytes + this.#unsavedBytes
  }

  get liveBytes(): number {
    return this.#liveBytes
  }

  get durableOffset(): number {
    return this.#durableOffset
  }

  add(history: VersionsOfKey, fields: KeyValueFields, sub: number, value: Uint8Array): StoredVersion {
    const version = storeVersion(this.#unsaved, history, fields, sub, value)
    this.#added(version)
    return version
  }

  adopt(
    history: VersionsOfKey,
    fields: KeyValueFields,
    sub: number,
    chunk: Buffer,
    offset: number,
    length: number,
  ): StoredVersion {
    if (this.#adopted?.bytes !== chunk) this.#adopted = new Chunk(chunk, 0, chunk.length)
    const version = new StoredVersion(history, fields, sub, this.#adopted, offset, length)
    this.#added(version)
    return version
  }

  remove(version: StoredVersion): void {
    this.#liveBytes -= version.encodedLength
    this.#pending.removed(version)
    this.#wake()
  }

  /** There is nothing to move: LMDB uses again the pages that removed versions leave. */
  beginDefragmentation(): void {
    // See above.
  }

  defragment(): void {
    // See above.
  }

  /** Of a version that is in the database. */
  view(_offset: number, length: number, position: VersionPosition): Uint8Array {
    const bytes = this.#database.read('values', writeVersionKey(this.#key, position))
    if (bytes?.length === length) return bytes
    const found = bytes === undefined ? 'is not in the database' : `has ${bytes.length} bytes instead of ${length}`
    throw new BackingError('CORRUPT', `version ${position.modRevision}.${position.sub} ${found}`)
  }

  /** A version was found in the database at the start. */
  restored(version: StoredVersion): void {
    this.#liveBytes += version.encodedLength
  }

  /** What is added from now on, until `loaded`, belongs to no record. */
  beginLoading(): void {
    this.#loading = true
  }

  loaded(state: PositionedState): void {
    this.#loading = false
    this.#adopted = undefined
    this.#pending.loaded(state)
    this.#wake()
  }

  applied(state: PositionedState, command: Command | undefined): void {
    this.#pending.applied(state, command)
    this.#wake()
  }

  /** See `StateBacking.ready`. */
  ready(): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#unsavedBytes < MAX_UNSAVED_BYTES) return undefined
    return this.#relieved()
  }

  /** See `StateBacking.flush`. */
  async flush(): Promise<void> {
    // The commit under way was begun before; the next one takes all that is there now.
    await this.#committing
    this.#startCommit()
    await this.#committing
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Begins no further commit, and resolves when none is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#committing
  }

  get #unsavedBytes(): number {
    return this.#pending.bytes + this.#committingBytes
  }

  #added(version: StoredVersion): void {
    this.#liveBytes += version.encodedLength
    this.#pending.added(version)
    if (!this.#loading) return
    this.#pending.complete()
    this.#wake()
  }

  async #relieved(): Promise<void> {
    this.#startCommit()
    await new Promise<void>((resolve) => {
      this.#waiters.push(resolve)
    })
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Sees to it that what is pending is committed in its time. */
  #wake(): void {
    if (this.#committing !== undefined || this.#pending.isEmpty) return
    const { bytes, hasChanges } = this.#pending
    if (hasChanges && bytes >= COMMIT_BYTES) {
      this.#startCommit()
      return
    }
    const delayMs = hasChanges ? CHANGE_DELAY_MS : POSITION_DELAY_MS
    if (this.#stopped || this.#timerDelayMs <= delayMs) return
    clearTimeout(this.#timer)
    this.#timerDelayMs = delayMs
    this.#timer = setTimeout(() => this.#startCommit(), delayMs).unref()
  }

  #startCommit(): void {
    if (this.#stopped || this.#failure !== undefined || this.#committing !== undefined || this.#pending.isEmpty) return
    clearTimeout(this.#timer)
    this.#timerDelayMs = Number.POSITIVE_INFINITY
    this.#committing = this.#commit().finally(() => {
      this.#committing = undefined
      this.#wake()
    })
  }

  /** Never rejects. */
  async #commit(): Promise<void> {
    const batch = this.#pending.take()
    this.#unsaved = new Arena(ARENA_CHUNK_BYTES)
    this.#committingBytes = batch.bytes
    try {
      await this.#database.commit(changesOf(batch))
      this.#committed(batch)
    } catch (cause) {
      const message =
        'the database of the state cannot be written to (is the device full?); the log has what is missing'
      this.#failure = new BackingError('WRITE_FAILED', message, { cause })
      this.#onFailure(this.#failure)
    } finally {
      this.#committingBytes = 0
      if (this.#failure !== undefined || this.#unsavedBytes < MAX_UNSAVED_BYTES) {
        for (const resolve of this.#waiters.splice(0)) resolve()
      }
    }
  }

  #committed({ versions, removals, state }: Batch): void {
    // What was removed together with it is not in the database, but may still be looked at.
    const gone = new Set(removals)
    for (const version of versions) if (!gone.has(version)) version.moveTo(this, 0)
    if (state !== undefined) this.#durableOffset = state.header.position.offset
    this.#databaseBytes = this.#database.usedBytes()
  }
}
