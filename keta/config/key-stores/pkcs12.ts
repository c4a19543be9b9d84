/**
 * Reads PKCS12 key stores (RFC 7292), also those that hold certificates only: Java's trust stores, which node:tls does
 * not take. The integrity of a store is checked, so a wrong password is told as such.
 */
import { createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { contentOf, type DerValue, objectId, readDer, smallInteger, TAG, within } from './der.ts'
import { InvalidValue } from '../invalid-value.ts'
import { derive, PURPOSE } from './pkcs12-key.ts'

export interface Pkcs12 {
  /** DER, in the order of the store. */
  readonly certificates: readonly Buffer[]
  /** DER of PKCS8. */
  readonly keys: readonly { readonly pkcs8: Buffer; readonly encrypted: boolean }[]
}

const PKCS7_DATA = '1.2.840.113549.1.7.1'
const PKCS7_ENCRYPTED = '1.2.840.113549.1.7.6'
const KEY_BAG = '1.2.840.113549.1.12.10.1.1'
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2'
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3'
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1'
const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'
const SHA1_3DES = '1.2.840.113549.1.12.1.3'

const DIGESTS: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}
const HMACS: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
}
const CIPHERS: Readonly<Record<string, { readonly name: string; readonly keyBytes: number }>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyBytes: 24 },
  '2.16.840.1.101.3.4.1.42': { name: 'aes-256-cbc', keyBytes: 32 },
  '1.2.840.113549.3.7': { name: 'des-ede3-cbc', keyBytes: 24 },
}

/** Far more than any tool uses; a damaged number must not keep the start busy for hours. */
const ITERATIONS_MAX = 1_000_000

/** @throws InvalidValue */
export function readPkcs12(bytes: Buffer, password: string): Pkcs12 {
  const [, content, mac] = within(readDer(bytes)[0])
  const [type, data] = within(content)
  if (objectId(type) !== PKCS7_DATA) throw new InvalidValue('it is signed instead of having a password')
  const safes = contentOf(within(data, TAG.zero)[0], TAG.octets)
  if (mac !== undefined) verify(mac, safes, password)
  const found = { certificates: [] as Buffer[], keys: [] as Pkcs12['keys'][number][] }
  for (const safe of within(readDer(safes)[0])) {
    for (const bag of within(readDer(contentsOf(safe, password))[0])) collect(bag, found)
  }
  return found
}

function collect(bag: DerValue, found: { certificates: Buffer[]; keys: Pkcs12['keys'][number][] }): void {
  const [type, value] = within(bag)
  const kind = objectId(type)
  const [content] = within(value, TAG.zero)
  if (kind === KEY_BAG || kind === SHROUDED_KEY_BAG) {
    if (content !== undefined) found.keys.push({ pkcs8: content.whole, encrypted: kind === SHROUDED_KEY_BAG })
  } else if (kind === CERTIFICATE_BAG) {
    const [format, certificate] = within(content)
    if (objectId(format) === X509_CERTIFICATE) {
      found.certificates.push(contentOf(within(certificate, TAG.zero)[0], TAG.octets))
    }
  }
}

function contentsOf(safe: DerValue, password: string): Buffer {
  const [type, content] = within(safe)
  const kind = objectId(type)
  const [value] = within(content, TAG.zero)
  if (kind === PKCS7_DATA) return contentOf(value, TAG.octets)
  if (kind !== PKCS7_ENCRYPTED) throw new InvalidValue('a part of it is encrypted for a certificate, not by password')
  const [, encrypted] = within(value)
  const [, algorithm, data] = within(encrypted)
  return decrypt(algorithm, contentOf(data, TAG.zeroOctets), password)
}

function decrypt(algorithm: DerValue | undefined, data: Buffer, password: string): Buffer {
  const [name, parameters] = within(algorithm)
  const { cipher, key, iv } = keyFor(objectId(name), within(parameters), password)
  try {
    const decipher = createDecipheriv(cipher, key, iv)
    return Buffer.concat([decipher.update(data), decipher.final()])
  } catch {
    // Not the cause: OpenSSL's words for a wrong key mislead.
    throw new InvalidValue('the password is wrong')
  }
}

interface CipherKey {
  readonly cipher: string
  readonly key: Buffer
  readonly iv: Buffer
}

function keyFor(algorithm: string, [first, second]: readonly DerValue[], password: string): CipherKey {
  if (algorithm === SHA1_3DES) {
    const from = { digest: 'sha1', password, salt: contentOf(first, TAG.octets), iterations: iterationsOf(second) }
    return {
      cipher: 'des-ede3-cbc',
      key: derive({ ...from, purpose: PURPOSE.key, bytes: 24 }),
      iv: derive({ ...from, purpose: PURPOSE.iv, bytes: 8 }),
    }
  }
  if (algorithm !== PBES2) throw outdated()
  const [derivation, derivationParameters] = within(first)
  const [cipherId, iv] = within(second)
  const cipher = CIPHERS[objectId(cipherId)]
  if (objectId(derivation) !== PBKDF2 || cipher === undefined) throw outdated()
  const [salt, iterations, ...others] = within(derivationParameters)
  const functionOf = others.find(({ tag }) => tag === TAG.sequence)
  const digest = functionOf === undefined ? 'sha1' : HMACS[objectId(within(functionOf)[0])]
  if (digest === undefined) throw outdated()
  const key = pbkdf2Sync(password, contentOf(salt, TAG.octets), iterationsOf(iterations), cipher.keyBytes, digest)
  return { cipher: cipher.name, key, iv: contentOf(iv, TAG.octets) }
}

function iterationsOf(value: DerValue | undefined): number {
  const iterations = smallInteger(value)
  if (iterations < 1 || iterations > ITERATIONS_MAX)
    throw new InvalidValue('it is not a PKCS12 store, or a damaged one')
  return iterations
}

function verify(mac: DerValue, safes: Buffer, password: string): void {
  const [info, salt, iterations] = within(mac)
  const [algorithm, expected] = within(info)
  const digest = DIGESTS[objectId(within(algorithm)[0])]
  if (digest === undefined) throw outdated()
  const given = contentOf(expected, TAG.octets)
  const key = derive({
    digest,
    password,
    salt: contentOf(salt, TAG.octets),
    iterations: iterations === undefined ? 1 : iterationsOf(iterations),
    purpose: PURPOSE.mac,
    bytes: given.length,
  })
  const actual = createHmac(digest, key).update(safes).digest()
  if (actual.length !== given.length || !timingSafeEqual(actual, given)) {
    throw new InvalidValue('the password is wrong, or the store is damaged')
  }
}

/** RC2 with 40 bits, mostly: what Java wrote before version 16, and no OpenSSL of today decrypts. */
function outdated(): InvalidValue {
  return new InvalidValue(
    'it is encrypted in a way that is not supported; write it anew with keytool of Java 16 or later: ' +
      'keytool -importkeystore -srckeystore OLD -destkeystore NEW -deststoretype PKCS12',
  )
}
