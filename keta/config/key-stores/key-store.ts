/** Certificates and keys from the files that Java and everybody else keeps them in, as PEM. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { InvalidValue } from '../invalid-value.ts'
import { readPkcs12 } from './pkcs12.ts'

export interface Identity {
  /** The certificate and those that lead from it to an authority, PEM. */
  readonly cert: string
  /** PEM; needs `passphrase` if that is given. */
  readonly key: string
  readonly passphrase?: string
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const KEY = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[^]+?-----END (?:[A-Z]+ )*PRIVATE KEY-----/
const JKS_MAGIC = [0xfeedfeed, 0xcececece]

/** Certificates of a PEM file or a PKCS12 store. @throws InvalidValue */
export function readCertificates(path: string, bytes: Buffer, password: string): string {
  const certificates = isPem(bytes) ? pemCertificates(bytes) : pkcs12Certificates(path, bytes, password)
  if (certificates.length === 0) throw new InvalidValue('there is no certificate in it')
  return certificates.map((certificate) => certificate.toString()).join('')
}

/**
 * @param keyFile with the key, unless that is in the first one.
 * @throws InvalidValue
 */
export function readIdentity(
  path: string,
  bytes: Buffer,
  { storePassword, keyPassword, keyFile }: { storePassword: string; keyPassword: string; keyFile?: Buffer },
): Identity {
  const isStore = !isPem(bytes)
  const certificates = isStore ? pkcs12Certificates(path, bytes, storePassword) : pemCertificates(bytes)
  const pem = keyFile === undefined && isStore ? pkcs12Key(bytes, storePassword) : pemKey(keyFile ?? bytes)
  // In a PKCS12 store both passwords are the same, as Java writes it.
  const passphrase = keyPassword === '' && isStore ? storePassword : keyPassword
  const key = privateKey(pem, passphrase)
  const leaf = certificates.find((certificate) => certificate.checkPrivateKey(key))
  if (leaf === undefined) throw new InvalidValue('there is no certificate of this key in it')
  const cert = chainOf(leaf, certificates)
    .map((certificate) => certificate.toString())
    .join('')
  return { cert, key: pem, ...(passphrase === '' ? {} : { passphrase }) }
}

/** From the certificate towards the authority, in the order in which TLS wants them. */
function chainOf(leaf: X509Certificate, all: readonly X509Certificate[]): readonly X509Certificate[] {
  const chain = [leaf]
  for (let last: X509Certificate | undefined = leaf; last !== undefined; ) {
    const below: X509Certificate = last
    last = all.find((candidate) => !chain.includes(candidate) && below.checkIssued(candidate))
    if (last !== undefined) chain.push(last)
  }
  return chain
}

function isPem(bytes: Buffer): boolean {
  return bytes.includes('-----BEGIN ')
}

function pemCertificates(bytes: Buffer): readonly X509Certificate[] {
  return [...bytes.toString('latin1').matchAll(CERTIFICATE)].map(([pem]) => certificateOf(pem))
}

function pkcs12Certificates(path: string, bytes: Buffer, password: string): readonly X509Certificate[] {
  if (bytes.length >= 4 && JKS_MAGIC.includes(bytes.readUInt32BE())) throw new InvalidValue(convertJks(path))
  return readPkcs12(bytes, password).certificates.map(certificateOf)
}

function convertJks(path: string): string {
  const target = `${path.replace(/\.(jks|jceks|keystore|truststore)$/i, '')}.p12`
  return (
    'a JKS store can be read by Java only; convert it: ' +
    `keytool -importkeystore -srckeystore ${path} -destkeystore ${target} -deststoretype PKCS12`
  )
}

function certificateOf(encoded: string | Buffer): X509Certificate {
  try {
    return new X509Certificate(encoded)
  } catch (error) {
    throw new InvalidValue(`a certificate in it is damaged: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function pemKey(bytes: Buffer): string {
  const [pem] = KEY.exec(bytes.toString('latin1')) ?? []
  if (pem === undefined) throw new InvalidValue('there is no private key in it')
  return `${pem}\n`
}

function pkcs12Key(bytes: Buffer, password: string): string {
  const [key] = readPkcs12(bytes, password).keys
  if (key === undefined) throw new InvalidValue('there is no private key in it')
  const label = key.encrypted ? 'ENCRYPTED PRIVATE KEY' : 'PRIVATE KEY'
  const lines = key.pkcs8.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

function privateKey(pem: string, passphrase: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, passphrase })
  } catch {
    // Not the cause: OpenSSL's words for a wrong password mislead.
    throw new InvalidValue('the private key cannot be read; is its password right?')
  }
}
