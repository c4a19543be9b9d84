/** The option auth-token: etcd's "simple", or "jwt" with what it needs. */
import { InvalidValue } from './invalid-value.ts'
import { durationKind, durationText, type ValueKind } from './values.ts'

/** As in RFC 7518 and RFC 8037; etcd takes the same ones. */
const SIGN_METHODS = [
  ...['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA'],
] as const

export interface JwtSettings {
  readonly type: 'jwt'
  readonly signMethod: string
  /** Paths of files; of a shared secret (HS…) the private one. '' for none. */
  readonly publicKey: string
  readonly privateKey: string
  readonly ttlMs: number
}

export type AuthTokenSettings = { readonly type: 'simple' } | JwtSettings

const DEFAULT_TTL = '5m'
const YEAR_MS = 366 * 86_400_000
const ttlKind = durationKind('s', 1000, YEAR_MS)

export const authTokenKind: ValueKind<AuthTokenSettings> = {
  name: 'simple|jwt,…',
  expected: 'simple, or jwt with pub-key=FILE, priv-key=FILE, sign-method=METHOD and ttl=DURATION, separated by commas',
  parse(text) {
    const [type, ...settings] = text.split(',')
    if (type === 'simple' && settings.length === 0) return { type }
    if (type !== 'jwt') throw new InvalidValue('')
    return jwtOf(settings)
  },
  format(value) {
    if (value.type === 'simple') return 'simple'
    const { publicKey, privateKey, signMethod, ttlMs } = value
    const files = [publicKey && `pub-key=${publicKey}`, privateKey && `priv-key=${privateKey}`]
    return ['jwt', ...files, `sign-method=${signMethod}`, `ttl=${durationText(ttlMs)}`].filter(Boolean).join(',')
  },
}

function jwtOf(settings: readonly string[]): JwtSettings {
  const given = new Map<string, string>()
  for (const setting of settings) {
    const [name = '', value, ...more] = setting.split('=')
    if (value === undefined || more.length > 0) throw new InvalidValue(`${name}: not of the form NAME=VALUE`)
    if (!['pub-key', 'priv-key', 'sign-method', 'ttl'].includes(name)) throw new InvalidValue(`unknown setting ${name}`)
    if (given.has(name)) throw new InvalidValue(`${name} stands there twice`)
    given.set(name, value)
  }
  const signMethod = given.get('sign-method') ?? ''
  if (!SIGN_METHODS.some((method) => method === signMethod)) {
    throw new InvalidValue(`sign-method must be one of ${SIGN_METHODS.join(', ')}`)
  }
  const [publicKey = '', privateKey = ''] = [given.get('pub-key'), given.get('priv-key')]
  if (publicKey === '' && privateKey === '') throw new InvalidValue('pub-key or priv-key is missing')
  return { type: 'jwt', signMethod, publicKey, privateKey, ttlMs: ttlOf(given.get('ttl') ?? DEFAULT_TTL) }
}

function ttlOf(text: string): number {
  try {
    return ttlKind.parse(text)
  } catch (cause) {
    throw new InvalidValue(`ttl: expected ${ttlKind.expected}`, { cause })
  }
}
