import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { expect } from 'chai'
import fc from 'fast-check'
import { type RequestOpSchema, TxnRequestSchema } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { decodeTxnRequest } from './kv-messages.ts'
import { holdsOnlyRanges } from './txn-scan.ts'

const key = Buffer.from('key')

type Operation = MessageInitShape<typeof RequestOpSchema>

const range: Operation = { request: { case: 'requestRange', value: { key } } }
const operation = fc.constantFrom<Operation>(
  range,
  { request: { case: 'requestPut', value: { key } } },
  { request: { case: 'requestDeleteRange', value: { key } } },
  { request: { case: 'requestTxn', value: {} } },
  {},
)

/** Mostly ranges, so that often there is nothing else. */
const branch = fc.array(fc.oneof({ weight: 6, arbitrary: fc.constant(range) }, { weight: 1, arbitrary: operation }), {
  maxLength: 4,
})
const txn = fc
  .record({ success: branch, failure: branch, compares: fc.nat({ max: 2 }) })
  .map(({ success, failure, compares }) => {
    const compare = Array.from({ length: compares }, () => ({ key }))
    return toBinary(TxnRequestSchema, create(TxnRequestSchema, { compare, success, failure }))
  })

/** By its decoded form, as the state machine sees it. */
function isReadOnly(bytes: Uint8Array): boolean {
  const { success, failure } = decodeTxnRequest(bytes)
  return [...success, ...failure].every((one) => one?.kind === 'range')
}

describe('the look through a transaction', () => {
  it('finds what decoding finds', () => {
    let readOnly = 0
    fc.assert(
      fc.property(txn, (bytes) => {
        if (isReadOnly(bytes)) readOnly++
        expect(holdsOnlyRanges(bytes)).to.equal(isReadOnly(bytes))
      }),
      { numRuns: 500 },
    )
    expect(readOnly).to.be.within(50, 450)
  })

  it('never says of other bytes that they are read-only where decoding sees a write', () => {
    fc.assert(
      fc.property(txn, fc.nat(), fc.nat({ max: 255 }), (bytes, place, byte) => {
        const changed = Buffer.from(bytes)
        if (changed.length > 0) changed[place % changed.length] = byte
        if (!holdsOnlyRanges(changed)) return
        try {
          expect(isReadOnly(changed)).to.equal(true)
        } catch (error) {
          expect(error).to.have.property('name', 'MalformedMessage')
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('takes the last of several kinds for the operation, as decoding does', () => {
    const [put, get] = ['1203' + '0a0161', '0a03' + '0a0161']
    const holding = (operation: string) =>
      Buffer.from(`12${(operation.length / 2).toString(16).padStart(2, '0')}${operation}`, 'hex')
    for (const [bytes, readOnly] of [
      [holding(put + get), true],
      [holding(get + put), false],
      [holding(''), false],
    ] as const) {
      expect(holdsOnlyRanges(bytes)).to.equal(readOnly)
      expect(isReadOnly(bytes)).to.equal(readOnly)
    }
  })

  it('leaves what is cut off to whoever decodes it', () => {
    expect(holdsOnlyRanges(Buffer.from('12ff', 'hex'))).to.equal(false)
  })
})
