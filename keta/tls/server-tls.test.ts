/** Whom which certificates admit, at a real server. */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { expect } from 'chai'
import { CRL, PEM } from '../config/key-stores/stores.fixture.ts'
import { readRevokedSerials } from '../config/key-stores/revocation-list.ts'
import type { TlsFiles } from '../config/tls-files.ts'
import { createGrpcJsTransport } from '../transport/grpc-js/grpc-js-transport.ts'
import { type Call, type Transport, unary } from '../transport/transport.ts'
import { selfSigned } from './self-signed.ts'
import { createServerTls, type TlsPolicy } from './server-tls.ts'

const SERVER = selfSigned({ hosts: ['localhost'], validityYears: 1, now: new Date() })
const STRANGER = selfSigned({ hosts: ['localhost'], validityYears: 1, now: new Date() })
/** Of the authority `PEM.ca`, with the CN "node". */
const CLIENT = { cert: PEM.node, key: PEM.nodeKey }
/** Of the authority `PEM.otherCa`, which it is itself. */
const NODE = { cert: PEM.otherCa, key: PEM.otherKey }

const FILES: TlsFiles = {
  identity: SERVER,
  clientAuthorities: [new X509Certificate(PEM.ca)],
  nodeAuthorities: [new X509Certificate(PEM.otherCa)],
  revokedClients: new Set(),
  revokedNodes: new Set(),
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
}

const POLICY: TlsPolicy = {
  requiresClientCertificates: true,
  namesClients: true,
  clientHostnames: [],
  knowsNodes: false,
  nodeNames: [],
  nodeHostnames: [],
}

