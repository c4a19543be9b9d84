import { expect } from 'chai'
import fc from 'fast-check'
import { Frames } from './frames.ts'

function framed(message: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(message.length)
  return Buffer.concat([length, message])
}

describe('a stream of messages', () => {
  it('is cut where its messages end, whatever the chunks', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), fc.array(fc.integer({ min: 1, max: 7 })), (messages, sizes) => {
        const stream = Buffer.concat(messages.map(framed))
        const frames = new Frames()
        const cut: Buffer[] = []
        let at = 0
        for (const size of [...sizes, stream.length]) {
          cut.push(...frames.push(stream.subarray(at, at + size)))
          at += size
        }
        expect(cut.map((frame) => [...frame])).to.deep.equal(messages.map((message) => [...message]))
      }),
    )
  })

  it('that is something else is refused', () => {
    expect(() => new Frames().push(Buffer.from('HTTP/1.1 400 Bad Request'))).to.throw('none of ZooKeeper')
    expect(() => new Frames().push(Buffer.alloc(4, 0xff))).to.throw('none of ZooKeeper')
  })
})
