/** The options about TLS: what they read, need and refuse, before anything is started. */
import { X509Certificate } from 'node:crypto'
import { expect } from 'chai'
import { readCommandLine } from './command-line.ts'
import { readPropertiesText } from './file.ts'
import { KEY_PASSWORD, PEM, STORE_PASSWORD, STORES } from './key-stores/stores.fixture.ts'
import { resolve } from './resolve.ts'
import { readTlsFiles } from './tls-files.ts'

const CRL = 'MIHhMIGKAgEBMAoGCCqGSM49BAMCMA0xCzAJBgNVBAMMAmNh'
const FILES: Readonly<Record<string, Buffer | string>> = {
  'ca.pem': PEM.ca,
  'node.pem': PEM.node,
  'node.key': PEM.nodeKey,
  'encrypted.key': PEM.nodeKeyEncrypted,
  'other.key': PEM.otherKey,
  'both.pem': PEM.node + PEM.nodeKey,
  'node.p12': STORES.nodeJava,
  'trust.p12': STORES.trustPkcs12,
  'trust.jks': STORES.trustJks,
  'crl.der': Buffer.from(CRL, 'base64'),
}

function readFile(path: string): Buffer {
  const content = FILES[path]
  const code = path === 'secret.key' ? 'EACCES' : 'ENOENT'
  if (content === undefined) throw Object.assign(new Error('x'), { code })
  return Buffer.from(content)
}

const HTTPS = ['--listen-client-urls=https://127.0.0.1:2379']
const CERT = ['--cert-file=node.pem', '--key-file=node.key']
const KAFKA = ['--kafka-bootstrap-servers=k1:9092', '--host-name=n1']

function flags(...words: string[]) {
  return resolve([readCommandLine(words)], undefined, readFile)
}

function files(...words: string[]) {
  const { resolved, problems } = flags(...words)
  expect(problems).to.deep.equal([])
  return readTlsFiles(resolved!.config, readFile).files!
}

