import { expect } from 'chai'
import fc from 'fast-check'
import { checkData, sameBytes, toBytes, toText } from './data.ts'
import { makeEntry, parseToken, versionOf } from './entry.ts'
import { isCoordinationError } from './errors.ts'

const limited = { backend: 'test', limits: { maxKeyBytes: 512, maxValueBytes: 4 } }
const coded = (code: string) => (error: unknown) => isCoordinationError(error) && error.code === code

function thrownBy(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    return error
  }
}

describe('data', () => {
  it('are the same after a round trip as text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(toText(toBytes(text))).to.equal(text)
      }),
    )
  })

  it('are text exactly if they are UTF-8', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const isUtf8 = Buffer.from(Buffer.from(bytes).toString()).equals(bytes)
        const text = thrownBy(() => toText(bytes))
        if (isUtf8) expect(toBytes(text as string)).to.deep.equal(bytes)
        else expect(text).to.satisfy(coded('INVALID_DATA'))
      }),
    )
  })

  it('keep a byte order mark', () => {
    expect(toText(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).to.equal('\ufeffa')
  })

  it('refuse a lone surrogate instead of replacing it', () => {
    expect(thrownBy(() => toBytes('a\ud800'))).to.satisfy(coded('INVALID_DATA'))
  })

  it('refuse what is neither text nor bytes', () => {
    for (const data of [null, 7, {}, [1]]) {
      expect(thrownBy(() => toBytes(data as unknown as string))).to.satisfy(coded('INVALID_ARGUMENT'))
    }
  })

  it('are copied on the way in, also out of a pooled Buffer', () => {
    const given = Buffer.from('abc')
    const bytes = toBytes(given)
    given.fill(0)
    expect(toText(bytes)).to.equal('abc')
    expect(Buffer.isBuffer(bytes)).to.equal(false)
  })

  it('may be as large as the backend says', () => {
    expect(checkData('four', limited)).to.have.length(4)
    expect(checkData('', limited)).to.have.length(0)
    expect(thrownBy(() => checkData('fünf', limited))).to.satisfy(coded('TOO_LARGE'))
  })

  it('are compared by all their bytes', () => {
    expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).to.equal(true)
    expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).to.equal(false)
    expect(sameBytes(Uint8Array.of(1), Uint8Array.of(1, 2))).to.equal(false)
  })
})

describe('an entry', () => {
  it('does not change with the buffer that it came in', () => {
    const received = Buffer.from('old')
    const entry = makeEntry('/k', received, versionOf('1'))
    received.write('new')
    expect(entry).to.include({ key: '/k', version: '1', text: 'old' })
    expect(entry.bytes).to.deep.equal(Uint8Array.from(Buffer.from('old')))
  })

  it('names its key when it is not text', () => {
    const error = thrownBy(() => makeEntry('/k', Uint8Array.of(0xff), versionOf('1')).text)
    expect(error).to.satisfy(coded('INVALID_DATA'))
    expect(error).to.have.property('key', '/k')
  })
})

describe('a fencing token', () => {
  it('is read from the decimal form that it is written in, of any size', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n }), (token) => parseToken(String(token)) === token))
  })

  it('is not read from anything else', () => {
    for (const text of ['', '-1', '01', '1.5', '0x1', ' 1', 'one']) {
      expect(
        thrownBy(() => parseToken(text)),
        text,
      ).to.satisfy(coded('INVALID_ARGUMENT'))
    }
  })
})
