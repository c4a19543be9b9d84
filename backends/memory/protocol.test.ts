import { expect } from 'chai'
import fc from 'fast-check'
import { encodeFrame, FrameReader } from './protocol.ts'

describe('frames', () => {
  it('give the same messages however they arrive in pieces', () => {
    const message = fc.oneof(
      fc.string(),
      fc.uint8Array(),
      fc.bigInt(),
      fc.constant(undefined),
      fc.dictionary(fc.string(), fc.nat()),
    )
    fc.assert(
      fc.property(fc.array(message), fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (messages, sizes) => {
        const bytes = Buffer.concat(messages.map(encodeFrame))
        const reader = new FrameReader()
        const seen: unknown[] = []
        for (let at = 0; at < bytes.length; ) {
          const size = Number(sizes.next().value)
          seen.push(...reader.push(bytes.subarray(at, at + size)))
          at += size
        }
        expect(reader.left).to.equal(0)
        expect(seen.map(plain)).to.deep.equal(messages.map(plain))
      }),
    )
  })

  it('refuse a length that no message has', () => {
    expect(() => new FrameReader().push(Buffer.from('GET / HTTP/1.1'))).to.throw('a frame of')
  })
})

/** What has another prototype after its journey. */
function plain(message: unknown): unknown {
  if (message instanceof Uint8Array) return [...message]
  return typeof message === 'object' && message !== null ? { ...message } : message
}
