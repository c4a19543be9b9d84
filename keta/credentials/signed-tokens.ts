/** JSON Web Tokens as etcd signs and checks them: { username, revision, exp }, and one algorithm alone. */
import {
  constants,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  type SigningOptions,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import type { Author } from '../command/author.ts'
import type { SignedTokens } from './credentials.ts'

export interface SignedTokensOptions {
  /** RS256, ES256, HS256, EdDSA and so on. */
  readonly signMethod: string
  /** PEM; of HS… the bytes of the secret, as private key. One of the two may be missing. */
  readonly publicKey: Uint8Array | undefined
  readonly privateKey: Uint8Array | undefined
  readonly ttlMs: number
  /** Milliseconds of the wall clock. */
  readonly now: () => number
}

/** The keys cannot serve. The text does not contain them. */
export class SignedTokensError extends Error {
  override readonly name = 'SignedTokensError'
  readonly code = 'INVALID_TOKEN_KEYS'
}

interface Algorithm {
  readonly canSign: boolean
  sign(text: string): Buffer
  verify(text: string, signature: Buffer): boolean
}

/** @throws SignedTokensError */
export function createSignedTokens(options: SignedTokensOptions): SignedTokens {
  return new JsonWebTokens(algorithmOf(options), options)
}

class JsonWebTokens implements SignedTokens {
  readonly canSign: boolean
  readonly #algorithm: Algorithm
  readonly #options: SignedTokensOptions

  constructor(algorithm: Algorithm, options: SignedTokensOptions) {
    this.canSign = algorithm.canSign
    this.#algorithm = algorithm
    this.#options = options
  }

  sign({ user, authRevision }: Author): string {
    const { now, signMethod, ttlMs } = this.#options
    const exp = Math.floor((now() + ttlMs) / 1000)
    const text = [
      { alg: signMethod, typ: 'JWT' },
      { exp, revision: authRevision, username: user },
    ]
      .map(encode)
      .join('.')
    return `${text}.${this.#algorithm.sign(text).toString('base64url')}`
  }

  verify(token: string): Author | undefined {
    const [header = '', claims = '', signature, ...more] = token.split('.')
    if (signature === undefined || more.length > 0) return undefined
    // What it says of its algorithm counts for nothing but a refusal.
    if (decode(header)?.['alg'] !== this.#options.signMethod) return undefined
    if (!this.#algorithm.verify(`${header}.${claims}`, Buffer.from(signature, 'base64url'))) return undefined
    return this.#authorIn(decode(claims))
  }

  #authorIn(claims: Record<string, unknown> | undefined): Author | undefined {
    const { username, revision, exp, nbf } = claims ?? {}
    const seconds = this.#options.now() / 1000
    if (exp !== undefined && !(typeof exp === 'number' && seconds < exp)) return undefined
    if (nbf !== undefined && !(typeof nbf === 'number' && seconds >= nbf)) return undefined
    if (typeof username !== 'string' || typeof revision !== 'number' || revision < 0) return undefined
    return { user: username, authRevision: Math.floor(revision) }
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

function decode(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function algorithmOf(options: SignedTokensOptions): Algorithm {
  const { signMethod, privateKey } = options
  const hash = `sha${signMethod.slice(2)}`
  switch (signMethod.slice(0, 2)) {
    case 'HS':
      if (privateKey === undefined || privateKey.length === 0) throw new SignedTokensError('the private key is missing')
      return hmac(hash, privateKey)
    case 'RS':
      return signatures(hash, keyPair(options, 'rsa'), {})
    case 'PS':
      return signatures(hash, keyPair(options, 'rsa'), {
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      })
    case 'ES':
      return signatures(hash, keyPair(options, 'ec', CURVES[signMethod]), { dsaEncoding: 'ieee-p1363' })
    default:
      return signatures(null, keyPair(options, 'ed25519'), {})
  }
}

/** As OpenSSL calls them. */
const CURVES: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' }

function hmac(hash: string, secret: Uint8Array): Algorithm {
  const mac = (text: string): Buffer => createHmac(hash, secret).update(text).digest()
  return {
    canSign: true,
    sign: mac,
    verify: (text, signature) => {
      const expected = mac(text)
      return expected.length === signature.length && timingSafeEqual(expected, signature)
    },
  }
}

interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject | undefined
}

function signatures(hash: string | null, { publicKey, privateKey }: KeyPair, how: SigningOptions): Algorithm {
  return {
    canSign: privateKey !== undefined,
    sign: (text) => {
      if (privateKey === undefined) throw new SignedTokensError('there is no private key to sign with')
      return sign(hash, Buffer.from(text), { key: privateKey, ...how })
    },
    verify: (text, signature) => verify(hash, Buffer.from(text), { key: publicKey, ...how }, signature),
  }
}

function keyPair(options: SignedTokensOptions, type: string, curve?: string): KeyPair {
  const privateKey = readKey('private', options.privateKey, createPrivateKey)
  const given = readKey('public', options.publicKey, createPublicKey)
  const publicKey = privateKey === undefined ? given : createPublicKey(privateKey)
  if (publicKey === undefined) throw new SignedTokensError('there is neither a public nor a private key')
  if (given !== undefined && !given.equals(publicKey)) {
    throw new SignedTokensError('the public key is not that of the private key')
  }
  const found = publicKey.asymmetricKeyDetails?.namedCurve
  if (publicKey.asymmetricKeyType !== type || (curve !== undefined && found !== curve)) {
    const kind = [publicKey.asymmetricKeyType, found].filter(Boolean).join(' ')
    throw new SignedTokensError(`${options.signMethod} needs another kind of key than ${kind}`)
  }
  return { publicKey, privateKey }
}

function readKey(which: string, pem: Uint8Array | undefined, read: (pem: Buffer) => KeyObject): KeyObject | undefined {
  if (pem === undefined) return undefined
  try {
    return read(Buffer.from(pem))
  } catch {
    // What the library says may quote the key.
    throw new SignedTokensError(`the ${which} key is not a PEM file that can be read`)
  }
}
