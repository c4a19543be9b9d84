/** Transactions, rule by rule. */
import { expect } from 'chai'
import { keyFromText } from '../bytes/key.ts'
import type { Command } from '../command/command.ts'
import { type FailureCode, RequestFailure } from '../command/failure.ts'
import type { Compare, TxnOperation } from '../command/operations.ts'
import { compare, del, put, range, txn } from './operations.fixture.ts'
import { plainCommit, plainResponse, Replica } from './replica.fixture.ts'
import { executeReadTxn, isReadOnlyTxn } from './txn.ts'

describe('the comparison of a transaction', () => {
  // Keys: a (version 2, created 2, modified 3, value "2"), b (version 1, created and modified 4, lease 7, value "").
  const [GREATER, LESS, NOT_EQUAL, UNKNOWN] = [1, 2, 3, 9]
  const [VERSION, CREATE, MOD, VALUE, LEASE] = [0, 1, 2, 3, 4]
  const version = (number: number) => ({ operand: { field: 'version', number } }) as const
  const value = (text: string) => ({ operand: { field: 'value', value: Buffer.from(text) } }) as const
  const all = { rangeEnd: keyFromText('\0') }

  const cases: readonly (readonly [string, Compare, boolean])[] = [
    ['VERSION equal', compare('a', { target: VERSION, ...version(2) }), true],
    ['VERSION not equal', compare('a', { target: VERSION, result: NOT_EQUAL, ...version(2) }), false],
    ['VERSION greater', compare('a', { target: VERSION, result: GREATER, ...version(1) }), true],
    ['VERSION not greater than itself', compare('a', { target: VERSION, result: GREATER, ...version(2) }), false],
    ['VERSION less', compare('a', { target: VERSION, result: LESS, ...version(3) }), true],
    ['CREATE', compare('a', { target: CREATE, operand: { field: 'createRevision', number: 2 } }), true],
    ['MOD', compare('a', { target: MOD, operand: { field: 'modRevision', number: 3 } }), true],
    ['VALUE', compare('a', { target: VALUE, ...value('2') }), true],
    ['VALUE greater, bytewise', compare('a', { target: VALUE, result: GREATER, ...value('11111') }), true],
    ['VALUE of a key whose value is empty', compare('b', { target: VALUE, ...value('') }), true],
    ['LEASE', compare('b', { target: LEASE, operand: { field: 'lease', lease: 7n } }), true],
    ['LEASE less', compare('b', { target: LEASE, result: LESS, operand: { field: 'lease', lease: 2n ** 62n } }), true],
    ['a missing operand, as zero', compare('b', { target: LEASE, result: GREATER }), true],
    ['an operand of another field, as zero', compare('a', { target: MOD, result: GREATER, ...version(9) }), true],
    ['a value operand of another field, as empty', compare('b', { target: VALUE, ...version(9) }), true],
    ['a missing key, as zeros', compare('x', { target: CREATE, ...version(0) }), true],
    ['the lease of a missing key', compare('x', { target: LEASE }), true],
    ['the VALUE of a missing key: never equal', compare('x', { target: VALUE, ...value('') }), false],
    [
      'the VALUE of a missing key: never not equal',
      compare('x', { target: VALUE, result: NOT_EQUAL, ...value('v') }),
      false,
    ],
    ['an unknown result: holds', compare('a', { result: UNKNOWN, ...version(77) }), true],
    [
      'an unknown result for the VALUE of a missing key: does not',
      compare('x', { target: VALUE, result: UNKNOWN }),
      false,
    ],
    ['an unknown target: equal', compare('a', { target: UNKNOWN }), true],
    ['an unknown target: not less', compare('a', { target: UNKNOWN, result: LESS }), false],
    [
      'a range whose keys all fit',
      compare('a', { ...all, target: MOD, result: GREATER, operand: { field: 'modRevision', number: 2 } }),
      true,
    ],
    ['a range of which one key does not fit', compare('a', { ...all, ...version(2) }), false],
    ['a half-open range without its end', compare('a', { rangeEnd: keyFromText('b'), ...version(2) }), true],
    ['an empty range, as zeros', compare('b', { rangeEnd: keyFromText('a'), target: MOD }), true],
    [
      'the VALUE over an empty range: never',
      compare('b', { rangeEnd: keyFromText('a'), target: VALUE, result: NOT_EQUAL }),
      false,
    ],
  ]
  for (const [what, comparison, holds] of cases) {
    it(`decides ${what} (${holds})`, () => {
      const replica = new Replica()
      for (const command of [put('a', '1'), put('a', '2'), grant(7n), put('b', '', { lease: 7n })]) replica.run(command)
      expect(replica.answer(txn([comparison]))).to.have.property('succeeded', holds)
    })
  }

  it('must hold together with all others', () => {
    const replica = new Replica()
    const [yes, no] = [compare('x'), compare('x', { result: NOT_EQUAL })]
    expect(replica.answer(txn([yes, yes]))).to.have.property('succeeded', true)
    expect(replica.answer(txn([yes, no]))).to.have.property('succeeded', false)
    expect(replica.answer(txn([]))).to.have.property('succeeded', true)
  })
})

