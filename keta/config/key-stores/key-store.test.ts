/** What certificates and keys are found in which files, and what is said of those that cannot be read. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { expect } from 'chai'
import { InvalidValue } from '../invalid-value.ts'
import { readCertificates, readIdentity } from './key-store.ts'
import { KEY_PASSWORD, PEM, STORE_PASSWORD, STORES, UNICODE_PASSWORD } from './stores.fixture.ts'

const pem = (...texts: string[]): Buffer => Buffer.from(texts.join(''))
const identity = (bytes: Buffer, storePassword = '', keyPassword = '', keyFile?: Buffer) =>
  readIdentity('a', bytes, { storePassword, keyPassword, ...(keyFile === undefined ? {} : { keyFile }) })

function subjects(certificates: string): string[] {
  return certificates.split(/(?=-----BEGIN)/).map((text) => new X509Certificate(text).subject)
}

describe('certificates of authorities', () => {
  it('are read from PEM, whatever stands between them', () => {
    const bytes = pem('# ours\n', PEM.ca, 'subject=other\r\n', PEM.otherCa)
    expect(subjects(readCertificates('a', bytes, ''))).to.deep.equal(['CN=ca', 'CN=other-ca'])
  })

  it('are read from a trust store of Java, which has no key', () => {
    const certificates = readCertificates('a', STORES.trustPkcs12, STORE_PASSWORD)
    expect(subjects(certificates)).to.have.members(['CN=ca', 'CN=other-ca'])
  })

  const bad: [string, Buffer, string, RegExp][] = [
    ['a wrong password', STORES.trustPkcs12, 'guess', /password is wrong/],
    ['no password', STORES.trustPkcs12, '', /password is wrong/],
    ['PEM without a certificate', pem(PEM.nodeKey), '', /no certificate/],
    ['a damaged certificate', pem(PEM.ca.replace(/M.{20}/, 'AAAA')), '', /damaged/],
    ['something else', Buffer.from('hello'), '', /not a PKCS12 store/],
    ['an empty file', Buffer.alloc(0), '', /not a PKCS12 store/],
  ]
  for (const [what, bytes, password, reason] of bad) {
    it(`are refused: ${what}`, () => {
      expect(() => readCertificates('a', bytes, password)).to.throw(InvalidValue, reason)
    })
  }

  it('in a JKS store are refused with the command that converts it', () => {
    expect(() => readCertificates('/etc/trust.jks', STORES.trustJks, STORE_PASSWORD)).to.throw(
      InvalidValue,
      'keytool -importkeystore -srckeystore /etc/trust.jks -destkeystore /etc/trust.p12 -deststoretype PKCS12',
    )
  })

  it('in a damaged store are refused, wherever the damage is, or not read as something else', () => {
    const whole = STORES.trustNoMac
    expect(subjects(readCertificates('a', whole, STORE_PASSWORD))).to.deep.equal(['CN=ca'])
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] ?? 0) ^ 0x55
      for (const bytes of [damaged, whole.subarray(0, at)])
        expect(outcome(bytes)).to.match(/^certificates$|^InvalidValue/)
    }
  })
})

function outcome(bytes: Buffer): string {
  try {
    readCertificates('a', bytes, STORE_PASSWORD)
    return 'certificates'
  } catch (error) {
    return error instanceof InvalidValue ? 'InvalidValue' : String(error)
  }
}

describe('a certificate with its key', () => {
  const good: [string, () => ReturnType<typeof identity>, string[]][] = [
    ['PEM with both', () => identity(pem(PEM.nodeKey, PEM.node)), ['CN=node']],
    ['PEM in two files', () => identity(pem(PEM.node), '', '', pem(PEM.nodeKey)), ['CN=node']],
    ['an encrypted key', () => identity(pem(PEM.nodeKeyEncrypted, PEM.node), '', KEY_PASSWORD), ['CN=node']],
    ['a chain in another order', () => identity(pem(PEM.ca, PEM.node, PEM.nodeKey)), ['CN=node', 'CN=ca']],
    ['AES, by OpenSSL', () => identity(STORES.nodeAes, STORE_PASSWORD), ['CN=node', 'CN=ca']],
    ['3DES, by OpenSSL', () => identity(STORES.nodeDes, STORE_PASSWORD), ['CN=node', 'CN=ca']],
    ['by Java', () => identity(STORES.nodeJava, STORE_PASSWORD, STORE_PASSWORD), ['CN=node', 'CN=ca']],
    ['a password of any letters', () => identity(STORES.nodeUnicode, UNICODE_PASSWORD), ['CN=node']],
  ]
  for (const [what, read, names] of good) {
    it(`is read: ${what}`, () => {
      const { cert, key, passphrase } = read()
      expect(subjects(cert)).to.deep.equal(names)
      const leaf = new X509Certificate(cert)
      expect(leaf.checkPrivateKey(createPrivateKey({ key, passphrase: passphrase ?? '' }))).to.equal(true)
      createSecureContext({ cert, key, ...(passphrase === undefined ? {} : { passphrase }) })
    })
  }

  const bad: [string, () => unknown, RegExp][] = [
    ['a key of another certificate', () => identity(pem(PEM.node, PEM.otherKey)), /no certificate of this key/],
    ['no key', () => identity(pem(PEM.node)), /no private key/],
    ['a store without a key', () => identity(STORES.trustPkcs12, STORE_PASSWORD), /no private key/],
    ['a wrong password of the key', () => identity(pem(PEM.nodeKeyEncrypted, PEM.node), '', 'guess'), /password right/],
    ['an encrypted key without password', () => identity(pem(PEM.nodeKeyEncrypted, PEM.node)), /password right/],
    ['a wrong password of the store', () => identity(STORES.nodeDes, 'guess'), /password is wrong/],
    ['RC2', () => identity(STORES.nodeRc2, STORE_PASSWORD), /keytool -importkeystore/],
    ['a JKS store', () => identity(STORES.trustJks, STORE_PASSWORD), /JKS/],
  ]
  for (const [what, read, reason] of bad) {
    it(`is refused: ${what}`, () => {
      expect(read).to.throw(InvalidValue, reason)
    })
  }
})
