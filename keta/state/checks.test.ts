/** The checks that need no state, rule by rule. */
import { expect } from 'chai'
import fc from 'fast-check'
import type { FailureCode } from '../command/failure.ts'
import type { RequestOperation, TxnOperation } from '../command/operations.ts'
import { checkDeleteRange, checkPut, checkRange, checkTxn } from './checks.ts'
import { compare, del, put, range, txn } from './operations.fixture.ts'

describe('the checks before the log', () => {
  const cases: readonly (readonly [string, FailureCode | undefined, FailureCode | undefined])[] = [
    ['a Range without a key', checkRange(range('', { sortOrder: 9 })), 'EMPTY_KEY'],
    ['a Range with an unknown sort order', checkRange(range('k', { sortOrder: 3 })), 'INVALID_SORT_OPTION'],
    ['a Range with a negative sort order', checkRange(range('k', { sortOrder: -1 })), 'INVALID_SORT_OPTION'],
    ['a Range with an unknown sort target', checkRange(range('k', { sortTarget: 5 })), 'INVALID_SORT_OPTION'],
    ['a Range with a negative sort target', checkRange(range('k', { sortTarget: -1 })), 'INVALID_SORT_OPTION'],
    ['a Range sorted by VALUE, descending', checkRange(range('k', { sortTarget: 4, sortOrder: 2 })), undefined],
    ['a Put without a key', checkPut(put('', 'v', { ignoreValue: true })), 'EMPTY_KEY'],
    [
      'a Put that ignores a value that is there',
      checkPut(put('k', 'v', { ignoreValue: true, ignoreLease: true, lease: 1n })),
      'VALUE_PROVIDED',
    ],
    [
      'a Put that ignores a lease that is there',
      checkPut(put('k', 'v', { ignoreLease: true, lease: 1n })),
      'LEASE_PROVIDED',
    ],
    ['a Put that ignores both', checkPut(put('k', '', { ignoreValue: true, ignoreLease: true })), undefined],
    ['a DeleteRange without a key', checkDeleteRange(del('')), 'EMPTY_KEY'],
    ['a DeleteRange', checkDeleteRange(del('k')), undefined],
  ]
  for (const [what, refusal, expected] of cases) {
    it(`answer ${what} with ${expected ?? 'no refusal'}`, () => expect(refusal).to.equal(expected))
  }
})

describe('the checks of a Txn before the log', () => {
  const many = (count: number): RequestOperation[] => Array.from({ length: count }, (_, i) => range(`k${i}`))

  const cases: readonly (readonly [string, TxnOperation, FailureCode | undefined])[] = [
    ['128 operations in a branch', txn([], many(128)), undefined],
    ['129 operations in the success branch', txn([], many(129)), 'TOO_MANY_OPS'],
    ['129 operations in the failure branch', txn([], [], many(129)), 'TOO_MANY_OPS'],
    ['129 comparisons', txn(Array.from({ length: 129 }, () => compare('k'))), 'TOO_MANY_OPS'],
    ['64 operations and 64 more in a nested transaction', txn([], [...many(63), txn([], many(64))]), undefined],
    ['64 operations and 65 more in a nested transaction', txn([], [...many(63), txn([], many(65))]), 'TOO_MANY_OPS'],
    ['an empty transaction inside 128 operations', txn([], [...many(127), txn()]), undefined],
    ['too many operations before an empty key', txn([compare('')], many(129)), 'TOO_MANY_OPS'],
    ['a comparison without a key', txn([compare('')], [undefined]), 'EMPTY_KEY'],
    ['an operation that is not set', txn([], [undefined]), 'KEY_NOT_FOUND'],
    ['an operation that is not set in the branch not taken', txn([], [], [undefined]), 'KEY_NOT_FOUND'],
    ['a bad Range in the failure branch', txn([], [], [range('k', { sortTarget: 9 })]), 'INVALID_SORT_OPTION'],
    ['a bad Put before a duplicate', txn([], [put('k'), put('k'), put('')]), 'EMPTY_KEY'],
    ['a bad Delete in a nested transaction', txn([], [txn([], [], [del('')])]), 'EMPTY_KEY'],
    ['the first of two bad operations', txn([], [put('k', 'v', { ignoreValue: true }), range('')]), 'VALUE_PROVIDED'],
  ]
  for (const [what, operation, expected] of cases) {
    it(`answer ${what} with ${expected ?? 'no refusal'}`, () => expect(checkTxn(operation)).to.equal(expected))
  }

  it('count against the limit they are given', () => {
    expect(checkTxn(txn([], many(3)), 2)).to.equal('TOO_MANY_OPS')
    expect(checkTxn(txn([], many(3)), 3)).to.equal(undefined)
  })
})