describe('a transaction', () => {
  it('makes one revision, whose changes are numbered in the order in which they were made', () => {
    const replica = new Replica()
    replica.run(put('c', 'old'))
    const { commit } = replica.run(txn([], [put('b', '1'), txn([], [put('a', '2')]), del('c', 'd'), put('d', '3')]))
    const events = ['0 PUT b=1 (none)', '1 PUT a=2 (none)', '2 DELETE c (old)', '3 PUT d=3 (none)']
    expect(plainCommit(commit)).to.deep.equal({ revision: 3, events })
  })

  it('that changes nothing makes none', () => {
    const replica = new Replica()
    expect(replica.run(txn([], [del('a'), range('a')])).commit).to.equal(undefined)
    expect(replica.state.store.revision).to.equal(1)
  })

  it('gives each part the base revision until its first change, then the next one, and none to nested ones', () => {
    const replica = new Replica()
    const parts = [range('a'), del('a'), txn([], [del('a'), put('a'), range('a')]), del('b'), range('a'), put('b')]
    const { response } = replica.run(txn([], parts))
    const revisions = (part: unknown): unknown =>
      (part as { responses: { revision: number }[] }).responses.map((each) => each.revision)
    expect(revisions(response)).to.deep.equal([1, 1, 0, 2, 2, 2])
    expect(revisions(response?.kind === 'txn' ? response.responses[2]?.response : undefined)).to.deep.equal([1, 2, 2])
  })

  it('lets its ranges see what it wrote before them, but not what comes after', () => {
    const replica = new Replica()
    const { response } = replica.run(txn([], [range('a'), put('a', 'new'), range('a'), del('a'), range('a')]))
    const counts =
      response?.kind === 'txn'
        ? response.responses.map(({ response: part }) => (part.kind === 'range' ? part.count : '-'))
        : []
    expect(counts).to.deep.equal([0, '-', 1, '-', 0])
  })

  it('reads the past as it was, whatever it has written', () => {
    const replica = new Replica()
    replica.run(put('a', 'old'))
    replica.run(put('a', 'new'))
    const response = plainResponse(replica.answer(txn([], [put('a', 'newest'), range('a', { revision: 2 })])))
    expect(response).to.have.nested.property('responses[1][2].kvs[0].value', 'old')
  })

  it('fixes the path of nested transactions on the state before, not on what it has written by then', () => {
    const replica = new Replica()
    const exists = compare('a', { result: 1 })
    const inner = txn([exists], [put('saw it')], [put('did not see it')])
    replica.run(txn([], [put('a'), inner]))
    const keys = replica.state.store.range({ start: keyFromText(''), end: null }, 2, 0).versions.map(({ key }) => key)
    expect(keys).to.deep.equal(['a', 'did not see it'])
  })

  it('runs the failure branch if a comparison fails', () => {
    const replica = new Replica()
    const response = replica.answer(txn([compare('a', { result: 1 })], [put('yes')], [put('no')]))
    expect(response).to.include({ succeeded: false })
    expect(replica.state.store.get(keyFromText('no'), 2)).not.to.equal(undefined)
  })

  it('puts and then deletes one key at one revision, in two nested transactions', () => {
    const replica = new Replica()
    const { commit } = replica.run(txn([], [txn([], [put('k', 'v')]), txn([], [del('k')])]))
    // What an event replaced is what was there before the revision: nothing.
    expect(plainCommit(commit)).to.deep.equal({ revision: 2, events: ['0 PUT k=v (none)', '1 DELETE k (none)'] })
  })

  it('attaches and detaches keys as single commands do', () => {
    const replica = new Replica()
    replica.run(grant(1n))
    replica.run(grant(2n))
    replica.run(put('moved', '', { lease: 1n }))
    replica.run(put('deleted', '', { lease: 1n }))
    const gone = [txn([], [put('passing', '', { lease: 2n })]), txn([], [del('passing')])]
    replica.run(txn([], [put('moved', '', { lease: 2n }), del('deleted'), put('new', '', { lease: 1n }), ...gone]))
    expect(replica.state.leases.get(1n)?.sortedKeys()).to.deep.equal(['new'])
    expect(replica.state.leases.get(2n)?.sortedKeys()).to.deep.equal(['moved'])
  })

  const refused: readonly (readonly [string, TxnOperation, FailureCode])[] = [
    ['reads a future revision', txn([], [put('k'), range('k', { revision: 5 })]), 'FUTURE_REVISION'],
    [
      'reads the revision that it will make itself',
      txn([], [put('k'), range('k', { revision: 4 })]),
      'FUTURE_REVISION',
    ],
    ['reads a compacted revision', txn([], [put('k'), range('k', { revision: 1 })]), 'COMPACTED'],
    ['reads a negative revision after a compaction', txn([], [put('k'), range('k', { revision: -1 })]), 'COMPACTED'],
    ['names a lease that does not exist', txn([], [put('x'), put('k', '', { lease: 9n })]), 'LEASE_NOT_FOUND'],
    ['ignores the value of a missing key', txn([], [put('k', '', { ignoreValue: true })]), 'KEY_NOT_FOUND'],
    [
      'lacks both key and lease, with the key first',
      txn([], [put('k', '', { ignoreValue: true, lease: 9n })]),
      'KEY_NOT_FOUND',
    ],
    [
      'ignores the lease of a key that it creates itself',
      txn([], [txn([], [put('k')]), put('k', '', { ignoreLease: true })]),
      'KEY_NOT_FOUND',
    ],
    [
      'takes the value of a key over that it has deleted before, where etcd panics',
      txn([], [del('a', '\0'), put('b', '', { ignoreValue: true })]),
      'KEY_NOT_FOUND',
    ],
    [
      'takes the lease of a key over that a nested transaction has deleted before',
      txn([], [txn([], [del('b', '\0')]), put('b', '', { ignoreLease: true })]),
      'KEY_NOT_FOUND',
    ],
    [
      'holds such an operation deep inside',
      txn([], [put('x'), txn([], [txn([], [put('k', '', { lease: 9n })])])]),
      'LEASE_NOT_FOUND',
    ],
    [
      'holds two of them, with the first one',
      txn([], [range('k', { revision: 9 }), put('k', '', { lease: 9n })]),
      'FUTURE_REVISION',
    ],
    ['holds an operation that is not set', txn([], [put('x'), undefined]), 'KEY_NOT_FOUND'],
  ]
  for (const [what, operation, code] of refused) {
    it(`is refused, and writes nothing, if it ${what}`, () => {
      const replica = new Replica()
      for (const command of [put('a'), put('b'), compact(2)]) replica.run(command)
      expect(replica.refusal(operation)).to.equal(code)
    })
  }

  it('takes value and lease of a key over before it deletes the key', () => {
    const replica = new Replica()
    replica.run(put('b', 'v'))
    const { commit } = replica.run(txn([], [txn([], [put('b', '', { ignoreValue: true })]), txn([], [del('a', '\0')])]))
    expect(plainCommit(commit)).to.have.property('events').that.deep.equals(['0 PUT b=v (v)', '1 DELETE b (v)'])
  })

  it('is not refused for what stands in the branch that it does not take', () => {
    expect(new Replica().run(txn([], [], [put('k', '', { lease: 9n })])).failure).to.equal(undefined)
  })

  it('takes revision -1 for "now" as long as nothing was compacted, and -2 for compacted', () => {
    const replica = new Replica()
    replica.run(put('a'))
    const read = (revision: number) => txn([], [put('b'), range('a', { revision })])
    expect(plainResponse(replica.answer(read(-1)))).to.have.nested.property('responses[1][2].count', 1)
    expect(replica.refusal(read(-2))).to.equal('COMPACTED')
  })
})

