/** Executes one command on the replicated state: all checks first, in etcd's order; a refused one writes nothing. */
import { successor } from '../bytes/key.ts'
import {
  ALARM_CORRUPT,
  ALARM_NOSPACE,
  type AlarmCommand,
  type Command,
  type CommandResponse,
  type LeaseGrantCommand,
  type LeaseRevokeCommand,
} from '../command/command.ts'
import type { FailureCode } from '../command/failure.ts'
import type { CompactOperation, DeleteRangeOperation, PutOperation, TxnOperation } from '../command/operations.ts'
import type { AuthStore } from '../auth/auth-store.ts'
import type { Grants } from '../auth/grants.ts'
import type { AuthCommand } from '../command/auth-command.ts'
import type { Authored } from '../command/author.ts'
import type { Lessor } from '../lease/lessor.ts'
import type { Commit, Store } from '../mvcc/kv.ts'
import type { Alarms } from './alarms.ts'
import { unauthorised } from './authorise.ts'
import type { Applied } from './state.ts'
import { checkPath, resolvePath } from './txn-path.ts'
import { executePath, hasPut } from './txn.ts'
import { deleteKeys, deleteRange, lacksCurrent, lacksLease, put } from './writes.ts'

/** What commands change. */
export interface ReplicatedState {
  readonly store: Store
  readonly leases: Lessor
  readonly alarms: Alarms
  readonly auth: AuthStore
  /** Answers from `auth`. */
  readonly grants: Grants
}

export type Executed = Extract<Applied, { readonly status: 'applied' }>

/** @param offset of the command's record. */
export function execute(state: ReplicatedState, authored: Authored<Command>, offset: number): Executed {
  const { command, author } = authored
  const forbidden = forbiddenByAlarm(state.alarms, command)
  if (forbidden !== undefined) return refused(command, forbidden)
  if (state.auth.enabled) {
    const failure = unauthorised(state, command, author)
    if (failure !== undefined) return refused(command, failure)
  }
  switch (command.kind) {
    case 'put':
      return executePut(state, command)
    case 'deleteRange':
      return executeDeleteRange(state, command)
    case 'txn':
      return executeTxn(state, command)
    case 'compact':
      return executeCompact(state, command)
    case 'leaseGrant':
      return executeLeaseGrant(state, command)
    case 'leaseRevoke':
      return executeLeaseRevoke(state, command)
    case 'alarm':
      return executeAlarm(state, command)
    case 'auth':
      return executeAuth(state, command, offset)
  }
}

/** As etcd's corrupt and capped appliers: CORRUPT stops every write, NOSPACE those that need space. */
function forbiddenByAlarm(alarms: Alarms, command: Command): FailureCode | undefined {
  if (command.kind === 'alarm' || command.kind === 'auth') return undefined
  if (alarms.has(ALARM_CORRUPT)) return 'CORRUPT'
  return alarms.has(ALARM_NOSPACE) && needsSpace(command) ? 'NO_SPACE' : undefined
}

function needsSpace(command: Command): boolean {
  return command.kind === 'put' || command.kind === 'leaseGrant' || (command.kind === 'txn' && hasPut(command))
}

function executePut({ store, leases }: ReplicatedState, operation: PutOperation): Executed {
  // The other way round than in a transaction; so is etcd.
  if (lacksLease(leases, operation)) return refused(operation, 'LEASE_NOT_FOUND')
  if (lacksCurrent(store, operation)) return refused(operation, 'KEY_NOT_FOUND')
  const txn = store.begin()
  const response = put(txn, leases, operation)
  return answered(operation, response, txn.commit())
}

function executeDeleteRange({ store, leases }: ReplicatedState, operation: DeleteRangeOperation): Executed {
  const txn = store.begin()
  const response = deleteRange(txn, leases, operation)
  return answered(operation, response, txn.commit())
}

function executeTxn({ store, leases }: ReplicatedState, operation: TxnOperation): Executed {
  const path = resolvePath(store, operation)
  const failure = checkPath(store, leases, path)
  if (failure !== undefined) return refused(operation, failure)
  const txn = store.begin()
  const response = executePath(txn, leases, path)
  return answered(operation, response, txn.commit())
}

function executeCompact({ store }: ReplicatedState, operation: CompactOperation): Executed {
  const problem = store.compact(operation.revision)
  if (problem !== undefined) return refused(operation, problem === 'compacted' ? 'COMPACTED' : 'FUTURE_REVISION')
  return answered(operation, { kind: 'compact' }, undefined)
}

function executeLeaseGrant({ leases }: ReplicatedState, operation: LeaseGrantCommand): Executed {
  const { id, ttl } = operation
  const failure = leases.checkGrant(id, ttl)
  if (failure !== undefined) return refused(operation, failure)
  leases.grant(id, ttl)
  return answered(operation, { kind: 'leaseGrant', id, ttl }, undefined)
}

function executeLeaseRevoke({ store, leases }: ReplicatedState, operation: LeaseRevokeCommand): Executed {
  const { id } = operation
  const lease = leases.get(id)
  if (lease === undefined) return refused(operation, 'LEASE_NOT_FOUND')
  const txn = store.begin()
  for (const key of lease.sortedKeys()) deleteKeys(txn, leases, { start: key, end: successor(key) })
  leases.revoke(id)
  return answered(operation, { kind: 'leaseRevoke' }, txn.commit())
}

function executeAlarm({ alarms }: ReplicatedState, operation: AlarmCommand): Executed {
  const { action, memberId, alarm } = operation
  const changed = action === 'activate' ? alarms.activate(memberId, alarm) : alarms.deactivate(memberId, alarm)
  return answered(operation, { kind: 'alarm', alarms: changed === undefined ? [] : [changed] }, undefined)
}

function executeAuth({ auth }: ReplicatedState, operation: AuthCommand, offset: number): Executed {
  const failure = auth.apply(operation.change)
  if (failure !== undefined) return refused(operation, failure)
  return answered(operation, { kind: 'auth', offset }, undefined)
}

function answered(command: Command, response: CommandResponse, commit: Commit | undefined): Executed {
  return { status: 'applied', command, response, failure: undefined, commit }
}

function refused(command: Command, failure: FailureCode): Executed {
  return { status: 'applied', command, response: undefined, failure, commit: undefined }
}