describe('client certificates', () => {
  let transport: Transport | undefined
  let port: number
  let files: TlsFiles
  let refused: string[]
  const clients: Client[] = []

  async function serve(policy: Partial<TlsPolicy>, changed: Partial<TlsFiles> = {}): Promise<void> {
    files = { ...FILES, ...changed }
    refused = []
    const tls = createServerTls({
      files: () => files,
      policy: { ...POLICY, ...policy },
      onRefused: (_client, reason) => refused.push(reason),
    })
    const whoami = unary<Uint8Array, Uint8Array>({
      decode: (bytes) => bytes,
      encode: (bytes) => bytes,
      handle: (_request, { certificate, isNode }: Call) =>
        Buffer.from(JSON.stringify({ name: certificate?.commonName, isNode })),
    })
    transport = createGrpcJsTransport({
      services: new Map([['test', new Map([['WhoAmI', whoami]])]]),
      maxRequestBytes: 1000,
      onDefect: () => undefined,
      tls,
    })
    const [bound] = await transport.listen([{ host: '127.0.0.1', port: 0, secure: true }])
    port = bound!.port
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    await transport?.close(0)
  })

  function connect(identity?: { cert: string; key: string }, ca = SERVER.cert): Client {
    const [key, cert] =
      identity === undefined ? [null, null] : [identity.key, identity.cert].map((pem) => Buffer.from(pem))
    const secured = credentials.createSsl(Buffer.from(ca), key, cert)
    const client = new Client(`localhost:${port}`, secured, { 'grpc.use_local_subchannel_pool': 1 })
    clients.push(client)
    return client
  }

  /** What the server takes the client for; undefined if it is not served. */
  function ask(client: Client): Promise<unknown> {
    const asIs = (bytes: Buffer): Buffer => bytes
    return new Promise((resolve) => {
      client.makeUnaryRequest('/test/WhoAmI', asIs, asIs, Buffer.alloc(0), new Metadata(), (error, answer) =>
        resolve(error === null ? JSON.parse(String(answer)) : undefined),
      )
    })
  }

  const served = (identity?: { cert: string; key: string }): Promise<unknown> => ask(connect(identity))

  it('name their clients, and whoever has none of a trusted authority is refused', async () => {
    await serve({})
    expect(await served(CLIENT)).to.deep.equal({ name: 'node', isNode: false })
    expect(await served()).to.equal(undefined)
    expect(await served(STRANGER)).to.equal(undefined)
    expect(await served(NODE)).to.equal(undefined)
    expect(refused[0]).to.equal('it has shown no certificate')
    for (const reason of refused.slice(1))
      expect(reason).to.match(/shown no|not valid: (SELF_SIGNED|DEPTH_ZERO|UNABLE|INVALID)/)
  })

  it('name nobody unless they are asked for by name', async () => {
    await serve({ namesClients: false })
    expect(await served(CLIENT)).to.deep.equal({ isNode: false })
    expect(await served()).to.equal(undefined)
  })

  it('are not looked at where nobody asks for them', async () => {
    await serve({ requiresClientCertificates: false })
    expect(await served(STRANGER)).to.deep.equal({ isNode: false })
    expect(await served()).to.deep.equal({ isNode: false })
  })

  it('that are revoked count no more, from the next connection on', async () => {
    await serve({})
    const before = connect(CLIENT)
    expect(await ask(before)).to.deep.equal({ name: 'node', isNode: false })
    files = { ...files, revokedClients: readRevokedSerials(Buffer.from(CRL)) }
    expect(await served(CLIENT)).to.equal(undefined)
    expect(refused[0]).to.match(/serial number 7AFB535E\w+ is revoked$/)
    expect(await ask(before)).to.deep.equal({ name: 'node', isNode: false })
  })

  it('are shown at every connection: no session of an earlier one is resumed', async () => {
    await serve({})
    const sessions: (Buffer | undefined)[] = []
    for (const session of [undefined, 'that of the first'] as const) {
      const earlier = session === undefined ? undefined : sessions[0]
      const options = {
        ...CLIENT,
        ca: SERVER.cert,
        maxVersion: 'TLSv1.2',
        ...(earlier && { session: earlier }),
      } as const
      const socket = connectTls({ ...options, port, host: 'localhost', ALPNProtocols: ['h2'] })
      await once(socket, 'secureConnect')
      expect(socket.isSessionReused()).to.equal(false)
      sessions.push(socket.getSession())
      socket.destroy()
    }
  })

  it('must be for an allowed host, if hosts are named', async () => {
    await serve({ clientHostnames: ['a.example', '127.0.0.1'] })
    expect(await served(CLIENT)).to.equal(undefined)
    expect(refused[0]).to.match(/none of the host names/)
  })

  it('of nodes make their holders nodes, and not clients; clients need none', async () => {
    await serve({ requiresClientCertificates: false, knowsNodes: true })
    expect(await served(NODE)).to.deep.equal({ isNode: true })
    expect(await served(CLIENT)).to.deep.equal({ isNode: false })
    expect(await served(STRANGER)).to.deep.equal({ isNode: false })
    expect(await served()).to.deep.equal({ isNode: false })
  })

  it('of nodes and of clients are told apart by their authorities', async () => {
    await serve({ knowsNodes: true })
    expect(await served(NODE)).to.deep.equal({ isNode: true })
    expect(await served(CLIENT)).to.deep.equal({ name: 'node', isNode: false })
    expect(await served()).to.equal(undefined)
  })

  it('of nodes and of clients are told apart by their names, if the authority is the same', async () => {
    const same = { nodeAuthorities: FILES.clientAuthorities }
    await serve({ knowsNodes: true, nodeNames: ['node', 'n2'] }, same)
    expect(await served(CLIENT)).to.deep.equal({ name: 'node', isNode: true })
    await transport?.close(0)
    await serve({ knowsNodes: true, nodeNames: ['n2'] }, same)
    expect(await served(CLIENT)).to.deep.equal({ name: 'node', isNode: false })
  })

  it('of nodes that are revoked, or for another host, make no node', async () => {
    const same = { nodeAuthorities: FILES.clientAuthorities }
    await serve({ knowsNodes: true }, { ...same, revokedNodes: readRevokedSerials(Buffer.from(CRL)) })
    expect(await served(CLIENT)).to.deep.equal({ name: 'node', isNode: false })
    await transport?.close(0)
    await serve({ knowsNodes: true, nodeHostnames: ['n1.example'] }, same)
    expect(await served(CLIENT)).to.deep.equal({ name: 'node', isNode: false })
  })

  it('of the server can change while it runs: open connections go on, new ones see the new one', async () => {
    await serve({ requiresClientCertificates: false })
    const before = connect()
    expect(await ask(before)).to.deep.equal({ isNode: false })
    files = { ...files, identity: STRANGER }
    expect(await ask(connect())).to.equal(undefined)
    expect(await ask(connect(undefined, STRANGER.cert))).to.deep.equal({ isNode: false })
    expect(await ask(before)).to.deep.equal({ isNode: false })
  })
})