describe('a transaction that only reads', () => {
  it('holds nothing but ranges at its top level', () => {
    expect(isReadOnlyTxn(txn())).to.equal(true)
    expect(isReadOnlyTxn(txn([], [range('a')], [range('b')]))).to.equal(true)
    expect(isReadOnlyTxn(txn([], [range('a')], [del('b')]))).to.equal(false)
    expect(isReadOnlyTxn(txn([], [put('a')]))).to.equal(false)
    expect(isReadOnlyTxn(txn([], [txn([], [range('a')])]))).to.equal(false)
  })

  it('is answered from the current state', () => {
    const replica = new Replica()
    replica.run(put('a', 'v'))
    const response = executeReadTxn(replica.state.store, txn([compare('a', { result: 1 })], [range('a')], [range('b')]))
    expect(plainResponse(response)).to.have.nested.property('responses[0][2].kvs[0].value', 'v')
    expect(response.responses[0]?.revision).to.equal(2)
  })

  it('is refused as others are', () => {
    const { store } = new Replica().state
    const read = (revision: number) => () => executeReadTxn(store, txn([], [range('a', { revision })]))
    expect(read(2)).to.throw(RequestFailure).with.property('code', 'FUTURE_REVISION')
    expect(read(-2)).to.throw(RequestFailure).with.property('code', 'COMPACTED')
  })
})

function grant(id: bigint): Command {
  return { kind: 'leaseGrant', id, ttl: 60 }
}

function compact(revision: number): Command {
  return { kind: 'compact', revision, physical: false }
}
