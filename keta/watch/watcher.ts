/** A watcher as the hub holds it, and the interest that it shares with all watchers who asked to see the same. */
import type { KeyRange } from '../bytes/key.ts'
import type { Event } from '../mvcc/kv.ts'
import type { WatchAnswer } from './watch.ts'

/** Which events a watcher asked for. */
export interface Wish {
  readonly range: KeyRange
  readonly noPut: boolean
  readonly noDelete: boolean
  readonly prevKv: boolean
}

/** One wish and who has it: its watchers are given the same events, in the same arrays. */
export interface Interest extends Wish {
  /** Those of its watchers that are synced. */
  readonly synced: Set<Watcher>
  /** How many watchers it has, in whatever state. */
  watchers: number
}

/**
 * - synced: has been sent, or did not want, every event of every published revision; `publish` serves it.
 * - lagging: is owed the revisions from `cursor` on; catch-up serves it.
 * - compacted: was owed a revision that is gone; gets nothing more, but keeps its id until it is canceled (as in etcd).
 */
export type WatcherState = 'synced' | 'lagging' | 'compacted'

export interface Watcher {
  readonly id: bigint
  readonly owner: WatcherOwner
  readonly interest: Interest
  /** As requested; 0 = from its creation on. */
  readonly startRevision: number
  readonly progressNotify: boolean
  readonly fragment: boolean
  state: WatcherState
  /** No revision below this one is (any more) of interest. Lagging: the next revision to look at. */
  cursor: number
  /** No event was sent since the last progress tick. */
  quiet: boolean
}

/** The stream a watcher belongs to, as the hub sees it. */
export interface WatcherOwner {
  /** Events and progress have to wait. */
  readonly full: boolean
  send(answer: WatchAnswer): void
  /** Synced → lagging: the watcher needs `revision` and could not be given it. */
  fellBehind(watcher: Watcher, revision: number): void
  /** Lagging → synced. */
  caughtUp(watcher: Watcher): void
  /** Lagging → compacted. */
  lostHistory(watcher: Watcher, compactRevision: number): void
}

/** Whether the filters of the wish let the event through; the range is not looked at. */
export function wants(wish: Wish, event: Event): boolean {
  const isDelete = event.version.version === 0
  return isDelete ? !wish.noDelete : !wish.noPut
}
