/** Decoders and encoders of the KV requests, checked against messages that an independent encoder wrote. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { expect } from 'chai'
import fc from 'fast-check'
import { keyFromText } from '../bytes/key.ts'
import { MalformedMessage } from '../bytes/proto-reader.ts'
import { RequestFailure } from './failure.ts'
import {
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
} from './kv-encoders.ts'
import {
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  MAX_TXN_DEPTH,
} from './kv-messages.ts'
import {
  compactOperation,
  deleteOperation,
  putOperation,
  rangeOperation,
  txnOperation,
} from './operations.arbitraries.ts'
import { encodeByHand } from './reference-encoder.fixture.ts'

describe('the KV message decoders', () => {
  it('read every Range that an independent encoder wrote', () => {
    fc.assert(
      fc.property(rangeOperation, (operation) => {
        expect(decodeRangeRequest(encodeByHand(operation))).to.deep.equal(operation)
      }),
    )
  })

  it('read every Put that an independent encoder wrote', () => {
    fc.assert(
      fc.property(putOperation, (operation) => {
        expect(plain(decodePutRequest(encodeByHand(operation)))).to.deep.equal(plain(operation))
      }),
    )
  })

  it('read every DeleteRange and Compact that an independent encoder wrote', () => {
    fc.assert(
      fc.property(deleteOperation, compactOperation, (deletion, compaction) => {
        expect(decodeDeleteRangeRequest(encodeByHand(deletion))).to.deep.equal(deletion)
        expect(decodeCompactionRequest(encodeByHand(compaction))).to.deep.equal(compaction)
      }),
    )
  })

  it('read every Txn, nested ones too, that an independent encoder wrote', () => {
    fc.assert(
      fc.property(txnOperation, (operation) => {
        expect(plain(decodeTxnRequest(encodeByHand(operation)))).to.deep.equal(plain(operation))
      }),
    )
  })

  it('give back what the encoders wrote', () => {
    fc.assert(
      fc.property(txnOperation, rangeOperation, putOperation, deleteOperation, (txn, range, put, deletion) => {
        expect(plain(decodeTxnRequest(encodeTxnRequest(txn)))).to.deep.equal(plain(txn))
        expect(decodeRangeRequest(encodeRangeRequest(range))).to.deep.equal(range)
        expect(plain(decodePutRequest(encodePutRequest(put)))).to.deep.equal(plain(put))
        expect(decodeDeleteRangeRequest(encodeDeleteRangeRequest(deletion))).to.deep.equal(deletion)
      }),
    )
  })

  it('keep the greatest int64 as far away as it is, also when it is encoded again', () => {
    const greatest = new BinaryWriter()
      .tag(1, WireType.Varint)
      .int64(2n ** 63n - 1n)
      .finish()
    const compaction = decodeCompactionRequest(greatest)
    expect(compaction.revision).to.equal(2 ** 63)
    expect(Buffer.compare(encodeCompactionRequest(compaction), greatest)).to.equal(0)
  })

  it('let the last one of a repeated scalar count', () => {
    const bytes = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(Buffer.from('first'))
    bytes.tag(4, WireType.Varint).bool(true).tag(1, WireType.LengthDelimited).bytes(Buffer.from('last'))
    bytes.tag(4, WireType.Varint).bool(false)
    const put = decodePutRequest(bytes.finish())
    expect(put.key).to.equal('last')
    expect(put.prevKv).to.equal(false)
  })

  it('let the last member of a oneof count', () => {
    const put = encodePutRequest({ ...PUT, key: keyFromText('k') })
    const range = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(Buffer.from('r')).finish()
    const operation = new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(put).tag(1, WireType.LengthDelimited)
    const txn = new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(operation.bytes(range).finish()).finish()
    expect(decodeTxnRequest(txn).success[0]?.kind).to.equal('range')
  })

  it('pass over fields that they do not know', () => {
    const bytes = new BinaryWriter()
      .tag(77, WireType.LengthDelimited)
      .bytes(Buffer.from('new'))
      .tag(99, WireType.Varint)
    bytes.int32(1).tag(1, WireType.LengthDelimited).bytes(Buffer.from('k'))
    expect(decodePutRequest(bytes.finish()).key).to.equal('k')
    expect(decodeRangeRequest(bytes.finish()).key).to.equal('')
  })

  it('refuse bytes that are no such message', () => {
    const bytes = Uint8Array.of(0x0a, 0x7f, 0x01)
    const decoders = [decodeRangeRequest, decodePutRequest, decodeDeleteRangeRequest, decodeCompactionRequest]
    for (const decode of decoders) expect(() => decode(bytes)).to.throw(MalformedMessage)
    expect(() => decodeTxnRequest(Uint8Array.of(0x12, 0x02, 0x0a, 0x7f))).to.throw(MalformedMessage)
  })

  it('decode transactions nested as deep as the limit', () => {
    expect(depthOf(nested(MAX_TXN_DEPTH))).to.equal(MAX_TXN_DEPTH)
  })

  it('refuse deeper ones instead of exhausting the stack', () => {
    for (const depth of [MAX_TXN_DEPTH + 1, 20_000]) {
      expect(() => decodeTxnRequest(nested(depth)))
        .to.throw(RequestFailure)
        .with.property('code', 'TOO_MANY_OPS')
    }
  })
})

const PUT = {
  kind: 'put',
  key: keyFromText(''),
  value: new Uint8Array(0),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
} as const

/** Buffers and arrays of the same bytes are the same; everything else stays. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, each: unknown) => {
      if (typeof each === 'bigint') return `${each}n`
      if (each instanceof Uint8Array) return Buffer.from(each).toString('hex')
      return isSerialisedBuffer(each) ? Buffer.from(each.data).toString('hex') : each
    }),
  )
}

/** JSON.stringify turns a Buffer into this before it asks the replacer. */
function isSerialisedBuffer(value: unknown): value is { readonly data: readonly number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value
}

function nested(depth: number): Uint8Array {
  const parts: Uint8Array[] = []
  let inner: Uint8Array = new Uint8Array(0)
  for (let level = 1; level < depth; level++) {
    const operation = new BinaryWriter().tag(4, WireType.LengthDelimited).uint32(inner.length).finish()
    const header = new BinaryWriter()
      .tag(2, WireType.LengthDelimited)
      .uint32(operation.length + inner.length)
      .finish()
    parts.push(operation, header)
    inner = new Uint8Array(inner.length + operation.length + header.length)
  }
  return Buffer.concat(parts.reverse())
}

function depthOf(bytes: Uint8Array): number {
  let depth = 0
  let operation: ReturnType<typeof decodeTxnRequest> | undefined = decodeTxnRequest(bytes)
  while (operation !== undefined) {
    depth++
    const inner: ReturnType<typeof decodeTxnRequest>['success'][number] = operation.success[0]
    operation = inner?.kind === 'txn' ? inner : undefined
  }
  return depth
}
