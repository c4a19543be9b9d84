import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { expect } from 'chai'
import { createSignedTokens, type SignedTokensOptions } from './signed-tokens.ts'

const AUTHOR = { user: 'alice', authRevision: 12 }
const pem = (key: KeyObject): Buffer =>
  Buffer.from(key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }))

interface Pem {
  readonly publicKey: Buffer | undefined
  readonly privateKey: Buffer | undefined
}

function pemsOf({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): Pem {
  return { publicKey: pem(publicKey), privateKey: pem(privateKey) }
}

const RSA = pemsOf(generateKeyPairSync('rsa', { modulusLength: 2048 }))
const OTHER_RSA = pemsOf(generateKeyPairSync('rsa', { modulusLength: 2048 }))
const ec = (namedCurve: string): Pem => pemsOf(generateKeyPairSync('ec', { namedCurve }))
const ED = pemsOf(generateKeyPairSync('ed25519'))
const SECRET: Pem = { publicKey: undefined, privateKey: Buffer.from('a shared secret') }

const KEYS: Readonly<Record<string, Pem>> = {
  ...{ HS256: SECRET, HS384: SECRET, HS512: SECRET, RS256: RSA, RS384: RSA, RS512: RSA },
  ...{ PS256: RSA, PS384: RSA, PS512: RSA, ES256: ec('P-256'), ES384: ec('P-384'), ES512: ec('P-521'), EdDSA: ED },
}

let now = 1_000_000_000_000

function tokensOf(signMethod: string, keys: Partial<Pem> = {}) {
  const options: SignedTokensOptions = {
    ...{ publicKey: undefined, privateKey: undefined },
    ...(KEYS[signMethod] ?? {}),
    ...keys,
    ...{ signMethod, ttlMs: 60_000, now: () => now },
  }
  return createSignedTokens(options)
}

function handMade(header: object, claims: object, secret = 'a shared secret'): string {
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

describe('signed tokens', () => {
  for (const method of Object.keys(KEYS)) {
    it(`by ${method} name user and revision, until they end`, () => {
      const tokens = tokensOf(method)
      const token = tokens.sign(AUTHOR)
      expect(tokens.verify(token)).to.deep.equal(AUTHOR)
      const [header = '', claims = '', signature = ''] = token.split('.')
      expect(JSON.parse(Buffer.from(header, 'base64url').toString())).to.deep.equal({ alg: method, typ: 'JWT' })
      const exp = Math.floor(now / 1000) + 60
      const expected = { username: 'alice', revision: 12, exp }
      expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).to.deep.equal(expected)
      const forged = Buffer.from(JSON.stringify({ ...expected, username: 'root' })).toString('base64url')
      expect(tokens.verify([header, forged, signature].join('.'))).to.equal(undefined)
      now += 61_000
      expect(tokens.verify(token)).to.equal(undefined)
    })
  }

  it('are checked, but not signed, with a public key alone', () => {
    const reader = tokensOf('RS256', { privateKey: undefined })
    expect(reader.canSign).to.equal(false)
    expect(reader.verify(tokensOf('RS256').sign(AUTHOR))).to.deep.equal(AUTHOR)
    expect(reader.verify(tokensOf('RS256', OTHER_RSA).sign(AUTHOR))).to.equal(undefined)
  })

  it('by another algorithm, or by none, are not taken: not even with the public key for a secret', () => {
    const tokens = tokensOf('RS256')
    const claims = { username: 'root', revision: 12, exp: now }
    const secret = RSA.publicKey?.toString() ?? ''
    expect(tokens.verify(handMade({ alg: 'HS256' }, claims, secret))).to.equal(undefined)
    expect(tokens.verify(handMade({ alg: 'RS256' }, claims, secret))).to.equal(undefined)
    expect(tokens.verify(`${handMade({ alg: 'none' }, claims).split('.').slice(0, 2).join('.')}.`)).to.equal(undefined)
  })

  it('that are not tokens, or lack something, are not taken', () => {
    const tokens = tokensOf('HS256')
    const good = { username: 'a', revision: 3 }
    const header = { alg: 'HS256' }
    expect(tokens.verify(handMade(header, good))).to.deep.equal({ user: 'a', authRevision: 3 })
    const bad = [
      ...['', 'a', 'a.b', 'a.b.c', `${handMade(header, good)}.d`, 'prefix.12'],
      handMade(header, { username: 'a' }),
      handMade(header, { revision: 3 }),
      handMade(header, { username: 1, revision: 3 }),
      handMade(header, { ...good, exp: 'never' }),
      handMade(header, { ...good, exp: now / 1000 - 1 }),
      handMade(header, { ...good, nbf: now / 1000 + 10 }),
    ]
    for (const token of bad) expect(tokens.verify(token), token).to.equal(undefined)
  })

  const unusable: readonly (readonly [string, string, Partial<Pem>, RegExp])[] = [
    ['none', 'RS256', { publicKey: undefined, privateKey: undefined }, /neither/],
    ['no secret', 'HS256', { privateKey: undefined }, /missing/],
    ['a pair that is none', 'RS256', { publicKey: OTHER_RSA.publicKey }, /not that of/],
    ['of another kind', 'ES256', RSA, /another kind of key/],
    ['of another curve', 'ES256', ec('P-384'), /another kind of key/],
    ['not PEM', 'RS256', { privateKey: Buffer.from('s3cret') }, /private key is not a PEM/],
  ]
  for (const [what, method, keys, message] of unusable) {
    it(`need keys that fit: ${what}`, () => {
      expect(() => tokensOf(method, keys))
        .to.throw(message)
        .with.property('code', 'INVALID_TOKEN_KEYS')
    })
  }

  it('do not quote a key that cannot be read', () => {
    try {
      tokensOf('RS256', { privateKey: Buffer.from('s3cret') })
      expect.fail('was read')
    } catch (error) {
      expect(String(error)).to.not.include('s3cret')
      expect(error).to.not.have.property('cause')
    }
  })
})
