/** Certificates that a server makes for itself, as etcd does with --auto-tls: for encryption, not for trust. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { domainToASCII } from 'node:url'
import { bits, der, integer, objectId, sequence, TAG, time } from './der-writer.ts'

export interface SelfSignedOptions {
  /** Names and addresses that the certificate is for. */
  readonly hosts: readonly string[]
  readonly validityYears: number
  readonly now: Date
}

export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
  /** They were there already. */
  readonly isOld: boolean
}

const DAY_MS = 86_400_000

/** What is in the directory, or else a new certificate. @throws the error of node:fs */
export function selfSignedFiles(directory: string, options: SelfSignedOptions): CertificateFiles {
  const certFile = join(directory, 'cert.pem')
  const keyFile = join(directory, 'key.pem')
  if (existsSync(certFile) && existsSync(keyFile)) return { certFile, keyFile, isOld: true }
  const { cert, key } = selfSigned(options)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  writeWhole(keyFile, key, 0o600)
  writeWhole(certFile, cert, 0o644)
  return { certFile, keyFile, isOld: false }
}

/** PEM, on the curve P-256. */
export function selfSigned({ hosts, validityYears, now }: SelfSignedOptions): { cert: string; key: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const ecdsaWithSha256 = sequence(objectId('1.2.840.10045.4.3.2'))
  const organization = sequence(objectId('2.5.4.10'), der(TAG.utf8, Buffer.from('keta')))
  const name = sequence(der(TAG.set, organization))
  const notAfter = new Date(now.getTime() + validityYears * 365 * DAY_MS)
  const toBeSigned = sequence(
    der(0xa0, integer(Buffer.of(2))),
    integer(randomBytes(16)),
    ecdsaWithSha256,
    name,
    sequence(time(now), time(notAfter)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(hosts))),
  )
  const signature = sign('sha256', toBeSigned, privateKey)
  const certificate = sequence(toBeSigned, ecdsaWithSha256, bits(signature))
  return { cert: pem('CERTIFICATE', certificate), key: privateKey.export({ type: 'sec1', format: 'pem' }).toString() }
}

function extensions(hosts: readonly string[]): readonly Buffer[] {
  const yes = der(TAG.boolean, Buffer.of(0xff))
  const critical = (id: string, value: Buffer): Buffer => sequence(objectId(id), yes, der(TAG.octets, value))
  const plain = (id: string, value: Buffer): Buffer => sequence(objectId(id), der(TAG.octets, value))
  return [
    // Digital signature, certificate signing, list signing: its holder can hand it to clients as their authority.
    critical('2.5.29.15', bits(Buffer.of(0b1000_0110), 1)),
    critical('2.5.29.19', sequence(yes)),
    plain('2.5.29.37', sequence(objectId('1.3.6.1.5.5.7.3.1'))),
    ...(hosts.length === 0 ? [] : [plain('2.5.29.17', sequence(...hosts.map(alternativeName)))]),
  ]
}

function alternativeName(host: string): Buffer {
  const version = isIP(host)
  if (version === 0) return der(0x82, Buffer.from(domainToASCII(host), 'latin1'))
  return der(0x87, version === 4 ? Buffer.from(host.split('.').map(Number)) : ipv6Bytes(host))
}

function ipv6Bytes(address: string): Buffer {
  // The URL standard writes an address in its shortest form, with nothing but hexadecimal groups.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string): readonly string[] => (text === '' ? [] : text.split(':'))
  const before = groups(head)
  const after = groups(tail ?? '')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex')
}

/** A stop in between leaves nothing half-written. */
function writeWhole(path: string, text: string, mode: number): void {
  const unfinished = `${path}.new`
  writeFileSync(unfinished, text, { mode })
  renameSync(unfinished, path)
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}
