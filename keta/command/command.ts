/**
 * Commands: every request that changes the replicated state, as it is written to the log, and the
 * results that applying them gives. A command is complete: whatever needed a clock, randomness or a
 * choice by the server (lease ids, expiry decisions) was decided before it was appended.
 */
import type { Version } from '../mvcc/kv.ts'
import type { AuthCommand } from './auth-command.ts'
import type { CompactOperation, DeleteRangeOperation, PutOperation, TxnOperation } from './operations.ts'

export const ALARM_NONE = 0
export const ALARM_NOSPACE = 1
export const ALARM_CORRUPT = 2

export interface LeaseGrantCommand {
  readonly kind: 'leaseGrant'
  /** Never 0n: the server chose one if the client did not. */
  readonly id: bigint
  /** Seconds, already raised to the server's minimum. */
  readonly ttl: number
}

export interface LeaseRevokeCommand {
  readonly kind: 'leaseRevoke'
  readonly id: bigint
}

export interface AlarmCommand {
  readonly kind: 'alarm'
  readonly action: 'activate' | 'deactivate'
  readonly memberId: bigint
  readonly alarm: number
}

export type Command =
  | PutOperation
  | DeleteRangeOperation
  | TxnOperation
  | CompactOperation
  | LeaseGrantCommand
  | LeaseRevokeCommand
  | AlarmCommand
  | AuthCommand

export interface RangeResponse {
  readonly kind: 'range'
  /** In the order of the answer. */
  readonly kvs: readonly Version[]
  readonly keysOnly: boolean
  readonly more: boolean
  readonly count: number
}

export interface PutResponse {
  readonly kind: 'put'
  /** Only if prev_kv was asked for. */
  readonly previous: Version | undefined
}

export interface DeleteRangeResponse {
  readonly kind: 'deleteRange'
  readonly deleted: number
  /** Only if prev_kv was asked for. */
  readonly previous: readonly Version[]
}

export interface TxnResponse {
  readonly kind: 'txn'
  readonly succeeded: boolean
  /** One per operation of the branch that ran. `revision` is what etcd puts into the sub-answer's header. */
  readonly responses: readonly { readonly response: OperationResponse; readonly revision: number }[]
}

export type OperationResponse = RangeResponse | PutResponse | DeleteRangeResponse | TxnResponse

export interface CompactResponse {
  readonly kind: 'compact'
}

export interface LeaseGrantResponse {
  readonly kind: 'leaseGrant'
  readonly id: bigint
  readonly ttl: number
}

export interface LeaseRevokeResponse {
  readonly kind: 'leaseRevoke'
}

export interface AlarmResponse {
  readonly kind: 'alarm'
  /** The alarm raised or cleared by this command; empty if nothing changed on deactivate. */
  readonly alarms: readonly ActiveAlarm[]
}

export interface AuthResponse {
  readonly kind: 'auth'
  /** Of the record: it makes a simple token unique, and says how much a node must have applied to know it. */
  readonly offset: number
}

export interface ActiveAlarm {
  readonly memberId: bigint
  readonly alarm: number
}

export type CommandResponse =
  | OperationResponse
  | CompactResponse
  | LeaseGrantResponse
  | LeaseRevokeResponse
  | AlarmResponse
  | AuthResponse

/** The answer type that belongs to each command kind. */
export type ResponseOf<C extends Command> = Extract<CommandResponse, { readonly kind: C['kind'] }>
