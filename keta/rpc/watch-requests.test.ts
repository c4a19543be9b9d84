import { create, toBinary } from '@bufbuild/protobuf'
import { expect } from 'chai'
import fc from 'fast-check'

import { keyFromBytes } from '../bytes/key.ts'
import { MalformedMessage } from '../bytes/proto-reader.ts'
import { WatchCreateRequest_FilterType as FilterType, WatchRequestSchema } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { decodeWatchRequest } from './watch-requests.ts'

const creates = fc.record({
  key: fc.uint8Array({ maxLength: 20 }),
  rangeEnd: fc.uint8Array({ maxLength: 20 }),
  startRevision: fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n }),
  progressNotify: fc.boolean(),
  filters: fc.array(fc.constantFrom(FilterType.NOPUT, FilterType.NODELETE), { maxLength: 4 }),
  prevKv: fc.boolean(),
  watchId: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fragment: fc.boolean(),
})

describe('requests of the Watch service', () => {
  it('to create are decoded as protobuf-es encodes them', () => {
    fc.assert(
      fc.property(creates, (value) => {
        const union = { case: 'createRequest', value } as const
        const bytes = toBinary(WatchRequestSchema, create(WatchRequestSchema, { requestUnion: union }))
        const { key, rangeEnd, progressNotify, prevKv, watchId, fragment } = value
        expect(decodeWatchRequest(bytes)).to.deep.equal({
          kind: 'create',
          request: {
            key: keyFromBytes(key),
            rangeEnd: keyFromBytes(rangeEnd),
            startRevision: Number(value.startRevision),
            progressNotify,
            noPut: value.filters.includes(FilterType.NOPUT),
            noDelete: value.filters.includes(FilterType.NODELETE),
            prevKv,
            watchId,
            fragment,
          },
        })
      }),
    )
  })

  it('may give filters one by one', () => {
    const message = decodeWatchRequest(Buffer.from('0a0428012800', 'hex'))
    expect(message).to.have.nested.include({ 'request.noPut': true, 'request.noDelete': true })
  })

  it('may hold filters that are not known, which are passed over', () => {
    const filters = 'ffffffffffffffffff01' + 'ac02' + '01'
    const message = decodeWatchRequest(Buffer.from(`0a0f2a0d${filters}`, 'hex'))
    expect(message).to.have.nested.include({ 'request.noPut': false, 'request.noDelete': true })
  })

  it('to cancel and for progress are decoded', () => {
    const cancel = create(WatchRequestSchema, { requestUnion: { case: 'cancelRequest', value: { watchId: -7n } } })
    expect(decodeWatchRequest(toBinary(WatchRequestSchema, cancel))).to.deep.equal({ kind: 'cancel', watchId: -7n })
    const progress = create(WatchRequestSchema, { requestUnion: { case: 'progressRequest', value: {} } })
    expect(decodeWatchRequest(toBinary(WatchRequestSchema, progress))).to.deep.equal({ kind: 'progress' })
  })

  it('of an unknown kind, or of none, are told apart', () => {
    expect(decodeWatchRequest(new Uint8Array())).to.deep.equal({ kind: 'unknown' })
    expect(decodeWatchRequest(Buffer.from('2200', 'hex'))).to.deep.equal({ kind: 'unknown' })
  })

  it('that are no messages are malformed', () => {
    for (const bytes of ['0a', '0a05', '0a032a0180', '0a0d2a0bffffffffffffffffffffff', '1202', '1a0109']) {
      expect(() => decodeWatchRequest(Buffer.from(bytes, 'hex')), bytes).to.throw(MalformedMessage)
    }
  })

  it('never make the decoder do anything but answer or refuse', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeWatchRequest(bytes)
        } catch (error) {
          expect(error).to.be.instanceOf(MalformedMessage)
        }
      }),
    )
  })
})
