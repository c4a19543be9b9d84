/**
 * What the engine offers to the services in front of it (`rpc/`, later `http/`): the only door into the node.
 * Nothing here knows of gRPC.
 */
import type { ActiveAlarm, Command, CompactResponse, ResponseOf } from '../command/command.ts'
import type { CompactOperation, RangeOperation } from '../command/operations.ts'
import type { RangeResponse } from '../command/command.ts'
import type { Key } from '../bytes/key.ts'
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
  readonly leaderId: bigint
  readonly alarms: readonly ActiveAlarm[]
}

export interface Engine {
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
   * @throws RequestFailure with the state machine's refusal, 'NO_SPACE' (the quota was crossed), 'REQUEST_TOO_LARGE',
   *   'TOO_MANY_REQUESTS' (queue full), 'TIMEOUT' (7 s; the outcome is unknown), 'STOPPED'.
   */
  propose<C extends Command>(command: C, body?: Uint8Array): Promise<Outcome<ResponseOf<C>>>

  /** Compaction; with `physical` it answers only when the dropped versions are out of memory. */
  compact(operation: CompactOperation, body?: Uint8Array): Promise<Outcome<CompactResponse>>

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

  /** Renews. Resolves to the granted TTL in seconds, or undefined if there is no such lease. */
  keepAlive(id: bigint): Promise<number | undefined>
  leaseStatus(id: bigint): LeaseStatus | undefined
  /** All lease ids, soonest expiry first. */
  leaseIds(): readonly bigint[]

  openWatchStream(sink: WatchSink): WatchStream

  alarms(): readonly ActiveAlarm[]
  status(): EngineStatus
  /**
   * CRC-32C over the history up to `revision` (0 = now), as etcd's HashKV defines it. @throws RequestFailure
   * COMPACTED, FUTURE_REVISION
   */
  hashKv(revision: number): { readonly hash: number; readonly compactRevision: number; readonly hashRevision: number }
  /** Gives memory of dropped versions back. */
  defragment(): Promise<void>

  /** Resolves when the engine has stopped: undefined after `stop()`, the error that ended it otherwise. */
  readonly stopped: Promise<Error | undefined>
}