describe('TLS in the configuration', () => {
  it('reads certificates and keys, in one file or in two, encrypted or not', () => {
    expect(files(...HTTPS, ...CERT).identity?.key).to.equal(PEM.nodeKey)
    expect(files(...HTTPS, '--cert-file=both.pem').identity?.key).to.equal(PEM.nodeKey)
    const encrypted = ['--key-file=encrypted.key', `--key-password=${KEY_PASSWORD}`]
    expect(files(...HTTPS, '--cert-file=node.pem', ...encrypted).identity?.passphrase).to.equal(KEY_PASSWORD)
  })

  it("reads Java Keta's stores by its names", () => {
    const text = `listeners=https://0.0.0.0:2379
ssl.keystore.location=node.p12
ssl.keystore.password=${STORE_PASSWORD}
ssl.keystore.type=PKCS12
ssl.truststore.location=trust.p12
ssl.truststore.password=${STORE_PASSWORD}
ssl.client.authentication=REQUIRED
`
    const { resolved, problems, warnings } = resolve([readPropertiesText('x', text)], 'properties', readFile)
    expect([...problems, ...warnings]).to.deep.equal([])
    expect(resolved?.config.clientCertAuth).to.equal(true)
    const read = readTlsFiles(resolved!.config, readFile).files
    expect(read?.identity?.cert).to.include(new X509Certificate(PEM.node).toString())
    expect(read?.clientAuthorities).to.have.length(2)
  })

  it('has the defaults of etcd, and those of Java Keta in a .properties file', () => {
    const { minVersion, maxVersion, ciphers } = files()
    expect([minVersion, maxVersion, ciphers]).to.deep.equal(['TLSv1.2', 'TLSv1.3', undefined])
    expect(flags().resolved?.config.clientCertAuth).to.equal(false)
    expect(resolve([readPropertiesText('x', '')], 'properties').resolved?.config.clientCertAuth).to.equal('none')
  })

  it('knows cipher suites by the names of IANA', () => {
    const suites = 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305,TLS_AES_128_GCM_SHA256'
    expect(files(`--cipher-suites=${suites}`, '--tls-max-version=TLS1.2').ciphers).to.equal(
      'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:TLS_AES_128_GCM_SHA256',
    )
  })

  it('reads switches as etcd does: without a value of their own', () => {
    const { resolved } = flags('--client-cert-auth', '--auto-tls', '--peer-auto-tls=false', 'serve')
    expect(resolved?.config).to.include({ clientCertAuth: true, autoTls: true, peerAutoTls: false })
  })

  it('takes the certificate for clients also for other nodes, unless there is one of its own', () => {
    expect(files(...KAFKA, ...HTTPS, ...CERT).nodeIdentity?.key).to.equal(PEM.nodeKey)
    const own = ['--peer-cert-file=both.pem', '--peer-trusted-ca-file=ca.pem', ...HTTPS, ...CERT]
    expect(files(...KAFKA, ...own).nodeAuthorities).to.have.length(1)
    expect(files('--peer-cert-file=absent.pem', ...HTTPS, ...CERT).nodeAuthorities).to.deep.equal([])
  })

  const problems: readonly (readonly [string, readonly string[], string])[] = [
    ['a missing certificate', HTTPS, '--listen-client-urls: https://127.0.0.1:2379: a certificate is needed'],
    ['a missing key', [...HTTPS, '--cert-file=node.pem'], '--cert-file: node.pem: there is no private key in it'],
    ['a key without a certificate', ['--key-file=node.key'], '--key-file: cert-file is missing'],
    [
      'a key that does not fit',
      [...HTTPS, '--cert-file=node.pem', '--key-file=other.key'],
      '--cert-file: node.pem: there is no certificate of this key in it',
    ],
    [
      'an encrypted key without its password',
      [...HTTPS, '--cert-file=node.pem', '--key-file=encrypted.key'],
      '--cert-file: node.pem: the private key cannot be read; is its password right?',
    ],
    [
      'an unreadable file',
      [...HTTPS, '--cert-file=node.pem', '--key-file=secret.key'],
      '--key-file: secret.key: this user may not read it',
    ],
    ['an absent file', ['--trusted-ca-file=no.pem'], '--trusted-ca-file: no.pem: there is no such file'],
    ['authorities without certificates', ['--trusted-ca-file=node.key'], '--trusted-ca-file: node.key: there is no'],
    ['a JKS store', ['--trusted-ca-file=trust.jks'], '--trusted-ca-file: trust.jks: a JKS store'],
    ['a list that is none', [...CERT, '--client-crl-file=ca.pem'], '--client-crl-file: ca.pem: there is no list of'],
    ['a damaged list', [...CERT, '--client-crl-file=crl.der'], '--client-crl-file: crl.der: it is not a list'],
    ['an unknown cipher', ['--cipher-suites=TLS_FOO'], '--cipher-suites: TLS_FOO: there is no such cipher suite here'],
    ['an unknown version', ['--tls-min-version=TLS1.1'], '--tls-min-version: "TLS1.1"; expected TLS1.2 or TLS1.3'],
    [
      'versions that exclude each other',
      ['--tls-min-version=TLS1.3', '--tls-max-version=TLS1.2'],
      '--tls-min-version: it is higher than --tls-max-version',
    ],
    [
      'ciphers of TLS 1.3',
      ['--tls-min-version=TLS1.3', '--cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
      '--cipher-suites: those of TLS 1.3 cannot be chosen, and --tls-min-version is TLS1.3',
    ],
    [
      'the same address for HTTP alone',
      ['--listen-client-http-urls=http://127.0.0.1:2379'],
      '--listen-client-http-urls: http://127.0.0.1:2379: listen-client-urls has the same address',
    ],
    [
      'metrics over TLS without a certificate',
      ['--listen-metrics-urls=https://127.0.0.1:1'],
      '--listen-metrics-urls: https://127.0.0.1:1: a certificate is needed: cert-file and key-file, or auto-tls',
    ],
    [
      'nodes that cannot show a certificate',
      [...KAFKA, '--peer-trusted-ca-file=ca.pem'],
      'listen-client-urls: http://127.0.0.1:2379: nodes cannot show a certificate there, and --peer-trusted-ca',
    ],
    [
      'names of nodes whose certificates are not looked at',
      [...KAFKA, '--peer-cert-allowed-cn=node'],
      '--peer-cert-allowed-cn: peer-client-cert-auth or peer-trusted-ca-file is missing',
    ],
    [
      'certificates of nodes that would be those of clients too',
      [...KAFKA, ...HTTPS, ...CERT, '--client-cert-auth', '--peer-trusted-ca-file=ca.pem'],
      '--client-cert-auth: trusted-ca-file is missing, and --peer-trusted-ca-file is given',
    ],
    [
      'certificates of nodes without an authority',
      [...KAFKA, ...HTTPS, ...CERT, '--peer-client-cert-auth'],
      '--peer-client-cert-auth: peer-trusted-ca-file is missing',
    ],
  ]
  for (const [what, words, text] of problems) {
    it(`refuses ${what}`, () => {
      const { problems: found, resolved } = flags(...words)
      expect(resolved).to.equal(undefined)
      expect(
        found.some((problem) => problem.startsWith(text)),
        found.join('\n'),
      ).to.equal(true)
    })
  }

  const warnings: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['plain text beside a certificate', CERT, /2379: plain text is served there, without --cert-file$/],
    [
      'a certificate that is not made',
      [...HTTPS, ...CERT, '--auto-tls'],
      /no effect: --auto-tls: --cert-file is given/,
    ],
    ['certificates of anybody', [...HTTPS, ...CERT, '--client-cert-auth'], /certificates of all authorities/],
    ['nodes where there are none', ['--peer-auto-tls'], /no effect: --peer-auto-tls: .* only with kafka-bootstrap/],
    [
      'hosts of clients without certificates',
      [...HTTPS, ...CERT, '--client-cert-allowed-hostname=a'],
      /no effect: --client-cert-allowed-hostname/,
    ],
  ]
  for (const [what, words, text] of warnings) {
    it(`warns of ${what}`, () => {
      const { resolved, warnings: found } = flags(...words)
      expect(resolved).not.to.equal(undefined)
      expect(found.join('\n')).to.match(text)
    })
  }
})
