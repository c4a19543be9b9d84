/**
 * What the engine offers to the services in front of it (`rpc/`, later `http/`): the only door into the node.
 * Nothing here knows of gRPC.
 */
import type { AuthImage, Role, User } from '../auth/auth-store.ts'
import type { Author } from '../command/author.ts'
import type { FailureCode } from '../command/failure.ts'
import type { TxnOperation } from '../command/operations.ts'
import type { ActiveAlarm, Command, CompactResponse, ResponseOf } from '../command/command.ts'
import type { CompactOperation, RangeOperation } from '../command/operations.ts'
import type { RangeResponse } from '../command/command.ts'
import type { StatusCode } from '../cluster/peers.ts'
import type { Key } from '../bytes/key.ts'
import type { StateDump } from '../state/snapshot-dump.ts'
import type { WatchSink, WatchStream } from '../watch/watch.ts'

export interface Identity {
  /** Constant for the life of the cluster / of this member. */
  readonly clusterId: bigint
  readonly memberId: bigint
  readonly name: string
}

export interface Member {
  readonly id: bigint
  readonly name: string
  readonly peerUrls: readonly string[]
  readonly clientUrls: readonly string[]
  readonly isLearner: boolean
}

/** The answer of a command, with the revision that its response header carries. */
export interface Outcome<R> {
  readonly response: R
  readonly revision: number
}

export interface LeaseStatus {
  readonly id: bigint
  /** Whole seconds left, truncated; may be ≤ 0 while the revoke is on its way. */
  readonly remainingSeconds: number
  /** Seconds granted. */
  readonly grantedTtl: number
  readonly keys: readonly Key[]
}

export interface EngineStatus {
  /** Bytes allocated for versions, and of these the bytes that live versions occupy. dbSize is never 0. */
  readonly dbSize: number
  readonly dbSizeInUse: number
  readonly dbSizeQuota: number
  /** Offset in the log + 1 of the newest appended / applied record. */
  readonly appendedIndex: number
  readonly appliedIndex: number
  /** 0n if nobody is known to lead. */
  readonly leaderId: bigint
  readonly alarms: readonly ActiveAlarm[]
}

/** What can be counted at any moment, besides the status. */
export interface EngineGauges {
  /** Keys alive. */
  readonly keys: number
  readonly leases: number
  /** 0 if nothing was compacted. */
  readonly compactRevision: number
  /** Requests that wait for the log. */
  readonly pendingProposals: number
  /** Streams of watches, watches on them, and of these the ones that are behind. */
  readonly streams: number
  readonly watchers: number
  readonly laggingWatchers: number
  /** Events given to watches so far. */
  readonly eventsSent: number
}

/** A client's unary request, as far as another node needs it to answer in this one's place. */
export interface RoutedRequest {
  /** "etcdserverpb.KV/Put" */
  readonly method: string
  readonly body: Uint8Array
  /** Who asks, by lower-case names. @throws RequestFailure INVALID_AUTH_TOKEN */
  metadata(): ReadonlyMap<string, string>
}

/** The leader's answer to a request that was forwarded to it: the bytes of its message, with its header. */
export interface ForwardedAnswer {
  readonly forwarded: Uint8Array
}

