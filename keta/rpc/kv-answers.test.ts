import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { expect } from 'chai'
import fc from 'fast-check'

import type { OperationResponse } from '../command/command.ts'
import {
  CompactionResponseSchema,
  DeleteRangeResponseSchema,
  PutResponseSchema,
  RangeResponseSchema,
  type ResponseOpSchema,
  TxnResponseSchema,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import { counters, identities, type Sample, samples } from './answers.fixture.ts'
import { type HeaderMessage, Headers } from './header.ts'
import { encodeAnswer, encodeHeaderOnly } from './kv-answers.ts'

type Message<S extends 'range' | 'put' | 'deleteRange' | 'txn'> = MessageInitShape<
  {
    range: typeof RangeResponseSchema
    put: typeof PutResponseSchema
    deleteRange: typeof DeleteRangeResponseSchema
    txn: typeof TxnResponseSchema
  }[S]
>

/** A response of the engine, and what it must look like as a message with a given header. */
interface Pair {
  readonly response: OperationResponse
  readonly toBytes: (header: HeaderMessage) => Uint8Array
  readonly toResponseOp: (header: HeaderMessage) => MessageInitShape<typeof ResponseOpSchema>
}

const ranges: fc.Arbitrary<Pair> = fc
  .record({ kvs: fc.array(samples, { maxLength: 5 }), keysOnly: fc.boolean(), more: fc.boolean(), count: counters })
  .map(({ kvs, keysOnly, more, count }) => {
    const message = (header: HeaderMessage): Message<'range'> => ({
      header,
      kvs: kvs.map(({ message: kv }) => (keysOnly ? { ...kv, value: new Uint8Array() } : kv)),
      more,
      count: BigInt(count),
    })
    return {
      response: { kind: 'range', kvs: versionsOf(kvs), keysOnly, more, count },
      toBytes: (header) => toBinary(RangeResponseSchema, create(RangeResponseSchema, message(header))),
      toResponseOp: (header) => ({
        response: { case: 'responseRange', value: create(RangeResponseSchema, message(header)) },
      }),
    }
  })

const puts: fc.Arbitrary<Pair> = fc.option(samples, { nil: undefined }).map((previous) => {
  const message = (header: HeaderMessage): Message<'put'> => ({
    header,
    ...(previous === undefined ? {} : { prevKv: previous.message }),
  })
  return {
    response: { kind: 'put', previous: previous?.version },
    toBytes: (header) => toBinary(PutResponseSchema, create(PutResponseSchema, message(header))),
    toResponseOp: (header) => ({
      response: { case: 'responsePut', value: create(PutResponseSchema, message(header)) },
    }),
  }
})

const deletes: fc.Arbitrary<Pair> = fc
  .record({ deleted: counters, previous: fc.array(samples, { maxLength: 3 }) })
  .map(({ deleted, previous }) => {
    const message = (header: HeaderMessage): Message<'deleteRange'> => ({
      header,
      deleted: BigInt(deleted),
      prevKvs: previous.map(({ message: kv }) => kv),
    })
    return {
      response: { kind: 'deleteRange', deleted, previous: versionsOf(previous) },
      toBytes: (header) => toBinary(DeleteRangeResponseSchema, create(DeleteRangeResponseSchema, message(header))),
      toResponseOp: (header) => ({
        response: { case: 'responseDeleteRange', value: create(DeleteRangeResponseSchema, message(header)) },
      }),
    }
  })

const { pair: pairs } = fc.letrec<{ txn: Pair; pair: Pair }>((tie) => ({
  pair: fc.oneof({ depthSize: 'small', withCrossShrink: true }, ranges, puts, deletes, tie('txn')),
  txn: fc
    .record({ succeeded: fc.boolean(), parts: fc.array(fc.tuple(tie('pair'), counters), { maxLength: 4 }) })
    .map(({ succeeded, parts }) => txnPair(succeeded, parts)),
}))

function txnPair(succeeded: boolean, parts: readonly (readonly [Pair, number])[]): Pair {
  const message = (header: HeaderMessage): Message<'txn'> => ({
    header,
    succeeded,
    responses: parts.map(([part, revision]) =>
      part.toResponseOp(part.response.kind === 'txn' ? {} : { revision: BigInt(revision) }),
    ),
  })
  return {
    response: {
      kind: 'txn',
      succeeded,
      responses: parts.map(([{ response }, revision]) => ({ response, revision })),
    },
    toBytes: (header) => toBinary(TxnResponseSchema, create(TxnResponseSchema, message(header))),
    toResponseOp: (header) => ({
      response: { case: 'responseTxn', value: create(TxnResponseSchema, message(header)) },
    }),
  }
}

function versionsOf(kvs: readonly Sample[]) {
  return kvs.map(({ version }) => version)
}

describe('answers of the KV service', () => {
  it('are byte for byte what protobuf-es encodes', () => {
    fc.assert(
      fc.property(pairs, identities, counters, counters, (pair, identity, revision, term) => {
        const headers = new Headers({ identity, revision: 0, term })
        const expected = pair.toBytes(headers.message(revision))
        expect(encodeAnswer(headers.encoded(revision), pair.response).equals(expected)).to.equal(true)
      }),
      { numRuns: 500 },
    )
  })

  it('can be a header alone', () => {
    const headers = new Headers({
      identity: { clusterId: 1n, memberId: 2n ** 64n - 1n, name: '' },
      revision: 9,
      term: 4,
    })
    const expected = toBinary(CompactionResponseSchema, create(CompactionResponseSchema, { header: headers.message() }))
    expect(encodeHeaderOnly(headers.encoded(9)).equals(expected)).to.equal(true)
  })

  it('carry the revision and the term of their moment', () => {
    const state = { identity: { clusterId: 1n, memberId: 2n, name: '' }, revision: 1, term: 1 }
    const headers = new Headers(state)
    const before = headers.encoded(5)
    state.term = 2
    expect(headers.encoded(5)).not.to.deep.equal(before)
    expect(headers.encoded(6)).not.to.deep.equal(headers.encoded(5))
    expect(headers.message()).to.include({ revision: 1n, raftTerm: 2n })
  })
})
