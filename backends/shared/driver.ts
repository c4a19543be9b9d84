/**
 * The port of a store: the dozen things that a store must be able to do. Everything else of the SPI – deadlines, loss,
 * re-joining, elections, listeners, unknown outcomes – is built on them once, in this folder.
 *
 * What holds for every call:
 * - Arguments have been checked (spi/keys.ts, spi/data.ts); names are as the caller gave them, the driver escapes them.
 * - It gives up when `call.signal` aborts, and by itself after `call.timeoutMs`. The caller does not wait for it.
 * - It throws CoordinationError only, with `effect` told truthfully: `none` if the store certainly has not done it and
 *   will not (the request was never sent, or was refused). It does not repeat a write whose outcome is unknown.
 * - It keeps no state of its own about sessions, seats or writes: a call may be made by one driver and asked about by
 *   another of the same cluster.
 */
import type { Capabilities, Entry, FencingToken, Version } from '../../spi/index.ts'

export interface StoreDriver extends SessionStore, SeatStore, ValueStore, ChangeSource {
  /** Constant from the moment that the driver is given out. */
  readonly capabilities: Capabilities

  /** Shuts the connections; bounded in time; never rejects. Nothing is called afterwards. */
  close(): Promise<void>
}

/** Of every call. */
export interface Call {
  readonly signal: AbortSignal
  /** Milliseconds. */
  readonly timeoutMs: number
}

export interface ReadCall extends Call {
  /** `sequential`: not older than anything that this driver has answered before. Who cannot tell reads linearizably. */
  readonly consistency: 'linearizable' | 'sequential'
}

/** Leases: what the store ends by itself when its owner falls silent. */
export interface SessionStore {
  /** A new session. The store may grant more than is wished, never less. */
  openSession(ttlMs: number, call: Call): Promise<SessionGrant>

  /** Starts the time to live anew. undefined: the store says that the session is over. */
  renewSession(id: string, call: Call): Promise<SessionGrant | undefined>

  /** Ends it, and removes its seats at once. Does nothing if it is over. */
  endSession(id: string, call: Call): Promise<void>
}

export interface SessionGrant {
  /** Never used twice. */
  readonly id: string
  /** Milliseconds. */
  readonly ttlMs: number
  /** What else the deadline must fear beside the granularity; see spi/session.ts. Milliseconds. Default 0. */
  readonly skewMs?: number
}

/**
 * A seat is a place that at most one session holds: the leadership of a service, an id within a group. It is empty when
 * its holder has left it, or when the holder's session is over.
 */
export type Seat =
  | { readonly kind: 'leader'; readonly service: string }
  | { readonly kind: 'member'; readonly group: string; readonly id: string }

export interface Holder {
  /** The candidate's or the member's id. */
  readonly id: string
  readonly session: string
  /** Names the attempt that took the seat: how a client knows its own after a lost reply. Never used twice. */
  readonly nonce: string
  readonly data: Uint8Array
}

export interface Seated extends Holder {
  /** Of this incarnation; strictly greater than those of all holders of this seat before it, for ever. */
  readonly token: FencingToken
}

export interface SeatStore {
  /**
   * Takes the seat for the holder's session if it is empty, in one step; a live session only.
   * @returns who holds it now: ours iff the nonces are equal. Repeated with the same nonce it does not take it twice in
   * a row: it finds itself there.
   * @throws CoordinationError SESSION_LOST with effect `none` if the holder's session is over.
   */
  takeSeat(seat: Seat, holder: Holder, call: Call): Promise<Seated>

  /** Replaces the data; the token stays. false: another incarnation holds it, or none. */
  amendSeat(seat: Seat, token: FencingToken, data: Uint8Array, call: Call): Promise<boolean>

  /** Empties the seat if this incarnation holds it, whoever asks; else does nothing. */
  emptySeat(seat: Seat, token: FencingToken, call: Call): Promise<void>

  readSeat(seat: Seat, call: ReadCall): Promise<Seated | undefined>

  /** All members of a group, by id. */
  readGroup(group: string, call: ReadCall): Promise<ReadonlyMap<string, Seated>>
}

/** The key-value store. */
export interface ValueStore {
  read(key: string, call: ReadCall): Promise<Entry | undefined>

