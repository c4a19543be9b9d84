import { expect } from 'chai'
import fc from 'fast-check'
import { keyFromText } from '../../bytes/key.ts'
import type { CommandResponse } from '../../command/command.ts'
import type {
  Compare as KetaCompare,
  CompareOperand,
  RequestOperation,
  TxnOperation,
} from '../../command/operations.ts'
import type { Version } from '../../mvcc/kv.ts'
import { compare, del, put, range, txn } from '../../state/operations.fixture.ts'
import { Replica } from '../../state/replica.fixture.ts'
import type { Compare, KeyValue, Request, Result, TxnRequest } from './history.ts'
import { canonicalResult, evaluate } from './kv-model.ts'
import { Timeline } from './timeline.ts'

const aKey = fc.constantFrom('a', 'b', 'ba', 'c')
const aRange = fc.oneof(
  fc.record({ key: aKey }),
  fc.record({ key: aKey, rangeEnd: fc.constantFrom('b', 'bb', 'd', '\0') }),
)
const aNumber = fc.integer({ min: 0, max: 8 })
const aValue = fc.constantFrom('', 'x', 'y', 'z')
const aResult = fc.constantFrom('=', '!=', '<', '>')
const aCompare: fc.Arbitrary<Compare> = fc
  .tuple(aRange, fc.constantFrom('mod', 'create', 'version', 'value'), aResult, aNumber, aValue)
  .map(([keys, target, result, number, value]) => ({
    ...keys,
    target,
    result,
    to: target === 'value' ? value : number,
  }))
const aLeaf: fc.Arbitrary<Request> = fc.oneof(
  fc.tuple(aRange, fc.integer({ min: 0, max: 2 }), fc.boolean()).map(([keys, limit, countOnly]) => {
    return { f: 'range', ...keys, limit, countOnly } as const
  }),
  fc.record({ f: fc.constant('put'), key: aKey, value: aValue, prevKv: fc.boolean() }),
  fc.tuple(aRange, fc.boolean()).map(([keys, prevKv]) => ({ f: 'delete', ...keys, prevKv }) as const),
)
const txnOf = (part: fc.Arbitrary<Request>): fc.Arbitrary<TxnRequest> => {
  const parts = fc.array(part, { maxLength: 3 })
  return fc.record({
    f: fc.constant('txn'),
    compare: fc.array(aCompare, { maxLength: 2 }),
    success: parts,
    failure: parts,
  })
}
const aTxn = txnOf(fc.oneof({ weight: 4, arbitrary: aLeaf }, { weight: 1, arbitrary: txnOf(aLeaf) }))

describe('the model of the KV service', () => {
  it('answers and changes as the server does', () => {
    const anyRun = fc.array(aTxn, { minLength: 1, maxLength: 25 })
    fc.assert(fc.property(anyRun, expectSame), { numRuns: 300, seed: 1 })
  })

  it('reads at a revision of the past', () => {
    const timeline = new Timeline()
    timeline.append(2, [{ type: 'put', key: 'a', value: '1' }])
    timeline.append(3, [{ type: 'delete', key: 'a' }])
    const read = (revision: number): Result => evaluate(timeline, { f: 'range', key: 'a', revision }, 3).result
    expect(read(2)).to.deep.include({ count: 1 })
    expect(read(3)).to.deep.include({ count: 0 })
  })
})

function expectSame(requests: readonly TxnRequest[]): void {
  const replica = new Replica()
  const timeline = new Timeline()
  for (const request of requests) {
    const { response } = replica.run(operationOf(request))
    // some transactions are refused: a key twice
    if (response === undefined) continue
    const { result, changes } = evaluate(timeline, request, timeline.revision)
    if (changes.length > 0) timeline.append(timeline.revision + 1, changes)
    expect(canonicalResult(result)).to.equal(canonicalResult(resultOf(response, request)))
    expect(timeline.revision).to.equal(replica.state.store.revision)
  }
}

function operationOf({ compare: conditions, success, failure }: TxnRequest): TxnOperation {
  return txn(conditions.map(conditionOf), success.map(partOf), failure.map(partOf))
}

function conditionOf({ key, rangeEnd, target, result, to }: Compare): KetaCompare {
  const fields = { mod: 'modRevision', create: 'createRevision', version: 'version' } as const
  const operand: CompareOperand =
    target === 'value'
      ? { field: 'value', value: Buffer.from(String(to)) }
      : { field: fields[target], number: Number(to) }
  return compare(key, {
    rangeEnd: keyFromText(rangeEnd ?? ''),
    target: ['version', 'create', 'mod', 'value'].indexOf(target),
    result: ['=', '>', '<', '!='].indexOf(result),
    operand,
  })
}

function partOf(request: Request): RequestOperation {
  switch (request.f) {
    case 'range': {
      const { key, rangeEnd = '', limit = 0, countOnly = false } = request
      return range(key, { rangeEnd: keyFromText(rangeEnd), limit, countOnly })
    }
    case 'put':
      return put(request.key, request.value, { prevKv: request.prevKv ?? false })
    case 'delete':
      return del(request.key, request.rangeEnd, request.prevKv)
    case 'txn':
      return operationOf(request)
    case 'compact':
      throw new Error('not in a transaction')
  }
}

function resultOf(response: CommandResponse, request: Request): Result {
  switch (response.kind) {
    case 'range': {
      const { count, more, kvs } = response
      return { f: 'range', count, more, kvs: kvs.map(kvOf) }
    }
    case 'put':
      return { f: 'put', ...(response.previous ? { prevKv: kvOf(response.previous) } : {}) }
    case 'deleteRange':
      return { f: 'delete', deleted: response.deleted, prevKvs: response.previous.map(kvOf) }
    case 'txn': {
      const branch = request.f !== 'txn' ? [] : response.succeeded ? request.success : request.failure
      const results = response.responses.map((part, index) => resultOf(part.response, branch[index] ?? request))
      return { f: 'txn', succeeded: response.succeeded, results }
    }
    default:
      throw new Error(`an answer of the kind ${response.kind}`)
  }
}

function kvOf(version: Version): KeyValue {
  const { key, createRevision, modRevision, version: number } = version
  return { key, value: Buffer.from(version.value()).toString('latin1'), createRevision, modRevision, version: number }
}
