import { expect } from 'chai'
import fc from 'fast-check'

import { ProtoWriter } from '../bytes/proto-writer.ts'
import type { PeerRequest } from '../cluster/peers.ts'
import { STATUS } from '../transport/transport.ts'
import { whole } from './encoded.fixture.ts'
import {
  decodeRequest,
  decodeResponse,
  type Encoded,
  encodeRequest,
  encodeResponse,
  type WireResponse,
} from './messages.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map((content) => Buffer.from(content))
const text = fc.string({ unit: 'grapheme', maxLength: 30 })
const offset = fc.oneof(fc.constant(-1), fc.maxSafeNat())

const request: fc.Arbitrary<PeerRequest> = fc.oneof(
  fc.record({
    kind: fc.constant('forward' as const),
    method: text,
    body: bytes,
    metadata: fc.array(fc.tuple(text, text), { maxLength: 4 }).map((entries) => new Map(entries)),
  }),
  fc.record({ kind: fc.constant('takeOver' as const), epoch: fc.maxSafeNat() }),
  fc.constantFrom<PeerRequest>({ kind: 'readIndex' }, { kind: 'ping' }),
)

const response: fc.Arbitrary<WireResponse> = fc.oneof(
  fc.record({ kind: fc.constant('answer' as const), body: bytes, appliedOffset: offset }),
  fc.record({
    kind: fc.constant('refusal' as const),
    status: fc.constantFrom(...Object.values(STATUS)),
    message: text,
    appliedOffset: offset,
  }),
  fc.record({ kind: fc.constant('readIndex' as const), offset }),
  fc.constantFrom<WireResponse>({ kind: 'notLeader' }, { kind: 'done' }, { kind: 'failed' }),
)

/** Fields that a later version may have added. */
const unknownFields = fc.array(fc.tuple(fc.integer({ min: 16, max: 5000 }), bytes), { maxLength: 3 }).map((fields) => {
  const writer = new ProtoWriter()
  for (const [field, content] of fields) writer.messageField(field, content)
  return writer.finish()
})

/** Bodies are compared as bytes, whichever class they have. */
function plain(message: object | undefined): unknown {
  if (message === undefined || !('body' in message) || !(message.body instanceof Uint8Array)) return message
  return { ...message, body: Buffer.from(message.body).toString('hex') }
}

describe('the messages between nodes', () => {
  it('give back every request, whatever unknown fields are around it', () => {
    fc.assert(
      fc.property(request, unknownFields, (message, unknown) => {
        const encoded = Buffer.concat([unknown, whole(encodeRequest(message)), unknown])
        expect(plain(decodeRequest(encoded))).to.deep.equal(plain(message))
      }),
    )
  })

  it('give back every response, whatever unknown fields are around it', () => {
    fc.assert(
      fc.property(response, unknownFields, (message, unknown) => {
        const encoded = Buffer.concat([unknown, whole(encodeResponse(message)), unknown])
        expect(plain(decodeResponse(encoded))).to.deep.equal(plain(message))
      }),
    )
  })

  it('tell a kind of request that is not known from the known ones', () => {
    const writer = new ProtoWriter()
    writer.intField(1, 99)
    expect(decodeRequest(writer.finish())).to.equal(undefined)
    expect(decodeRequest(Buffer.alloc(0))).to.equal(undefined)
  })

  it('know nothing of the outcome if the kind of response is not known', () => {
    const writer = new ProtoWriter()
    writer.intField(1, 99)
    expect(decodeResponse(writer.finish())).to.deep.equal({ kind: 'failed' })
    expect(decodeResponse(Buffer.alloc(0))).to.deep.equal({ kind: 'failed' })
  })

  it('read a status that gRPC does not have as UNKNOWN', () => {
    const writer = new ProtoWriter()
    writer.intField(1, 2)
    writer.intField(4, 77)
    expect(decodeResponse(writer.finish())).to.include({ kind: 'refusal', status: STATUS.UNKNOWN })
  })

  it('never fail otherwise than as malformed, whatever the bytes', () => {
    fc.assert(
      fc.property(bytes, (content) => {
        for (const decode of [decodeRequest, decodeResponse]) {
          try {
            decode(content)
          } catch (error) {
            expect(error).to.have.property('name', 'MalformedMessage')
          }
        }
      }),
    )
  })

  // What two versions agree on: other bytes would be another protocol.
  it('have the bytes that the description gives them', () => {
    const hex = (encoded: Encoded) => whole(encoded).toString('hex')
    const forward = encodeRequest({
      kind: 'forward',
      method: 'a/b',
      body: Buffer.from([9]),
      metadata: new Map([['token', 't']]),
    })
    expect(hex(forward)).to.equal('0801' + '1203612f62' + '220a' + '0a05746f6b656e' + '120174' + '1a0109')
    expect(hex(encodeRequest({ kind: 'takeOver', epoch: 7 }))).to.equal('08032807')
    expect(hex(encodeResponse({ kind: 'readIndex', offset: 300 }))).to.equal('080330ac02')
    const refusal = encodeResponse({ kind: 'refusal', status: STATUS.NOT_FOUND, message: 'x', appliedOffset: 5 })
    expect(hex(refusal)).to.equal('0802' + '1805' + '2005' + '2a0178')
    const answer = encodeResponse({ kind: 'answer', body: Buffer.from([9]), appliedOffset: 5 })
    expect(hex(answer)).to.equal('0801' + '1805' + '120109')
  })

  it('are read in any order of their fields', () => {
    const request = decodeRequest(Buffer.from('0801' + '1a0109' + '1203612f62', 'hex'))
    expect(plain(request)).to.deep.equal({ kind: 'forward', method: 'a/b', body: '09', metadata: new Map() })
    const response = decodeResponse(Buffer.from('0801' + '120109' + '1805', 'hex'))
    expect(plain(response)).to.deep.equal({ kind: 'answer', body: '09', appliedOffset: 5 })
  })

  it('hand a body over as it is, without copying it', () => {
    const body = Buffer.from('body')
    expect(encodeRequest({ kind: 'forward', method: 'a/b', body, metadata: new Map() }).body).to.equal(body)
    expect(encodeResponse({ kind: 'answer', body, appliedOffset: 5 }).body).to.equal(body)
  })
})
