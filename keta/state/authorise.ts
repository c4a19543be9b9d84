/**
 * Whether the author of a request may make it, judged on the state before it: etcd's server/etcdserver/apply/
 * apply_auth.go. Commands are asked about when they are applied, in log order; reads when they are answered.
 */
import { EMPTY_KEY } from '../bytes/key.ts'
import type { Grants } from '../auth/grants.ts'
import type { Author } from '../command/author.ts'
import type { Command } from '../command/command.ts'
import type { FailureCode } from '../command/failure.ts'
import type { DeleteRangeOperation, PutOperation, RequestOperation, TxnOperation } from '../command/operations.ts'
import type { Lessor } from '../lease/lessor.ts'

interface AuthState {
  readonly grants: Grants
  readonly leases: Lessor
}

/**
 * The refusal of a command. Compaction, grants of leases and alarms are judged where the request comes in alone, as in
 * etcd: what they do depends on nobody's keys.
 */
export function unauthorised(state: AuthState, command: Command, author: Author | undefined): FailureCode | undefined {
  switch (command.kind) {
    case 'put':
      return unauthorisedPut(state, command, author)
    case 'deleteRange':
      return unauthorisedDelete(state, command, author)
    case 'txn':
      return unauthorisedTxn(state, command, author)
    case 'leaseRevoke':
      return unauthorisedLease(state, command.id, author, 'write')
    case 'auth':
      return command.change.op === 'authenticate' ? undefined : state.grants.isRoot(author)
    case 'compact':
    case 'leaseGrant':
    case 'alarm':
      return undefined
  }
}

/** Comparisons read, and both branches count though one runs: what would run must not tell what may not be read. */
export function unauthorisedTxn(
  state: AuthState,
  { compare, success, failure }: TxnOperation,
  author: Author | undefined,
): FailureCode | undefined {
  for (const { key, rangeEnd } of compare) {
    const refusal = state.grants.mayRead(author, key, rangeEnd)
    if (refusal !== undefined) return refusal
  }
  for (const operation of [...success, ...failure]) {
    const refusal = unauthorisedOperation(state, operation, author)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

/** Whoever changes or sees what a lease carries must have the right to all its keys. An unknown lease has none. */
export function unauthorisedLease(
  { grants, leases }: AuthState,
  id: bigint,
  author: Author | undefined,
  how: 'read' | 'write',
): FailureCode | undefined {
  const lease = leases.get(id)
  if (lease === undefined || lease.keyCount === 0 || grants.isRoot(author) === undefined) return undefined
  for (const key of lease.sortedKeys()) {
    const refusal = how === 'read' ? grants.mayRead(author, key, EMPTY_KEY) : grants.mayWrite(author, key)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

function unauthorisedOperation(
  state: AuthState,
  operation: RequestOperation,
  author: Author | undefined,
): FailureCode | undefined {
  switch (operation?.kind) {
    case 'range':
      return state.grants.mayRead(author, operation.key, operation.rangeEnd)
    case 'put':
      return unauthorisedPut(state, operation, author)
    case 'deleteRange':
      return unauthorisedDelete(state, operation, author)
    case 'txn':
      return unauthorisedTxn(state, operation, author)
    case undefined:
      return undefined
  }
}

function unauthorisedPut(
  state: AuthState,
  { key, lease, prevKv }: PutOperation,
  author: Author | undefined,
): FailureCode | undefined {
  return (
    state.grants.mayWrite(author, key) ??
    unauthorisedLease(state, lease, author, 'write') ??
    (prevKv ? state.grants.mayRead(author, key, EMPTY_KEY) : undefined)
  )
}

function unauthorisedDelete(
  { grants }: AuthState,
  { key, rangeEnd, prevKv }: DeleteRangeOperation,
  author: Author | undefined,
): FailureCode | undefined {
  return grants.mayWrite(author, key, rangeEnd) ?? (prevKv ? grants.mayRead(author, key, rangeEnd) : undefined)
}
