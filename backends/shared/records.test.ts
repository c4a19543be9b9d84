import { expect } from 'chai'
import fc from 'fast-check'
import { decodeHolder, encodeHolder } from './records.ts'

const ABOUT = { key: '/kafka/leader/controller', backend: 'etcd' }

describe('the record of a seat', () => {
  it('is read as it was written, whatever the data', () => {
    const text = fc.string({ unit: 'grapheme' })
    const data = fc.oneof(
      fc.uint8Array(),
      text.map((one) => new TextEncoder().encode(one)),
      fc.constant(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])),
    )
    fc.assert(
      fc.property(fc.record({ id: text, session: text, nonce: text, data }, { noNullPrototype: true }), (holder) => {
        expect(decodeHolder(encodeHolder(holder), ABOUT)).to.deep.equal(holder)
      }),
    )
  })

  it('shows text to whoever looks with etcdctl', () => {
    const holder = { id: '0', session: '694d', nonce: 'n', data: new TextEncoder().encode('host:9092') }
    expect(encodeHolder(holder).toString()).to.equal('{"id":"0","session":"694d","nonce":"n","text":"host:9092"}')
    expect(encodeHolder({ ...holder, data: new Uint8Array([255]) }).toString()).to.include('"base64":"/w=="')
  })

  it('is refused if it is anything else', () => {
    for (const text of ['', '{', '[]', 'null', '{}', '{"id":1,"session":"s","nonce":"n","text":""}']) {
      expect(() => decodeHolder(Buffer.from(text), ABOUT))
        .to.throw()
        .with.property('code', 'CORRUPTED')
    }
  })
})
