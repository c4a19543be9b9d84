/**
 * The checks of a request that need no state, made before it is logged: those of etcd's api/v3rpc/key.go, in its order.
 * Each function returns the refusal, or undefined if the request may go on.
 */
import { EMPTY_KEY } from '../bytes/key.ts'
import type { FailureCode } from '../command/failure.ts'
import {
  type DeleteRangeOperation,
  type PutOperation,
  type RangeOperation,
  type RequestOperation,
  SORT_DESCEND,
  SORT_NONE,
  TARGET_KEY,
  TARGET_VALUE,
  type TxnOperation,
} from '../command/operations.ts'
import { hasKeyOverlaps } from './key-overlaps.ts'

/** etcd's default of --max-txn-ops. */
export const DEFAULT_MAX_TXN_OPS = 128

export function checkRange(operation: RangeOperation): FailureCode | undefined {
  if (operation.key === EMPTY_KEY) return 'EMPTY_KEY'
  if (operation.sortOrder < SORT_NONE || operation.sortOrder > SORT_DESCEND) return 'INVALID_SORT_OPTION'
  if (operation.sortTarget < TARGET_KEY || operation.sortTarget > TARGET_VALUE) return 'INVALID_SORT_OPTION'
  return undefined
}

export function checkPut(operation: PutOperation): FailureCode | undefined {
  if (operation.key === EMPTY_KEY) return 'EMPTY_KEY'
  if (operation.ignoreValue && operation.value.length !== 0) return 'VALUE_PROVIDED'
  if (operation.ignoreLease && operation.lease !== 0n) return 'LEASE_PROVIDED'
  return undefined
}

export function checkDeleteRange(operation: DeleteRangeOperation): FailureCode | undefined {
  return operation.key === EMPTY_KEY ? 'EMPTY_KEY' : undefined
}

/**
 * @param maxOps the most comparisons, and the most operations in either branch; what a level uses (the longest of its
 *   three lists) is no longer available to the transactions nested in it.
 */
export function checkTxn(operation: TxnOperation, maxOps: number = DEFAULT_MAX_TXN_OPS): FailureCode | undefined {
  const refusal = checkOperations(operation, maxOps)
  if (refusal !== undefined) return refusal
  // Only now: the number of operations, and with it the cost of looking for overlaps, is bounded.
  return hasKeyOverlaps(operation) ? 'DUPLICATE_KEY' : undefined
}

function checkOperations(operation: TxnOperation, maxOps: number): FailureCode | undefined {
  const { compare, success, failure } = operation
  const used = Math.max(compare.length, success.length, failure.length)
  if (used > maxOps) return 'TOO_MANY_OPS'
  if (compare.some(({ key }) => key === EMPTY_KEY)) return 'EMPTY_KEY'
  return firstRefusal(success, maxOps - used) ?? firstRefusal(failure, maxOps - used)
}

function firstRefusal(operations: readonly RequestOperation[], maxOps: number): FailureCode | undefined {
  for (const operation of operations) {
    const refusal = checkNested(operation, maxOps)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

function checkNested(operation: RequestOperation, maxOps: number): FailureCode | undefined {
  switch (operation?.kind) {
    case 'range':
      return checkRange(operation)
    case 'put':
      return checkPut(operation)
    case 'deleteRange':
      return checkDeleteRange(operation)
    case 'txn':
      return checkOperations(operation, maxOps)
    case undefined:
      return 'KEY_NOT_FOUND'
  }
}