describe('the search for keys that a Txn changes twice', () => {
  const refused: readonly (readonly [string, readonly RequestOperation[]])[] = [
    ['two puts of one key', [put('a'), put('a')]],
    ['a put before a delete of its key', [put('a'), del('a')]],
    ['a put after a delete of its key', [del('a'), put('a')]],
    ['a put inside a deleted range', [del('a', 'c'), put('b')]],
    ['a put at the start of a deleted range', [put('a'), del('a', 'c')]],
    ['a put inside the second of two touching ranges', [del('a', 'c'), del('c', 'e'), put('d')]],
    ['a put inside a long range under a short one', [del('a', 'z'), del('b', 'c'), put('d')]],
    ['a put in a nested transaction and in its parent', [txn([], [put('a')]), put('a')]],
    ['a put in a nested failure branch and in its parent', [put('a'), txn([], [], [put('a')])]],
    ['a delete in a nested transaction and a put in its parent', [put('a'), txn([], [del('a')])]],
    ['a delete in a nested failure branch and a put in its parent', [put('a'), txn([], [], [del('a')])]],
    ['a put in a nested transaction and a delete in its parent', [txn([], [put('a')]), del('a', 'b')]],
    ['puts in two siblings', [txn([], [put('a')]), txn([], [], [put('a')])]],
    ['a delete in a sibling before a put in another', [txn([], [del('a')]), txn([], [put('a')])]],
    ['a put three levels down', [put('a'), txn([], [txn([], [txn([], [put('a')])])])]],
    ['a duplicate inside a nested transaction only', [txn([], [], [put('a'), put('a')])]],
  ]
  for (const [what, operations] of refused) {
    it(`refuses ${what}`, () => {
      expect(checkTxn(txn([], operations))).to.equal('DUPLICATE_KEY')
      expect(checkTxn(txn([], [], operations))).to.equal('DUPLICATE_KEY')
    })
  }

  const allowed: readonly (readonly [string, TxnOperation])[] = [
    ['one key in both branches', txn([], [put('a')], [put('a')])],
    ['one key in both branches of a nested transaction', txn([], [txn([], [put('a')], [put('a')])])],
    [
      'a put and a delete of one key in the two branches of a nested transaction',
      txn([], [txn([], [put('a')], [del('a')])]),
    ],
    ['deletes that overlap', txn([], [del('a', 'c'), del('b', 'd'), del('b')])],
    ['a put just above a deleted range', txn([], [del('a', 'b'), put('b')])],
    ['a put just below a deleted range', txn([], [del('b', 'c'), put('a')])],
    ['a put with a delete whose end lies below its key', txn([], [del('b', 'a'), put('b')])],
    ['a put with a delete of everything from a key on', txn([], [del('a', '\0'), put('b')])],
    ['a put in a sibling before a delete in another', txn([], [txn([], [put('a')]), txn([], [del('a')])])],
    ['ranges and puts of one key', txn([], [range('a'), put('a'), range('a')])],
  ]
  for (const [what, operation] of allowed) {
    it(`allows ${what}`, () => expect(checkTxn(operation)).to.equal(undefined))
  }

  it('agrees with a comparison of every key against every range, for flat transactions', () => {
    const letter = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
    const operation = fc.oneof(
      letter.map((key) => put(key)),
      fc.tuple(letter, fc.oneof(letter, fc.constant(''))).map(([key, end]) => del(key, end)),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 5 }), (operations) => {
        const puts = operations.flatMap((each) => (each.kind === 'put' ? [each.key] : []))
        const deletes = operations.flatMap((each) => (each.kind === 'deleteRange' ? [each] : []))
        const twice = new Set(puts).size !== puts.length
        const deleted = puts.some((key) =>
          deletes.some((each) => (each.rangeEnd === '' ? key === each.key : key >= each.key && key < each.rangeEnd)),
        )
        expect(checkTxn(txn([], operations))).to.equal(twice || deleted ? 'DUPLICATE_KEY' : undefined)
      }),
    )
  })

  it('copes with as many operations as fit into a request', () => {
    let operations: RequestOperation[] = Array.from({ length: 100 }, (_, i) => txn([], leaves(i)))
    for (let level = 0; level < 9; level++)
      operations = [put(`level ${level}`), del(`l${level}`, `l${level}z`), txn([], operations)]
    expect(checkTxn(txn([], operations), 1000)).to.equal(undefined)
  })
})

function leaves(of: number): RequestOperation[] {
  return Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? put(`p${of}.${i}`) : del(`d${of}.${i}`, `d${of}.${i}+`)))
}
