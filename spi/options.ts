/** What every call of the SPI may be given as its last argument. */
import type { Fence, Version } from './values.ts'

/**
 * A call that is aborted rejects with `signal.reason`, at once; one that is aborted before it starts sends nothing.
 * The effect of an aborted write is unknown; an aborted `join` or `nominate` is undone in the background before its
 * lease could matter to anybody.
 */
export interface OpOptions {
  readonly signal?: AbortSignal
  /**
   * Reject after so many milliseconds: with TIMEOUT, or with CONNECTION if it was last heard that no server is there.
   * Default: the session timeout. Of a call that waits for an event (`join` with `onConflict: 'wait'`,
   * `awaitLeadership`): default none.
   */
  readonly timeoutMs?: number
}

export interface ReadOptions extends OpOptions {
  /**
   * `linearizable` (default): the answer reflects every write acknowledged to anybody before the call.
   * `sequential`: it may lag behind, but never goes back within one client; cheaper where the store has replicas.
   */
  readonly consistency?: 'linearizable' | 'sequential'
}

export interface WriteOptions extends OpOptions {
  /** Compare-and-set: fail with VERSION_MISMATCH unless this is the key's version. */
  readonly ifVersion?: Version
  /**
   * Fail with FENCED unless this token is its service's current one; checked in the store, in one step with the write.
   * Any process may use it: a follower fences its work with the token that the leader's request carried.
   */
  readonly fence?: Fence
}

/** Options of a write that cannot have a version to compare with. */
export type CreateOptions = Omit<WriteOptions, 'ifVersion'>

export interface ListenOptions extends OpOptions {
  /**
   * Deliver the present state first (default false, as in KIP-30): exactly one call, in order with the changes.
   * It closes the gap of reading first and subscribing then.
   */
  readonly initial?: boolean
}
