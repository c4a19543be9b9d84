/** For tests: operations in short. */
import { type Key, keyFromText } from '../bytes/key.ts'
import type {
  Compare,
  DeleteRangeOperation,
  PutOperation,
  RangeOperation,
  RequestOperation,
  TxnOperation,
} from '../command/operations.ts'

export function range(key: string, more: Partial<RangeOperation> = {}): RangeOperation {
  return {
    kind: 'range',
    key: keyFromText(key),
    rangeEnd: keyFromText(''),
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
    ...more,
  }
}

export function put(key: string, value = '', more: Partial<PutOperation> = {}): PutOperation {
  const flags = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false }
  return { kind: 'put', key: keyFromText(key), value: Buffer.from(value), ...flags, ...more }
}

export function del(key: string, rangeEnd = '', prevKv = false): DeleteRangeOperation {
  return { kind: 'deleteRange', key: keyFromText(key), rangeEnd: keyFromText(rangeEnd), prevKv }
}

export function compare(key: string, more: Partial<Compare> = {}): Compare {
  return { result: 0, target: 0, key: keyFromText(key), rangeEnd: '' as Key, operand: undefined, ...more }
}

export function txn(
  compare: readonly Compare[] = [],
  success: readonly RequestOperation[] = [],
  failure: readonly RequestOperation[] = [],
): TxnOperation {
  return { kind: 'txn', compare, success, failure }
}