/** The leader refused a request that was forwarded to it. */
export class ForwardedRefusal extends Error {
  override readonly name = 'ForwardedRefusal'
  /** The gRPC status that its client shall see. */
  readonly status: StatusCode
  constructor(status: StatusCode, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * Who may do what, as this node's state has it. Every question gives the refusal, or undefined: always that while auth
 * is off.
 */
export interface Access {
  readonly enabled: boolean
  readonly revision: number
  readonly image: AuthImage
  user(name: string): User | undefined
  role(name: string): Role | undefined

  isRoot(author: Author | undefined): FailureCode | undefined
  /** Any user whom the request has named, as the others ask for no right. */
  isSomebody(author: Author | undefined): FailureCode | undefined
  /** For reads: whoever was recognised before users, roles or permissions last changed has to come again. */
  isCurrent(author: Author | undefined): FailureCode | undefined
  mayRead(author: Author | undefined, key: Key, rangeEnd: Key): FailureCode | undefined
  mayReadTxn(author: Author | undefined, operation: TxnOperation): FailureCode | undefined
  /** To all keys of the lease; of one that does not exist everybody has it. */
  mayTouchLease(author: Author | undefined, id: bigint, how: 'read' | 'write'): FailureCode | undefined

  /**
   * The user of a simple token, which lives on from now.
   * @param digest of its random part, see AuthChange. @param offset of the record that gave it out.
   */
  tokenUser(digest: string, offset: number): string | undefined
  /** Resolves when the record at `offset` is applied, or the time for it is over. Undefined if it is applied. */
  tokenArrival(offset: number): Promise<void> | undefined
}

export interface Engine {
  readonly access: Access
  readonly identity: Identity
  /** Revision and term of this moment, for response headers. */
  readonly revision: number
  readonly term: number
  readonly members: readonly Member[]

  /**
   * Refuses what the space quota forbids, and raises the NOSPACE alarm. Called before the static checks, because etcd
   * answers in this order. @throws RequestFailure NO_SPACE
   */
  admit(command: Command): void

  /**
   * Puts a command through the log and answers when it is durable and applied.
   * @param body the request's own protobuf bytes, if the command came over the wire; they become the record's
   * payload, unchanged.
   * @param author who asks; nobody may do much, once auth is on.
   * @throws RequestFailure with the state machine's refusal, 'NO_SPACE' (the quota was crossed), 'REQUEST_TOO_LARGE',
   *   'TOO_MANY_REQUESTS' (queue full), 'TIMEOUT' (7 s; the outcome is unknown), 'STOPPED', 'NOT_LEADER'.
   */
  propose<C extends Command>(command: C, body?: Uint8Array, author?: Author): Promise<Outcome<ResponseOf<C>>>

  /** Compaction; with `physical` it answers only when the dropped versions are out of memory. */
  compact(operation: CompactOperation, body?: Uint8Array, author?: Author): Promise<Outcome<CompactResponse>>

  /**
   * Has a request answered by whoever leads: here by `local`, if that is this node, or else by the leader, whose answer
   * is given when this node's state has reached it. If the lead changes, the request goes to the next leader as long as
   * it is certain that it has had no effect; it is never sent twice otherwise.
   * @throws what `local` throws; ForwardedRefusal; RequestFailure LEADER_LOST (the outcome is unknown), NO_LEADER.
   */
  route(
    request: RoutedRequest,
    local: () => Uint8Array | Promise<Uint8Array>,
  ): Uint8Array | Promise<Uint8Array | ForwardedAnswer>

  /** 0n if this node does not count on anybody to lead. */
  readonly leaderId: bigint
  /** Calls back when `leaderId` may have changed. @returns the end of the subscription */
  onLeaderChange(listener: () => void): () => void

  /** Whether this node leads, as far as it knows. */
  readonly leading: boolean
  /** Offset of the last record applied. */
  readonly appliedOffset: number
  /**
   * Of the leader: what another node must have applied to read what was acknowledged before this call.
   * @throws RequestFailure NOT_LEADER
   */
  readIndex(): Promise<number>
  /** Begins to take over from the leader of `epoch`, who asks for it. False if this is not the moment. */
  takeOver(epoch: number): boolean
  /** Makes the member lead. @throws RequestFailure NOT_LEADER, BAD_TRANSFEREE, TIMEOUT */
  moveLeader(memberId: bigint): Promise<void>

  /**
   * Runs `read` on the newest state that a linearizable read may see: at once and synchronously where no barrier is
   * needed (the embedded log: this process owns the data), after the barrier otherwise. `serializable` skips the
   * barrier.
   */
  read<T>(serializable: boolean, read: () => T): T | Promise<T>

  /** Executes a range on the current state, after the checks of `state/checks.ts`. @throws RequestFailure */
  range(operation: RangeOperation): Outcome<RangeResponse>

  /** A Txn that only reads is answered without the log. @throws RequestFailure */
  readTxn(operation: Extract<Command, { kind: 'txn' }>): Outcome<ResponseOf<Extract<Command, { kind: 'txn' }>>>

  /**
   * Renews. Resolves to the granted TTL in seconds, or undefined if there is no such lease. Only the leader knows about
   * leases' time, so this and the next two are for `route`. @throws RequestFailure NOT_LEADER
   */
  keepAlive(id: bigint): Promise<number | undefined>
  leaseStatus(id: bigint): LeaseStatus | undefined
  /** All lease ids, soonest expiry first. */
  leaseIds(): readonly bigint[]

  openWatchStream(sink: WatchSink): WatchStream

  alarms(): readonly ActiveAlarm[]
  status(): EngineStatus
  gauges(): EngineGauges
  /**
   * CRC-32C over the history up to `revision` (0 = now), as etcd's HashKV defines it. @throws RequestFailure
   * COMPACTED, FUTURE_REVISION
   */
  hashKv(revision: number): { readonly hash: number; readonly compactRevision: number; readonly hashRevision: number }
  /** The state as it is now. To be closed soon: until then nothing that is compacted gives its memory back. */
  dump(): StateDump
  /** Gives memory of dropped versions back. */
  defragment(): Promise<void>

  /** Resolves when the engine has stopped: undefined after `stop()`, the error that ended it otherwise. */
  readonly stopped: Promise<Error | undefined>
}

/** An engine, as whoever opened it uses it. */
export interface OpenedEngine extends Engine {
  /** Clients and other nodes can reach this node: it takes part in its cluster from now on. Called once. */
  join(): void
  /** Lets another node lead, if there is one, and goes on serving: for a stop that clients hardly notice. */
  resign(): Promise<void>
  /**
   * Answers what is in flight, refuses the rest, and releases timers. The log stays open: it belongs to the caller.
   * Idempotent.
   */
  stop(): Promise<void>
}
