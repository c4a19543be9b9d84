/** Links over TLS: each side knows the other by its certificate, or there is no link. */
import { X509Certificate } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import { PeerError, type PeerLink } from '../cluster/peers.ts'
import { PEM } from '../config/key-stores/stores.fixture.ts'
import { selfSigned } from '../tls/self-signed.ts'
import { createServerTls } from '../tls/server-tls.ts'
import type { LinkTls } from './link-tls.ts'
import { type Answering, answering, SECRET } from './pair.fixture.ts'
import { createPeers } from './peers.ts'

const TIMEOUT_MS = 10_000
const SERVER = selfSigned({ hosts: ['127.0.0.1', '::1', 'localhost'], validityYears: 1, now: new Date() })
const ELSEWHERE = selfSigned({ hosts: ['elsewhere.example'], validityYears: 1, now: new Date() })
/** Of the authority `PEM.ca`. */
const NODE = { cert: PEM.node, key: PEM.nodeKey }
const VERSIONS = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' } as const
const TRUSTING: LinkTls = { ...VERSIONS, ca: [SERVER.cert], verifies: true }

describe('links over TLS', () => {
  const closing: (() => unknown)[] = []

  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })

  async function serve({ identity = SERVER, onlyNodes = false, host = '127.0.0.1' } = {}): Promise<Answering> {
    const files = {
      ...VERSIONS,
      identity,
      clientAuthorities: [],
      nodeAuthorities: [new X509Certificate(PEM.ca)],
      revokedClients: new Set<string>(),
      revokedNodes: new Set<string>(),
    }
    const policy = {
      requiresClientCertificates: false,
      namesClients: false,
      clientHostnames: [],
      knowsNodes: onlyNodes,
      nodeNames: [],
      nodeHostnames: [],
    }
    const tls = createServerTls({ files: () => files, policy, onRefused: () => undefined })
    const node = await answering(() => ({ kind: 'done' }), 0, host, { tls, onlyNodes })
    closing.push(() => node.close())
    return node
  }

  function linkTo(url: string, tls: () => LinkTls): PeerLink {
    const link = createPeers({ tls, secret: SECRET }).connect([url], () => undefined)
    closing.push(() => link.close())
    return link
  }

  async function ask(link: PeerLink): Promise<string> {
    try {
      return (await link.request({ kind: 'ping' }, TIMEOUT_MS)).kind
    } catch (error) {
      expect(error).to.be.instanceOf(PeerError).and.include({ sent: false })
      return (error as PeerError).message
    }
  }

  it('ask and answer, at an address and at a name', async () => {
    for (const host of ['127.0.0.1', '::1', 'localhost']) {
      const { url } = await serve({ host })
      expect(await ask(linkTo(url, () => TRUSTING)), url).to.equal('done')
    }
  })

  it('are not made to a node of another authority, or to another host', async () => {
    const { url } = await serve()
    expect(await ask(linkTo(url, () => ({ ...TRUSTING, ca: [PEM.ca] })))).to.match(/self.signed|certificate/i)
    const other = await serve({ identity: ELSEWHERE })
    expect(await ask(linkTo(other.url, () => ({ ...TRUSTING, ca: [ELSEWHERE.cert] })))).to.match(
      /altnames|127\.0\.0\.1/,
    )
  })

  it('are made to anybody who is not verified', async () => {
    const { url } = await serve({ identity: ELSEWHERE })
    expect(await ask(linkTo(url, () => ({ ...VERSIONS, verifies: false })))).to.equal('done')
  })

  it('are answered only for nodes, where nodes have certificates', async () => {
    const { url } = await serve({ onlyNodes: true })
    expect(await ask(linkTo(url, () => ({ ...TRUSTING, ...NODE })))).to.equal('done')
    const { cert, key } = ELSEWHERE
    for (const tls of [TRUSTING, { ...TRUSTING, cert, key }]) {
      expect(await ask(linkTo(url, () => tls))).to.include('only who has the certificate of a node is answered here')
    }
  })

  it('are not answered in plain text where nodes have certificates', async () => {
    const { port } = await serve({ onlyNodes: true })
    expect(await ask(linkTo(`http://127.0.0.1:${port}`, () => TRUSTING))).not.to.equal('done')
  })

  it('take the certificates of the moment at each attempt', async () => {
    const { url } = await serve()
    let tls: LinkTls = { ...TRUSTING, ca: [PEM.ca] }
    const link = linkTo(url, () => tls)
    expect(await ask(link)).not.to.equal('done')
    tls = TRUSTING
    const until = Date.now() + TIMEOUT_MS
    let answer = ''
    while (answer !== 'done' && Date.now() < until) {
      answer = await ask(link)
      await setImmediate()
    }
    expect(answer).to.equal('done')
  })
})
