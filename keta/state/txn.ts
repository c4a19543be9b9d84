/**
 * Executes transactions as etcd does (server/etcdserver/txn/txn.go), in three steps: all comparisons, those of nested
 * transactions too, are evaluated on the state before, which fixes the path; what the path would do is checked on that
 * same state; then it is done, and cannot fail any more.
 */
import type { OperationResponse, RangeResponse, TxnResponse } from '../command/command.ts'
import { type FailureCode, RequestFailure } from '../command/failure.ts'
import type { RangeOperation, RequestOperation, TxnOperation } from '../command/operations.ts'
import type { Lessor } from '../lease/lessor.ts'
import type { ReadView, WriteTxn } from '../mvcc/kv.ts'
import { executeRange } from '../mvcc/range.ts'
import { holds } from './compare.ts'
import { deleteRange, lacksCurrent, lacksLease, put } from './writes.ts'

/** The branches that a transaction and those nested in it take. */
export interface TxnPath {
  readonly succeeded: boolean
  readonly steps: readonly TxnStep[]
}

type TxnStep = Exclude<RequestOperation, TxnOperation> | { readonly kind: 'path'; readonly path: TxnPath }

/** True for a transaction that may be answered without the log: its branches hold only ranges (none is fine). */
export function isReadOnlyTxn({ success, failure }: TxnOperation): boolean {
  return success.every(isRange) && failure.every(isRange)
}

/** True if either branch, at any depth, holds a put: what etcd refuses while there is no space. */
export function hasPut({ success, failure }: TxnOperation): boolean {
  const puts = (operation: RequestOperation) =>
    operation?.kind === 'put' || (operation?.kind === 'txn' && hasPut(operation))
  return success.some(puts) || failure.some(puts)
}

/**
 * Answers a transaction for which `isReadOnlyTxn` holds.
 * @throws RequestFailure 'COMPACTED', 'FUTURE_REVISION'
 */
export function executeReadTxn(view: ReadView, operation: TxnOperation): TxnResponse {
  const path = resolvePath(view, operation)
  for (const step of path.steps) {
    const failure = step?.kind === 'range' ? checkRevisionInTxn(view, step) : undefined
    if (failure !== undefined) throw new RequestFailure(failure)
  }
  const responses = path.steps.map((step) => {
    if (step?.kind !== 'range') throw new Error(`${step?.kind} in a transaction that should only read`)
    return { response: rangeInTxn(view, step), revision: view.revision }
  })
  return { kind: 'txn', succeeded: path.succeeded, responses }
}

export function resolvePath(view: ReadView, operation: TxnOperation): TxnPath {
  const succeeded = operation.compare.every((compare) => holds(view, compare))
  const taken = succeeded ? operation.success : operation.failure
  const steps = taken.map((step) => (step?.kind === 'txn' ? asPath(resolvePath(view, step)) : step))
  return { succeeded, steps }
}

/** The first reason, in execution order, why the path cannot be executed. */
export function checkPath(view: ReadView, leases: Lessor, path: TxnPath): FailureCode | undefined {
  for (const step of path.steps) {
    const failure = checkStep(view, leases, step)
    if (failure !== undefined) return failure
  }
  return undefined
}

/** `checkPath` has passed. */
export function executePath(txn: WriteTxn, leases: Lessor, path: TxnPath): TxnResponse {
  const responses = path.steps.map((step) => {
    const response = executeStep(txn, leases, step)
    // etcd leaves the header of a nested transaction empty.
    return { response, revision: response.kind === 'txn' ? 0 : txn.revision }
  })
  return { kind: 'txn', succeeded: path.succeeded, responses }
}

function checkStep(view: ReadView, leases: Lessor, step: TxnStep): FailureCode | undefined {
  switch (step?.kind) {
    case 'range':
      return checkRevisionInTxn(view, step)
    case 'put':
      if (lacksCurrent(view, step)) return 'KEY_NOT_FOUND'
      return lacksLease(leases, step) ? 'LEASE_NOT_FOUND' : undefined
    case 'deleteRange':
      return undefined
    case 'path':
      return checkPath(view, leases, step.path)
    case undefined:
      return 'KEY_NOT_FOUND'
  }
}

function executeStep(txn: WriteTxn, leases: Lessor, step: TxnStep): OperationResponse {
  switch (step?.kind) {
    case 'range':
      return rangeInTxn(txn, step)
    case 'put':
      return put(txn, leases, step)
    case 'deleteRange':
      return deleteRange(txn, leases, step)
    case 'path':
      return executePath(txn, leases, step.path)
    case undefined:
      throw new Error('operation without a kind after the check of the path')
  }
}

/** Unlike a plain Range, one in a transaction takes a negative revision literally here, and only later as "now". */
function checkRevisionInTxn(view: ReadView, { revision }: RangeOperation): FailureCode | undefined {
  if (revision === 0) return undefined
  if (revision > view.revision) return 'FUTURE_REVISION'
  return revision < view.compactRevision ? 'COMPACTED' : undefined
}

function rangeInTxn(view: ReadView, operation: RangeOperation): RangeResponse {
  const revision = operation.revision > 0 ? operation.revision : view.revision
  return { kind: 'range', keysOnly: operation.keysOnly, ...executeRange(view, operation, revision) }
}

function asPath(path: TxnPath): TxnStep {
  return { kind: 'path', path }
}

function isRange(operation: RequestOperation): boolean {
  return operation?.kind === 'range'
}
