/** For tests: random commands that meet: few keys, few leases, revisions near the present. */
import fc from 'fast-check'
import { type Key, keyFromText } from '../bytes/key.ts'
import { authChange } from '../command/auth.arbitraries.ts'
import type { Command } from '../command/command.ts'
import type { Compare, CompareOperand, RequestOperation, TxnOperation } from '../command/operations.ts'
import { checkTxn } from './checks.ts'
import { compare, del, put, range } from './operations.fixture.ts'

const keyText = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const end = fc.constantFrom('', '', 'b', 'd', 'z', '\0')
const leaseId = fc.constantFrom(0n, 0n, 1n, 2n, 3n)
const value = fc.constantFrom('', 'x', 'y', 'longer value')
const revision = fc.oneof(
  { arbitrary: fc.constant(0), weight: 3 },
  { arbitrary: fc.integer({ min: -2, max: 25 }), weight: 1 },
)

const putCommand = fc
  .record({ key: keyText, value, lease: leaseId, prevKv: fc.boolean(), mode: fc.integer({ min: 0, max: 9 }) })
  .map(({ key, value: text, lease, prevKv, mode }) => {
    if (mode === 0) return put(key, '', { lease, prevKv, ignoreValue: true })
    if (mode === 1) return put(key, text, { prevKv, ignoreLease: true })
    return put(key, text, { lease, prevKv })
  })

const deleteCommand = fc.tuple(keyText, end, fc.boolean()).map(([key, rangeEnd, prevKv]) => del(key, rangeEnd, prevKv))

const rangeCommand = fc
  .record({ key: keyText, end, revision, limit: fc.integer({ min: 0, max: 3 }), countOnly: fc.boolean() })
  .map(({ key, end: rangeEnd, ...more }) => range(key, { rangeEnd: keyFromText(rangeEnd), ...more }))

const operand: fc.Arbitrary<CompareOperand> = fc.oneof(
  fc.constant(undefined),
  fc.record({
    field: fc.constantFrom('version' as const, 'createRevision' as const, 'modRevision' as const),
    number: fc.integer({ min: -1, max: 6 }),
  }),
  fc.record({ field: fc.constant('value' as const), value: value.map((text) => Buffer.from(text)) }),
  fc.record({ field: fc.constant('lease' as const), lease: leaseId }),
)

const comparison: fc.Arbitrary<Compare> = fc
  .record({
    key: keyText,
    rangeEnd: end.map((text): Key => keyFromText(text)),
    result: fc.integer({ min: 0, max: 4 }),
    target: fc.integer({ min: 0, max: 5 }),
    operand,
  })
  .map(({ key, ...more }) => compare(key, more))

const { txn } = fc.letrec<{ txn: TxnOperation; operation: RequestOperation }>((tie) => ({
  txn: fc.record({
    kind: fc.constant('txn' as const),
    compare: fc.array(comparison, { maxLength: 2 }),
    success: fc.array(tie('operation'), { maxLength: 3 }),
    failure: fc.array(tie('operation'), { maxLength: 3 }),
  }),
  operation: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'txn command' },
    fc.oneof(putCommand, deleteCommand, rangeCommand),
    tie('txn'),
  ),
}))

/** Only transactions that may be logged. */
export const txnCommand: fc.Arbitrary<TxnOperation> = txn.filter((operation) => checkTxn(operation) === undefined)

const otherCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant('compact' as const),
    revision: fc.integer({ min: -1, max: 25 }),
    physical: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('leaseGrant' as const), id: leaseId, ttl: fc.constantFrom(2, 60, 9_000_000_001) }),
  fc.record({ kind: fc.constant('leaseRevoke' as const), id: leaseId }),
  fc.record({
    kind: fc.constant('alarm' as const),
    // Cleared more often than raised, so that most of a run is not spent refusing.
    action: fc.constantFrom('activate' as const, 'deactivate' as const, 'deactivate' as const, 'deactivate' as const),
    memberId: fc.constant(1n),
    alarm: fc.constantFrom(1, 2),
  }),
)

export const command: fc.Arbitrary<Command> = fc.oneof(
  { arbitrary: putCommand, weight: 4 },
  { arbitrary: deleteCommand, weight: 2 },
  { arbitrary: txnCommand, weight: 4 },
  { arbitrary: otherCommand, weight: 3 },
)

/** Of nobody: once auth is on they are refused. */
export const commandOrAuth: fc.Arbitrary<Command> = fc.oneof(
  { arbitrary: command, weight: 3 },
  { arbitrary: authChange.map((change) => ({ kind: 'auth' as const, change })), weight: 1 },
)
