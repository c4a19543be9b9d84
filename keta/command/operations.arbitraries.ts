/** Random operations for tests. Few keys, so that they meet; every field and every odd enum value occurs. */
import fc from 'fast-check'
import { type Key, keyFromBytes } from '../bytes/key.ts'
import type {
  CompactOperation,
  Compare,
  CompareOperand,
  DeleteRangeOperation,
  PutOperation,
  RangeOperation,
  RequestOperation,
  TxnOperation,
} from './operations.ts'

const key: fc.Arbitrary<Key> = fc.uint8Array({ maxLength: 6 }).map(keyFromBytes)
const number = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.maxSafeInteger())
const enumNumber = fc.integer({ min: -2, max: 9 })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const value = fc.uint8Array({ maxLength: 20 })

export const rangeOperation: fc.Arbitrary<RangeOperation> = fc.record({
  kind: fc.constant('range' as const),
  key,
  rangeEnd: key,
  limit: number,
  revision: number,
  sortOrder: enumNumber,
  sortTarget: enumNumber,
  serializable: fc.boolean(),
  keysOnly: fc.boolean(),
  countOnly: fc.boolean(),
  minModRevision: number,
  maxModRevision: number,
  minCreateRevision: number,
  maxCreateRevision: number,
})

export const putOperation: fc.Arbitrary<PutOperation> = fc.record({
  kind: fc.constant('put' as const),
  key,
  value,
  lease: int64,
  prevKv: fc.boolean(),
  ignoreValue: fc.boolean(),
  ignoreLease: fc.boolean(),
})

export const deleteOperation: fc.Arbitrary<DeleteRangeOperation> = fc.record({
  kind: fc.constant('deleteRange' as const),
  key,
  rangeEnd: key,
  prevKv: fc.boolean(),
})

export const compactOperation: fc.Arbitrary<CompactOperation> = fc.record({
  kind: fc.constant('compact' as const),
  revision: number,
  physical: fc.boolean(),
})

const operand: fc.Arbitrary<CompareOperand> = fc.oneof(
  fc.constant(undefined),
  fc.record({ field: fc.constantFrom('version' as const, 'createRevision' as const, 'modRevision' as const), number }),
  fc.record({ field: fc.constant('value' as const), value }),
  fc.record({ field: fc.constant('lease' as const), lease: int64 }),
)

const compare: fc.Arbitrary<Compare> = fc.record({
  result: enumNumber,
  target: enumNumber,
  key,
  rangeEnd: key,
  operand,
})

export const { txnOperation } = fc.letrec<{ txnOperation: TxnOperation; operation: RequestOperation }>((tie) => ({
  txnOperation: fc.record({
    kind: fc.constant('txn' as const),
    compare: fc.array(compare, { maxLength: 3 }),
    success: fc.array(tie('operation'), { maxLength: 3 }),
    failure: fc.array(tie('operation'), { maxLength: 3 }),
  }),
  operation: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'txn' },
    fc.oneof(rangeOperation, putOperation, deleteOperation, fc.constant(undefined)),
    tie('txnOperation'),
  ),
}))
