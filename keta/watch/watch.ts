/**
 * What a watch promises (etcd's guarantees: ordered, unique, atomic, reliable, resumable), and how the hub talks to
 * whoever carries the events away.
 *
 * The hub holds no queue per watcher. A watcher is *synced* while its sink takes what it is given; as soon as the
 * sink is full the watcher keeps only a cursor (the next revision it needs) and is caught up from the store's history
 * when the sink drains. So a slow client costs a cursor, whatever the write rate, and can be hurt only by compaction.
 */
import type { Key } from '../bytes/key.ts'
import type { Event } from '../mvcc/kv.ts'

export interface WatchRequest {
  /** Empty = "\0", as in etcd. */
  readonly key: Key
  readonly rangeEnd: Key
  /** 0 = from now on (current revision + 1). */
  readonly startRevision: number
  readonly progressNotify: boolean
  readonly noPut: boolean
  readonly noDelete: boolean
  readonly prevKv: boolean
  /** 0n = the hub chooses. */
  readonly watchId: bigint
  /** Allows the carrier to split an answer that is too large; the hub only hands the wish on. */
  readonly fragment: boolean
}

/** An event with what its watcher asked to see. */
export interface WatchEvent {
  readonly event: Event
  /** The live version before the event's revision, if prev_kv was asked for and it still exists. */
  readonly previous: Event['previous']
}

export type RefusalReason = 'duplicate-id' | 'empty-range' | 'compacted'

export type WatchAnswer =
  | { readonly kind: 'created'; readonly watchId: bigint; readonly revision: number }
  /** The request was refused: answered created + canceled with watch_id -1 and this reason. */
  | { readonly kind: 'refused'; readonly revision: number; readonly reason: RefusalReason }
  | WatchEvents
  /** Progress: everything up to and including `revision` has been delivered. watchId -1n answers a manual request. */
  | { readonly kind: 'progress'; readonly watchId: bigint; readonly revision: number }
  | { readonly kind: 'canceled'; readonly watchId: bigint; readonly revision: number }
  /**
   * The watcher's next revision was compacted away: `compactRevision` is where the history now begins. Nothing more
   * comes of the watcher, but it keeps its id, and answers no progress, until it is canceled.
   */
  | { readonly kind: 'compacted'; readonly watchId: bigint; readonly compactRevision: number }

/** All events of one or more whole revisions that the watcher asked for, oldest first; never none. */
export interface WatchEvents {
  readonly kind: 'events'
  readonly watchId: bigint
  /** ≥ the last event's revision; everything up to and including it has been delivered with this answer. */
  readonly revision: number
  /**
   * Watchers that are given the same events at the same time are given the same array, which never changes: an encoding
   * can be kept by its identity (WeakMap), so that it is made once for all of them.
   */
  readonly events: readonly WatchEvent[]
  /** As the watcher requested. */
  readonly fragment: boolean
}

/** The way out to one client's stream. */
export interface WatchSink {
  /**
   * Takes an answer, always. Returns false if the sink is now full: the hub sends nothing more that can wait (events,
   * progress, compacted) until `drained()` is called on the stream. It must not call the stream before it returns.
   */
  send(answer: WatchAnswer): boolean
}

/** One client's watch stream: the watchers on it share its sink. */
export interface WatchStream {
  create(request: WatchRequest): void
  /** An unknown id is ignored. */
  cancel(watchId: bigint): void
  /**
   * etcd's WatchProgressRequest: one answer with id -1 if there are watchers and every one is synced and started (its
   * requested start revision is not in the future), silence otherwise. While the sink is full the answer waits.
   */
  requestProgress(): void
  /** The sink can take more again. */
  drained(): void
  /** Forgets all watchers; nothing is sent afterwards. Idempotent. */
  close(): void
}
