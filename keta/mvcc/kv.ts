/**
 * What the multi-version store promises: versions, events, the read view and the write transaction.
 * The semantics stand here; the reasons for how they are reached stand in the implementation files.
 *
 * A *revision* is the store's logical clock: it starts at 1 (empty store) and grows by exactly one for
 * each request that changes at least one key. All changes of one request share its revision (`main`)
 * and are numbered `sub` = 0, 1, 2 … in the order in which they were made.
 */
import type { Key, KeyRange } from '../bytes/key.ts'

/** One version of one key, immutable. A deletion is a version too (a *tombstone*: `version` is 0). */
export interface Version {
  readonly key: Key
  /** Revision that wrote this version. */
  readonly modRevision: number
  /** Position of this change among the changes of its revision, from 0. */
  readonly sub: number
  /** Revision that created the key's current generation; 0 for a tombstone. */
  readonly createRevision: number
  /** 1 for the write that created the generation, +1 for each later one; 0 for a tombstone. */
  readonly version: number
  /** Lease attached by this write, 0n if none. */
  readonly lease: bigint
  /** Bytes of the encoded mvccpb.KeyValue, see `encoded()`. */
  readonly encodedLength: number
  /**
   * The mvccpb.KeyValue in its canonical protobuf encoding (fields in number order, zero values
   * absent), ready to be spliced into an answer; for a tombstone only key and mod_revision.
   * A view: never write to it; copy it if it is kept after the current turn of the event loop.
   */
  encoded(): Uint8Array
  /** The value bytes, a view into `encoded()`; empty for a tombstone. */
  value(): Uint8Array
}

/**
 * One change of one key, as watchers see it. `previous` is the live version before the whole revision, as in etcd, if
 * any.
 */
export interface Event {
  readonly version: Version
  readonly previous: Version | undefined
}

/** Everything that one request changed: what `revision` did, in `sub` order; never empty. */
export interface Commit {
  readonly revision: number
  readonly events: readonly Event[]
}

export type RevisionProblem = 'compacted' | 'future'

export interface RangeResult {
  /** Live versions in key order. */
  readonly versions: readonly Version[]
  /** Keys alive in the range at that revision, whatever the limit. */
  readonly count: number
}

/** A consistent view of the store. Valid until the next change: use it within one turn. */
export interface ReadView {
  /** The newest revision this view sees. */
  readonly revision: number
  /** Revisions below this one are gone; this one itself is readable. -1 before any compaction. */
  readonly compactRevision: number
  /** Live version of `key` at `atRevision`, undefined if there is none. */
  get(key: Key, atRevision: number): Version | undefined
  /**
   * Live versions in `range` at `atRevision`, in key order.
   * @param limit at most so many versions are collected (0 = all); `count` is not affected.
   * @param countOnly collect nothing.
   * The caller has checked `atRevision` with `checkRevision`.
   */
  range(range: KeyRange, atRevision: number, limit: number, countOnly?: boolean): RangeResult
}

/**
 * The open write of one request. Changes are visible at once to this view, and to nobody else before
 * `commit()`: the store is used by one synchronous caller at a time. There is no rollback: check first, then write.
 */
export interface WriteTxn extends ReadView {
  /** `revision` is the base revision before the first change, base + 1 after it. */
  readonly revision: number
  readonly changed: boolean
  /** Writes a new version; the value bytes are copied. Returns what it replaced, if the key was alive. */
  put(key: Key, value: Uint8Array, lease: bigint): { readonly version: Version; readonly previous: Version | undefined }
  /** Deletes every live key of the range, in key order; returns the versions that were deleted. */
  deleteRange(range: KeyRange): readonly Version[]
  /** Ends the write. Undefined if nothing was changed: then the revision has not moved. */
  commit(): Commit | undefined
}

/** The past, as watchers read it. */
export interface History {
  readonly revision: number
  readonly compactRevision: number
  /**
   * The commits from `fromRevision` on (≥ compactRevision), oldest first, each whole. Stops after `maxRevisions`
   * commits, or once `maxBytes` of encoded key-values are exceeded (but always gives at least one). A revision whose
   * changes were all compacted away is skipped. `previous` is the live version before, where compaction has left it.
   */
  commits(fromRevision: number, maxRevisions: number, maxBytes: number): readonly Commit[]
}

/** A dump in progress: the store as it was when `dump()` was called, while writes go on. */
export interface StoreDump {
  /** Self-contained chunks of about `chunkBytes`, made as they are pulled. */
  readonly chunks: Iterable<Uint8Array>
  /** Must be called when done or given up: until then nothing is scrubbed. Idempotent. */
  close(): void
}

/** The whole store, as the state machine and the engine use it. */
export interface Store extends ReadView, History {
  begin(): WriteTxn
  /** 'compacted' if atRevision < compactRevision, 'future' if > revision. The caller has mapped "now" to `revision`. */
  checkRevision(atRevision: number): RevisionProblem | undefined
  /**
   * Forgets, from this moment on and for every reader, what only revisions below `revision` could see: of each key
   * the newest version ≤ revision stays, unless it is a tombstone. Memory is given back later, by `scrub`. Refuses as
   * etcd does: ≤ compactRevision is 'compacted', > revision is 'future'.
   */
  compact(revision: number): RevisionProblem | undefined
  /**
   * Gives back memory of compacted versions, visiting at most `maxKeys` keys. True when nothing is left to do (or a
   * dump is open).
   */
  scrub(maxKeys: number): boolean
  /** True while `scrub` has work to do. */
  readonly scrubPending: boolean
  /**
   * Moves live bytes out of sparsely used memory, visiting at most `maxKeys` keys per call from the beginning on;
   * true when done.
   */
  defragment(maxKeys: number): boolean
  /** CRC-32C as etcd's HashKV: see etcd server/storage/mvcc/hash.go. `atRevision` has been checked. */
  hashKv(atRevision: number): number
  /** Bytes of memory held for encoded versions, and how many of them versions that are still reachable use. */
  readonly allocatedBytes: number
  readonly liveBytes: number
  /** Number of keys alive now. */
  readonly keyCount: number
  dump(chunkBytes?: number): StoreDump
}
