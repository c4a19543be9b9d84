/** The kinds of values that the options about TLS have. */
import { getCiphers, type SecureVersion } from 'node:tls'
import { InvalidValue } from './invalid-value.ts'
import type { ValueKind } from './values.ts'

/** `true`: required; `false`: required if there are authorities; `none`: not asked for. */
export type ClientCertAuth = boolean | 'none'

const CLIENT_CERT_AUTH: Readonly<Record<string, ClientCertAuth>> = {
  true: true,
  false: false,
  none: 'none',
  NONE: 'none',
  REQUIRED: true,
}

export const clientCertAuthKind: ValueKind<ClientCertAuth> = {
  name: 'true|false|none',
  expected: 'true, false or none; in a .properties file NONE or REQUIRED',
  parse: (text) => {
    if (text === 'REQUESTED') throw new InvalidValue('REQUESTED: a certificate is either required or not asked for')
    const value = Object.hasOwn(CLIENT_CERT_AUTH, text) ? CLIENT_CERT_AUTH[text] : undefined
    if (value === undefined) throw new InvalidValue('')
    return value
  },
  format: String,
}

/** Comma-separated names. The empty text is the empty list. */
export const namesKind: ValueKind<readonly string[]> = {
  name: 'names',
  expected: 'a comma-separated list of names',
  parse: (text) => splitList(text),
  format: (names) => names.join(','),
}

/** As etcd writes them; the empty text leaves it to the default. */
export type TlsVersion = '' | 'TLS1.2' | 'TLS1.3'

export const tlsVersionKind: ValueKind<TlsVersion> = {
  name: 'TLS1.2|TLS1.3',
  expected: 'TLS1.2 or TLS1.3',
  parse: (text) => {
    if (text !== '' && text !== 'TLS1.2' && text !== 'TLS1.3') throw new InvalidValue('')
    return text
  },
  format: (version) => version,
}

/** What Node.js calls it. */
export function secureVersion(version: TlsVersion, byDefault: SecureVersion): SecureVersion {
  return version === '' ? byDefault : version === 'TLS1.2' ? 'TLSv1.2' : 'TLSv1.3'
}

/** Suites of TLS up to 1.2, by their names at IANA: what OpenSSL calls them. */
const OPENSSL_NAMES: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: 'ECDHE-ECDSA-AES128-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: 'ECDHE-RSA-AES128-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
  TLS_RSA_WITH_AES_128_CBC_SHA256: 'AES128-SHA256',
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
}

const TLS_1_3 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']

/** Names as they are written, each known and available. */
export const cipherSuitesKind: ValueKind<readonly string[]> = {
  name: 'cipher suites',
  expected: 'a comma-separated list of names such as TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  parse: (text) => {
    const names = splitList(text)
    const unknown = names.find((name) => !isAvailable(openSslName(name)))
    if (unknown !== undefined) throw new InvalidValue(`${unknown}: there is no such cipher suite here`)
    return names
  },
  format: (names) => names.join(','),
}

/** OpenSSL's cipher list of suites that `cipherSuitesKind` has read. */
export function openSslCiphers(suites: readonly string[]): string {
  return suites.map(openSslName).join(':')
}

function openSslName(name: string): string {
  if (TLS_1_3.includes(name)) return name
  return (Object.hasOwn(OPENSSL_NAMES, name) ? OPENSSL_NAMES[name] : undefined) ?? ''
}

function isAvailable(name: string): boolean {
  return getCiphers().includes(name.toLowerCase())
}

function splitList(text: string): readonly string[] {
  return text === '' ? [] : text.split(',').map((name) => name.trim())
}
