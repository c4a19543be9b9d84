/** KIP-30's group membership: brokers form a cluster, consumers form a group. */
import type { Data } from './data.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { ListenOptions, OpOptions, ReadOptions } from './options.ts'
import type { LossReason } from './session.ts'
import type { FencingToken } from './values.ts'

/**
 * KIP-30: "Supports two modes: joining (becoming the member, leaving the group, subscribing to change notifications)
 * and observing (fetching group state, subscribing to change notifications)". One instance is one group.
 */
export interface GroupMembershipClient extends Lifecycle {
  /** Unique among all groups of the cluster; fixed at creation. */
  readonly group: string

  /**
   * Become a member, until `leave` or `close`. KIP-30: "Throw an exception in case of ID conflict".
   *
   * Ownership goes by session, never by name: a record of the same id that an earlier process of ours left behind is
   * somebody else's. After a lost session the client joins again by itself, with a new epoch, unless `autoRejoin` is
   * false.
   * @throws CoordinationError MEMBER_EXISTS if a live session, this one too, holds the id (see `onConflict`);
   * INVALID_KEY, INVALID_DATA, TOO_LARGE.
   */
  join(id: string, data: Data, options?: JoinOptions): Promise<Membership>

  /**
   * Replace the supplemental data of this client's member; the epoch stays.
   * @throws CoordinationError NOT_A_MEMBER if this client does not, or no longer, hold the id.
   */
  updateData(id: string, data: Data, options?: OpOptions): Promise<void>

  /**
   * KIP-30: "Stop membership in this group". Ends re-joining too. Does nothing if this client does not hold the id: it
   * never removes another session's member.
   */
  leave(id: string, options?: OpOptions): Promise<void>

  /** The ids of the members. */
  membershipList(options?: ReadOptions): Promise<ReadonlySet<string>>

  /** The ids and their supplemental data as text. @throws CoordinationError INVALID_DATA if one is not UTF-8. */
  membership(options?: ReadOptions): Promise<ReadonlyMap<string, string>>

  /** The same with bytes and epochs. */
  members(options?: ReadOptions): Promise<ReadonlyMap<string, Member>>

  /** Permanent; see listener-registry.ts for what holds for all listeners. */
  addListener(listener: GroupChangeListener, options?: ListenOptions): Promise<void>
  removeListener(listener: GroupChangeListener): Promise<void>
}

export interface JoinOptions extends OpOptions {
  /**
   * What to do while another session holds the id.
   * - `throw` (default): MEMBER_EXISTS, as KIP-30 says. A broker that crashed meets its own ghost until the ttl ends.
   * - `wait`: until the holder's lease ends.
   * - `takeover`: evict the holder now. Its signal aborts (`evicted`), its `leave` does nothing. For the restarted
   *   process of a machine that knows that the other one is dead.
   */
  readonly onConflict?: 'throw' | 'wait' | 'takeover'
  /** Default true. */
  readonly autoRejoin?: boolean
}

export interface Member {
  readonly id: string
  readonly data: Uint8Array
  readonly epoch: FencingToken
}

/** One incarnation of a member of ours. `await using` leaves. */
export interface Membership extends AsyncDisposable {
  readonly id: string
  /** Rises with every incarnation of the id, whoever it is: Kafka's broker epoch. */
  readonly epoch: FencingToken
  /** Aborts when this incarnation is over, before others can see it gone or take its id. */
  readonly signal: AbortSignal
}

/** KIP-30's `GroupMembershipClient.Listener`. */
export interface GroupChangeListener {
  /** The whole new membership. States may be skipped, never reordered or repeated; the last one always arrives. */
  onGroupChange(membership: ReadonlySet<string>): void | Promise<void>
  /** A membership of this client ended. Never skipped, and in turn with onRejoined. */
  onMembershipLost?(membership: Membership, reason: LossReason): void | Promise<void>
  /** A lost membership is back, with a higher epoch. */
  onRejoined?(membership: Membership): void | Promise<void>
}
