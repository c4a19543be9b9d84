import { expect } from 'chai'
import fc from 'fast-check'
import type { Limited } from './capabilities.ts'
import { type ErrorCode, isCoordinationError } from './errors.ts'
import { checkId, checkKey, checkNamespace, childOf, compareKeys, MAX_ID_BYTES, prefixOf } from './keys.ts'

const limited: Limited = { backend: 'test', limits: { maxKeyBytes: 512, maxValueBytes: 1024 } }

function codeOf(call: () => void): ErrorCode | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    if (!isCoordinationError(error)) throw error
    expect(error).to.include({ backend: 'test', effect: 'none', retriable: false })
    return error.code
  }
}

const ILLEGAL: Readonly<Record<string, unknown>> = {
  empty: '',
  'without the leading slash': 'a/b',
  'with an empty segment': '/a//b',
  'with an empty first segment': '//a',
  'with a slash at the end': '/a/',
  'with the segment .': '/a/./b',
  'with the segment ..': '/a/..',
  'with NUL': '/a\0b',
  'with half a surrogate pair': '/a\ud83d',
  'with the halves exchanged': '/\udc00\ud800',
  'of 513 bytes': `/${'a'.repeat(512)}`,
  'of few characters but many bytes': `/${'€'.repeat(171)}`,
  'not a string': 7,
}

describe('the rules for keys', () => {
  for (const [what, key] of Object.entries(ILLEGAL)) {
    it(`refuse a key ${what}`, () => {
      expect(codeOf(() => checkKey(key as string, limited))).to.equal('INVALID_KEY')
      expect(codeOf(() => checkNamespace(key as string, limited))).to.equal('INVALID_KEY')
    })
  }

  it('refuse the root as a key, but not as a namespace', () => {
    expect(codeOf(() => checkKey('/', limited))).to.equal('INVALID_KEY')
    expect(codeOf(() => checkNamespace('/', limited))).to.equal(undefined)
  })

  it('allow everything else', () => {
    const odd = ['/a b', '/%2F', '/?*\'";', '/a.b:c~_', '/...', '/.a', '/\u0001', '/é', '/e\u0301', '/😀', '/A/a']
    const longest = `/${'a'.repeat(511)}`
    for (const key of [...odd, longest])
      expect(
        codeOf(() => checkKey(key, limited)),
        key,
      ).to.equal(undefined)
  })

  it('say what is wrong, without repeating a key that is too long', () => {
    expect(() => checkKey('/a//b', limited)).to.throw('key "/a//b" must not contain \'//\'')
    expect(() => checkKey(`/${'a'.repeat(5000)}`, limited)).to.throw(/^.{1,150}$/)
  })

  it('refuse ids that are empty, too long or not text, and allow any other', () => {
    const bad = ['', 'a\0', '\ud800', 'x'.repeat(MAX_ID_BYTES + 1), undefined]
    for (const id of bad) expect(codeOf(() => checkId('member', id as string, limited))).to.equal('INVALID_KEY')
    for (const id of ['0', '/', '..', 'a/b', 'é', 'x'.repeat(MAX_ID_BYTES)]) {
      expect(
        codeOf(() => checkId('candidate', id, limited)),
        id,
      ).to.equal(undefined)
    }
  })
})

describe('the order of keys', () => {
  it('is that of their UTF-8 bytes', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('a', '\ue000', '\uffff', '😀', '/') }),
    )
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).to.equal(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))))
      }),
    )
  })

  it('puts what UTF-16 would put first last', () => {
    expect(compareKeys('/\uffff', '/😀')).to.be.lessThan(0)
    expect(['/\uffff', '/😀'].sort()).to.deep.equal(['/😀', '/\uffff'])
  })
})

describe('children of a namespace', () => {
  const keys = ['/a/b', '/a/bc', '/a/b0', '/a/b/c', '/ab', '/a']
  const children = (namespace: string) => new Set(keys.map((key) => childOf(namespace, key)).filter(Boolean))

  it('are the next segments, and a common prefix is not a parent', () => {
    expect(children('/a')).to.deep.equal(new Set(['b', 'bc', 'b0']))
    expect(children('/a/b')).to.deep.equal(new Set(['c']))
    expect(children('/')).to.deep.equal(new Set(['a', 'ab']))
    expect(children('/a/b/c')).to.deep.equal(new Set())
  })

  it('begin with the prefix of the namespace', () => {
    expect(prefixOf('/')).to.equal('/')
    expect(prefixOf('/a')).to.equal('/a/')
  })
})
