/**
 * TLS with clients, as real processes: whatever etcdctl gets from a real etcd with the same certificates, it gets here.
 */
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { get, type RequestOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { credentials } from '@grpc/grpc-js'
import { expect } from 'chai'
import { makeCertificates, makeExpiredClient } from '../../test-servers/certificates.ts'
import { startEtcd } from '../../test-servers/etcd.ts'
import { startKeta } from '../../test-servers/keta.ts'
import { freePort } from '../../test-servers/ports.ts'
import { provideOrSkip, type TestServer } from '../../test-servers/server.ts'
import { selfSigned } from '../tls/self-signed.ts'
import { endAllRunning, etcdctl, type Output, RunningEtcdctl } from './etcdctl.ts'

/** For what is refused: etcdctl tries for so long. */
const IN_VAIN = '--command-timeout=1500ms'

describe('TLS with clients', function () {
  this.timeout(60_000)
  let directory: string
  let servers: readonly TestServer[] = []
  let metricsPorts: readonly number[] = []
  const file = (name: string): string => join(directory, name)

  before(async function () {
    this.timeout(600_000)
    directory = mkdtempSync(join(tmpdir(), 'keta-tls-'))
    await provideOrSkip(this, async () => {
      await makeCertificates(directory)
      await makeExpiredClient(directory)
    })
    const stranger = selfSigned({ hosts: ['localhost', '127.0.0.1'], validityYears: 1, now: new Date() })
    writeFileSync(file('stranger-cert.pem'), stranger.cert)
    writeFileSync(file('stranger-key.pem'), stranger.key)
    for (const name of ['server-cert.pem', 'server-key.pem']) copyFileSync(file(name), file(`served-${name}`))
    const [ca, key, cert] = ['ca.pem', 'client-key.pem', 'client-cert.pem'].map((name) => readFileSync(file(name)))
    const flags = [
      ...['--cert-file', file('served-server-cert.pem'), '--key-file', file('served-server-key.pem')],
      ...['--client-cert-auth', '--trusted-ca-file', file('ca.pem')],
    ]
    metricsPorts = [await freePort(), await freePort()]
    const [forEtcd, forKeta] = metricsPorts.map((port) => ({
      flags: [...flags, `--listen-metrics-urls=https://127.0.0.1:${port}`],
      secured: credentials.createSsl(ca, key, cert),
    }))
    servers = await Promise.all([startEtcd(forEtcd), startKeta(forKeta)])
  })

  afterEach(endAllRunning)

  after(async () => {
    await Promise.all(servers.map((server) => server.stop()))
    rmSync(directory, { recursive: true })
  })

  it('serves metrics over TLS too, to whom it would serve at all', async () => {
    for (const port of metricsPorts) {
      const [ca, key, cert] = ['ca.pem', 'client-key.pem', 'client-cert.pem'].map((name) => readFileSync(file(name)))
      expect(await gotten({ port, ca, key, cert, path: '/metrics' })).to.include('etcd_server_has_leader 1\n')
      const refused = await gotten({ port, ca, path: '/metrics' }).catch((error: unknown) => error)
      expect(refused).to.be.instanceOf(Error)
    }
  })

  const identity = (name: string): string[] => ['--cert', file(`${name}-cert.pem`), '--key', file(`${name}-key.pem`)]
  const authority = (name = 'ca'): string[] => ['--cacert', file(`${name}.pem`)]

  /** What etcdctl prints at each server; what it logs by itself has times and ports in it. */
  async function both(tls: readonly string[], ...words: readonly string[]) {
    const outputs = await Promise.all(servers.map((server) => etcdctl(secureName(server), [...tls, ...words])))
    const [etcd, keta] = outputs.map(lastWords)
    expect(keta).to.deep.equal(etcd)
    return { ...etcd!, keta: outputs[1]! }
  }

  it('serves whoever has a certificate', async () => {
    const tls = [...authority(), ...identity('client')]
    expect((await both(tls, 'put', 'a', 'b')).stdout).to.equal('OK\n')
    expect((await both(tls, 'get', 'a')).stdout).to.equal('a\nb\n')
    expect((await both(['--insecure-skip-tls-verify', ...identity('client')], 'get', 'a')).stdout).to.equal('a\nb\n')
    expect((await both(tls, 'endpoint', 'health')).code).to.equal(0)
    expect((await both(tls, 'txn'), await both(tls, 'lease', 'list')).code).to.equal(0)
  })

  const refused: readonly (readonly [string, () => readonly string[], RegExp | undefined])[] = [
    ['a client without a certificate', () => authority(), /it has shown no certificate/],
    ['a certificate of another authority', () => [...authority(), ...identity('stranger')], /not valid|no certificate/],
    ['an expired certificate', () => [...authority(), ...identity('expired')], /not valid: CERT_HAS_EXPIRED/],
    [
      'a client that does not trust the server',
      () => [...authority('stranger-cert'), ...identity('client')],
      undefined,
    ],
    ['a client that trusts the authorities of the system', () => identity('client'), undefined],
  ]
  for (const [what, tls, logged] of refused) {
    it(`does not serve ${what}`, async () => {
      const { code, stderr } = await both([IN_VAIN, ...tls()], 'get', 'a')
      expect({ code, stderr }).to.deep.equal({ code: 1, stderr: 'Error: context deadline exceeded' })
      if (logged !== undefined) expect(servers[1]!.log()).to.match(logged)
    })
  }

  it('takes the name in the certificate for the user, unless there is another', async () => {
    const tls = [...authority(), ...identity('client')]
    const root = ['--user', 'root:secret']
    const prepared = [
      ['user', 'add', 'root:secret'],
      ['user', 'grant-role', 'root', 'root'],
      ['user', 'add', 'client', '--no-password'],
      ['role', 'add', 'r'],
      ['role', 'grant-permission', 'r', 'readwrite', 'c/', '--prefix=true'],
      ['user', 'grant-role', 'client', 'r'],
      ['auth', 'enable'],
    ]
    for (const words of prepared) expect((await both(tls, ...words)).code, words.join(' ')).to.equal(0)
    expect((await both(tls, 'put', 'c/1', 'x')).stdout).to.equal('OK\n')
    expect((await both(tls, 'get', 'c/', '--prefix')).stdout).to.equal('c/1\nx\n')
    for (const words of [
      ['put', 'd', 'x'],
      ['get', 'd'],
      ['user', 'list'],
      ['compaction', '2'],
    ]) {
      expect((await both(tls, ...words)).stderr, words.join(' ')).to.match(/permission denied/)
    }
    expect((await both([...tls, ...root], 'put', 'd', 'x')).stdout).to.equal('OK\n')
    expect((await both([...tls, ...root], 'auth', 'disable')).code).to.equal(0)
    expect((await both(tls, 'get', 'd')).stdout).to.equal('d\nx\n')
  })

  it('does not serve plain text', async () => {
    const outputs = await Promise.all(servers.map((server) => etcdctl(server, [IN_VAIN, 'get', 'a'])))
    expect(outputs.map(({ code }) => code)).to.deep.equal([1, 1])
  })

  it('takes over changed files, keeps the old ones while they are broken, and drops no connection', async () => {
    const [, keta] = servers
    const tls = [...authority(), ...identity('client')]
    const watch = await RunningEtcdctl.start(secureName(keta!), [...tls, 'watch', 'w', '--rev=1'])
    const put = (value: string, options = authority()): Promise<Output> =>
      etcdctl(secureName(keta!), [...options, ...identity('client'), 'put', 'w', value])
    expect((await put('before')).code).to.equal(0)
    await watch.untilPrinted(/before/)
    writeFileSync(file('served-server-key.pem'), 'broken')
    expect((await put('broken')).code).to.equal(0)
    expect(keta!.log()).to.match(/changed TLS files are not usable/)
    copyFileSync(file('stranger-key.pem'), file('served-server-key.pem'))
    copyFileSync(file('stranger-cert.pem'), file('served-server-cert.pem'))
    expect((await put('renewed', [IN_VAIN, ...authority()])).code, 'with the authority of before').to.equal(1)
    expect((await put('renewed', authority('stranger-cert'))).stdout).to.equal('OK\n')
    await watch.untilPrinted(/broken[^]*renewed/)
  })
})

describe('TLS with certificates of their own making', function () {
  this.timeout(60_000)
  let servers: readonly TestServer[] = []

  before(async function () {
    this.timeout(600_000)
    const options = {
      flags: ['--auto-tls'],
      secured: credentials.createSsl(null, null, null, { rejectUnauthorized: false }),
    }
    servers = await provideOrSkip(this, () => Promise.all([startEtcd(options), startKeta(options)]))
  })

  after(() => Promise.all(servers.map((server) => server.stop())))

  it('serves whoever does not verify, or was given the certificate', async () => {
    for (const server of servers) {
      const ask = (...tls: string[]): Promise<Output> => etcdctl(secureName(server), [...tls, 'get', 'a'])
      expect((await ask('--insecure-skip-tls-verify')).code, server.name).to.equal(0)
      expect((await ask('--cacert', join(server.dataDir, 'data/fixtures/client/cert.pem'))).code, server.name).to.equal(
        0,
      )
      expect((await ask(IN_VAIN)).code, server.name).to.equal(1)
    }
  })
})

function secureName(server: TestServer): TestServer {
  return { ...server, endpoint: `https://${server.endpoint}` }
}

function lastWords({ code, stdout, stderr }: Output): Output {
  const comparable = (text: string): string => text.replace(/127\.0\.0\.1:\d+|[\d.]+ms/g, '…')
  return { code, stdout: comparable(stdout), stderr: comparable(stderr.trimEnd().split('\n').at(-1) ?? '') }
}

async function gotten(options: RequestOptions): Promise<string> {
  const request = get({ host: '127.0.0.1', agent: false, ...options })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return text(response)
}