  /** A page of the keys in a range, ascending by their UTF-8 bytes. */
  scan(range: ScanRange, call: ReadCall): Promise<ScanPage>

  /**
   * All of it or nothing, in one step. At most once: the store remembers `commit.id` for as long as the session lives.
   * Without transactions (`capabilities.transactions` false) it is never given more than one key.
   * @throws CoordinationError SESSION_LOST with effect `none` if the commit's session is over.
   */
  commit(commit: Commit, call: Call): Promise<CommitOutcome>

  /**
   * What became of a commit whose reply was lost. Once it has answered, the outcome is final: a request that is still
   * on its way can no longer take effect.
   * @returns 'never' if the commit did not take place and never will.
   * @throws CoordinationError SESSION_LOST with effect `unknown` if the session is over, and with it what was
   * remembered.
   */
  outcomeOf(commit: Commit, call: Call): Promise<CommitOutcome | 'never'>
}

export interface ScanRange {
  /** First key, inclusive, and last, exclusive; not necessarily legal keys themselves. */
  readonly from: string
  readonly to: string
  readonly limit: number
  /** Values are not needed: the entries' bytes may be empty. */
  readonly keysOnly: boolean
  /** Of the first page, for the same moment; without `snapshotScan` it means nothing. */
  readonly at: string | undefined
}

export interface ScanPage {
  readonly entries: readonly Entry[]
  readonly more: boolean
  /** The moment shown. */
  readonly at: string | undefined
}

/** A transaction, with each key once (fold.ts has taken care of repeated ones). */
export interface Commit {
  readonly id: CommitId
  readonly changes: readonly KeyChange[]
  /** Commit only if this token is that of the service's present leader. */
  readonly fence: { readonly service: string; readonly token: FencingToken } | undefined
}

/** What must be true of a key, and what becomes of it. */
export interface KeyChange {
  readonly key: string
  readonly expect: 'anything' | 'absent' | 'present' | Version
  readonly become: Uint8Array | 'absent' | 'unchanged'
}

/**
 * Names a commit within its session. Commits of one slot follow each other: number n+1 is sent only when the outcome of
 * n is known. A slot with a commit that never will be known, or 'never' was, is not used again.
 */
export interface CommitId {
  readonly session: string
  readonly slot: number
  /** From 1. */
  readonly number: number
  /** The number of the slot's last commit that took place, 0 if none did: what the store must find of the slot. */
  readonly after: number
}

export type CommitOutcome =
  | {
      readonly committed: true
      /** Of every key that was written. */
      readonly versions: ReadonlyMap<string, Version>
    }
  | {
      readonly committed: false
      /** What stood in the way, as of the moment of the refusal: every key of the commit (undefined: absent) … */
      readonly found: ReadonlyMap<string, Entry | undefined>
      /** … and the present token of the fence's service; undefined if nobody leads, or there is no fence. */
      readonly token: FencingToken | undefined
    }

/** Notifications. A follow goes on until closed, through reconnects and restarts of the store. */
export interface ChangeSource {
  /** One key, by its name. */
  followKey(key: string, sink: FollowSink<Entry>): Follow
  /** The keys below a namespace, by name. The entries' bytes may be empty. */
  followNamespace(namespace: string, sink: FollowSink<Entry>): Follow
  /** The leader of a service, under the name of the service. */
  followLeader(service: string, sink: FollowSink<Seated>): Follow
  /** The members of a group, by id. */
  followGroup(group: string, sink: FollowSink<Seated>): Follow
}

/**
 * Told in the order of commits; never an older state after a newer one, also across a gap. May be told what it knows
 * already. Calls are synchronous and must not throw.
 */
export interface FollowSink<T> {
  /**
   * All there is, at one moment: the first thing told, and again after each gap. The first one shows everything that
   * was acknowledged to anybody before the follow was asked for.
   */
  reset(all: ReadonlyMap<string, T>): void
  /** What has changed since; undefined: it is gone. */
  changed(changes: ReadonlyMap<string, T | undefined>): void
  /** The store refuses for good, such as for lack of permission. Nothing follows. */
  failed(error: Error): void
}

export interface Follow {
  /** Resolves once `reset` has been called and all later commits will be told; rejects if it failed before. */
  readonly active: Promise<void>
  /** Nothing is told any more from the moment of the call; `active` may then stay pending. */
  close(): void
}
