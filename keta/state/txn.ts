/**
 * Executes transactions as etcd does (server/etcdserver/txn/txn.go), in three steps: all comparisons are evaluated on
 * the state before, which fixes the path; what the path would do is checked; then it is done, and cannot fail any more.
 */
import type { OperationResponse, RangeResponse, TxnResponse } from '../command/command.ts'
import { RequestFailure } from '../command/failure.ts'
import type { RangeOperation, RequestOperation, TxnOperation } from '../command/operations.ts'
import type { Lessor } from '../lease/lessor.ts'
import type { ReadView, WriteTxn } from '../mvcc/kv.ts'
import { executeRange } from './range.ts'
import { checkRevisionInTxn, resolvePath, type TxnPath, type TxnStep } from './txn-path.ts'
import { deleteRange, put } from './writes.ts'

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

/** `checkPath` has passed. */
export function executePath(txn: WriteTxn, leases: Lessor, path: TxnPath): TxnResponse {
  const responses = path.steps.map((step) => {
    const response = executeStep(txn, leases, step)
    // etcd leaves the header of a nested transaction empty.
    return { response, revision: response.kind === 'txn' ? 0 : txn.revision }
  })
  return { kind: 'txn', succeeded: path.succeeded, responses }
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

function rangeInTxn(view: ReadView, operation: RangeOperation): RangeResponse {
  const revision = operation.revision > 0 ? operation.revision : view.revision
  return { kind: 'range', keysOnly: operation.keysOnly, ...executeRange(view, operation, revision) }
}

function isRange(operation: RequestOperation): boolean {
  return operation?.kind === 'range'
}
