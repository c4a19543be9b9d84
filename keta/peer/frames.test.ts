import { expect } from 'chai'
import fc from 'fast-check'

import { ProtoWriter } from '../bytes/proto-writer.ts'
import { asEncoded } from './encoded.fixture.ts'
import { type Frame, Inbox } from './inbox.ts'
import { Outbox } from './outbox.ts'

const MESSAGE_BYTES = 200
/** Tags, lengths and ids of one frame, and of the batch. */
const FRAME_BYTES = 30

const payloads = fc.array(fc.uint8Array({ maxLength: 1000 }), { maxLength: 20 })

function packed(all: readonly Uint8Array[], headLength?: number): Buffer[] {
  const outbox = new Outbox(MESSAGE_BYTES)
  for (const [index, payload] of all.entries()) outbox.put(index + 1, asEncoded(payload, headLength))
  return taken(outbox)
}

function taken(outbox: Outbox): Buffer[] {
  const messages: Buffer[] = []
  for (let message = outbox.take(); message !== undefined; message = outbox.take()) messages.push(message)
  return messages
}

function unpacked(messages: readonly Uint8Array[], maxPayloadBytes = 1000): Frame[] {
  const inbox = new Inbox(maxPayloadBytes)
  return messages.flatMap((message) => [...inbox.take(message)])
}

function hex(payload: Uint8Array | undefined): string | undefined {
  return payload && Buffer.from(payload).toString('hex')
}

describe('the frames between nodes', () => {
  it('bring every payload over, in order, whatever its size', () => {
    fc.assert(
      fc.property(payloads, fc.nat({ max: 500 }), (all, headLength) => {
        const frames = unpacked(packed(all, headLength))
        expect(frames.map((frame) => [frame.id, hex(frame.payload)])).to.deep.equal(
          all.map((payload, index) => [index + 1, hex(payload)]),
        )
      }),
    )
  })

  it('make no message larger than its limit', () => {
    fc.assert(
      fc.property(payloads, (all) => {
        for (const message of packed(all)) expect(message.length).to.be.at.most(MESSAGE_BYTES + FRAME_BYTES)
      }),
    )
  })

  it('put what fits into one message', () => {
    expect(packed([Buffer.alloc(50), Buffer.alloc(50), Buffer.alloc(0)])).to.have.length(1)
  })

  it('leave out what was withdrawn, and say that nothing of it was sent', () => {
    const outbox = new Outbox(MESSAGE_BYTES)
    outbox.put(1, asEncoded(Buffer.from('a')))
    outbox.put(2, asEncoded(Buffer.from('b')))
    expect(outbox.withdraw(1)).to.equal(true)
    expect(unpacked(taken(outbox)).map(({ id }) => id)).to.deep.equal([2])
    expect(outbox.withdraw(2)).to.equal(false)
  })

  it('cannot withdraw what has been sent in part, and finish it', () => {
    const outbox = new Outbox(MESSAGE_BYTES)
    outbox.put(1, asEncoded(Buffer.alloc(500, 1)))
    const first = outbox.take()
    expect(outbox.withdraw(1)).to.equal(false)
    const [frame] = unpacked([first ?? Buffer.alloc(0), ...taken(outbox)])
    expect(frame?.bytes).to.equal(500)
  })

  it('keep nothing of a payload that is too large, and everything of the next', () => {
    const messages = packed([Buffer.alloc(901), Buffer.alloc(900, 7)])
    const frames = unpacked(messages, 900)
    expect(frames.map(({ id, bytes, payload }) => [id, bytes, payload?.length])).to.deep.equal([
      [1, 901, undefined],
      [2, 900, 900],
    ])
  })

  it('are refused if a payload begins where another has not ended', () => {
    const [first = Buffer.alloc(0)] = packed([Buffer.alloc(500)])
    const other = new Outbox(MESSAGE_BYTES)
    other.put(2, asEncoded(Buffer.alloc(1)))
    expect(() => unpacked([first, ...taken(other)])).to.throw('payload 1 has no end')
  })

  it('pass over fields that are not known', () => {
    const later = new ProtoWriter()
    later.stringField(7, 'later')
    const [message = Buffer.alloc(0)] = packed([Buffer.from('a')])
    expect(unpacked([Buffer.concat([later.finish(), message])])).to.have.length(1)
  })

  it('fail only as malformed, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 }), (messages) => {
        try {
          unpacked(messages)
        } catch (error) {
          expect(error).to.have.property('name', 'MalformedMessage')
        }
      }),
    )
  })
})
