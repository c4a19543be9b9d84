/** KIP-30's leader election: who is controller – and how it knows that it no longer is. */
import type { Data } from './data.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { ListenOptions, OpOptions, ReadOptions } from './options.ts'
import type { LossReason } from './session.ts'
import type { Fence, FencingToken } from './values.ts'

/**
 * KIP-30: "Supports two modes: running for election (joining the candidates for leadership, resigning as a leader,
 * subscribing to change notifications) and observing (getting current leader, subscribing to change notifications)".
 * One instance is one service (resource).
 *
 * KIP-30's `nominate` answers a Boolean that is stale when it is read, and a later win has nobody to tell. Here the
 * right to act is an object, {@link Leadership}, with a token that the store checks and a signal that comes in time.
 */
export interface LeaderElectionClient extends Lifecycle {
  /** Unique among all services of the cluster; fixed at creation. */
  readonly service: string

  /** Who leads, for information. Whether *I* may act is {@link leadership}'s to say. Linearizable by default. */
  getLeader(options?: ReadOptions): Promise<string | undefined>

  /** The same with token and data. */
  leader(options?: ReadOptions): Promise<LeaderInfo | undefined>

  /**
   * KIP-30: "Make this candidate eligible for leader election and try to obtain leadership for this service if it's
   * vacant". Eligible until `resign`, `withdraw` or `close`; through lost sessions too.
   * @returns true: it is leader now, and `onElected` has run. false: it waits its turn, and may win later.
   * @throws CoordinationError CANDIDATE_EXISTS if this client already runs that id. An equal id of another session is
   * another candidate.
   */
  nominate(candidate: string, options?: NominateOptions): Promise<boolean>

  /**
   * The handle while this client leads as `candidate`. Synchronous and local; never one that is past the session's
   * deadline, even right after a stall of the event loop.
   */
  leadership(candidate: string): Leadership | undefined

  /**
   * Resolves when the candidate leads; at once if it does. Never left hanging: a lost session puts the candidate back
   * in the queue, everything else rejects.
   * @throws CoordinationError LEADERSHIP_LOST if the candidacy ends or does not exist; CLOSED; TIMEOUT.
   */
  awaitLeadership(candidate: string, options?: OpOptions): Promise<Leadership>

  /**
   * KIP-30: "Voluntarily resign as a leader and initiate new leader election … (will be ignored if not a leader)".
   * Awaits `onLeadershipLost('resigned')` – the place to stop all duties – and only then lets go. Ends the candidacy:
   * who resigned does not win again until nominated again. If the store cannot be reached it rejects, and may be
   * called again.
   */
  resign(leader: string, options?: OpOptions): Promise<void>

  /** No longer a candidate; resigns if it leads. Does nothing for an unknown candidate. */
  withdraw(candidate: string, options?: OpOptions): Promise<void>

  /** Permanent; see listener-registry.ts for what holds for all listeners. */
  addListener(listener: LeaderChangeListener, options?: ListenOptions): Promise<void>
  removeListener(listener: LeaderChangeListener): Promise<void>
}

export interface LeaderInfo {
  readonly candidate: string
  readonly token: FencingToken
  /** As nominated with; empty if with none. */
  readonly data: Uint8Array
}

export interface NominateOptions extends OpOptions {
  /** Shown to observers while the candidate leads, such as where to reach it. */
  readonly data?: Data
  /** Evict an older incarnation of the same candidate id, which its process knows to be dead. */
  readonly takeover?: boolean
}

/** The right to act for one term. It is also the Fence to write with. `await using` resigns. */
export interface Leadership extends Fence, AsyncDisposable {
  readonly candidate: string
  readonly data: Uint8Array
  /**
   * Aborts, with LEADERSHIP_LOST as reason, before any other candidate can win – as long as the event loop runs. Pass
   * it to everything that is done as leader.
   */
  readonly signal: AbortSignal
  /** Computed from clock and deadline at this moment: also true to the facts right after a stall. */
  readonly held: boolean
  /** @throws CoordinationError LEADERSHIP_LOST unless `held`. */
  assertHeld(): void
  /** Asks the store, in one linearizable round trip: still the owner? */
  verify(options?: OpOptions): Promise<boolean>
}

/** KIP-30's `LeaderElectionClient.Listener`. */
export interface LeaderChangeListener {
  /** States may be skipped (A→B→A may show as nothing), never reordered; the last one always arrives. */
  onLeaderChange(leader: string | undefined): void | Promise<void>
  /**
   * This client's own terms: elected and lost strictly in turn for each candidate, none skipped, each awaited before
   * the next. The same candidate winning twice is lost, then elected with a higher token.
   */
  onElected?(leadership: Leadership): void | Promise<void>
  onLeadershipLost?(leadership: Leadership, reason: LossReason): void | Promise<void>
}
