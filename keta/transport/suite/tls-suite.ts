/** The shared tests of transports that speak TLS: clients that do not, or not well. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text as textOf } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { expect } from 'chai'
import type { TestTls } from '../front/server-tls.fixture.ts'
import { STATUS, type Transport, type TransportOptions } from '../transport.ts'
import {
  callUnary,
  type Fixture,
  frame,
  gone,
  MAX_REQUEST_BYTES,
  Probe,
  rawRequest,
  servicesOf,
} from './fixture-suite.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const HOST = '127.0.0.1'

type Create = (options: TransportOptions) => Transport

/** @param create a transport that speaks TLS. */
export function describeTls(fixture: () => Fixture, tls: TestTls, create: Create): void {
  describe('among clients that speak TLS badly', () => describeBadClients(fixture, tls, create))
}

function describeBadClients(fixture: () => Fixture, tls: TestTls, create: Create): void {
  const sockets: Socket[] = []

  const open = (port = fixture().port): Socket => {
    const socket = connect(port, HOST).on('error', () => undefined)
    sockets.push(socket)
    return socket
  }
  const openTls = (options: ConnectionOptions): TLSSocket => {
    const socket = connectTls({ port: fixture().port, host: HOST, ca: tls.ca, ...options })
    sockets.push(socket)
    return socket.on('error', () => undefined)
  }

  /** What the server has told, which may be after the client has noticed its end. */
  const refusal = async (): Promise<readonly string[]> => {
    while (tls.refused.length === 0) await delay(1)
    return tls.refused
  }

  beforeEach(() => tls.refused.splice(0))
  afterEach('others are served', async () => {
    expect(await callUnary(fixture().client, 'x')).to.deep.equal({ answer: Buffer.from('x') })
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  const notTls: Readonly<Record<string, string | Buffer>> = {
    'HTTP/2': PREFACE,
    'HTTP/1.1': 'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
    'SSL 2': Buffer.from(`802e0100020015000000100100800200800300800400800500800600400700c0${'00'.repeat(16)}`, 'hex'),
    'a record without end': Buffer.concat([Buffer.from('160301ffff', 'hex'), Buffer.alloc(70_000, 1)]),
    'an alert': Buffer.from('15030100020228', 'hex'),
  }
  for (const [name, bytes] of Object.entries(notTls)) {
    it(`ends a connection where ${name} is spoken and no TLS`, async () => {
      const socket = open()
      socket.write(bytes)
      await gone(socket)
      expect(await refusal()).to.have.length(1)
    })
  }

  it('gives a handshake only so much time, wherever it stops', async () => {
    const options = { services: servicesOf(new Probe()), maxRequestBytes: MAX_REQUEST_BYTES, onDefect: expect.fail }
    const transport = create({ ...options, frontLimits: { decideMs: 200 } })
    const [address] = await transport.listen([{ host: HOST, port: 0 }])
    const [silent, half, slow] = [open(address?.port), open(address?.port), open(address?.port)]
    half.write(Buffer.from('16030100c8', 'hex'))
    const dripping = setInterval(() => slow.write(Buffer.from([0x16])), 20)
    await Promise.all([silent, half, slow].map(gone))
    clearInterval(dripping)
    while (tls.refused.length < 3) await delay(1)
    expect(tls.refused).to.include('TLS handshake timeout')
    await transport.close(0)
  })

  it('does not begin a handshake anew', async () => {
    const connection = openTls({ maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] })
    await once(connection, 'secureConnect')
    const refused = new Promise<Error | null>((resolve) => {
      connection.renegotiate({}, resolve)
    })
    const ended = new Promise((resolve) => {
      connection.once('error', resolve).once('close', resolve)
    })
    expect(await Promise.race([refused, ended])).to.satisfy((outcome: unknown) => outcome !== null)
  })

  it('refuses a client that knows neither HTTP/2 nor HTTP/1.1', async () => {
    const socket = openTls({ ALPNProtocols: ['spdy/3'] })
    await gone(socket)
    expect((await refusal()).join()).to.match(/no application protocol|no_application_protocol/i)
  })

  it('refuses versions of TLS that are too old', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await gone(openTls(old))
    expect(await refusal()).to.have.length(1)
  })

  it('takes a client at its word about what it speaks', async () => {
    const first = openTls({ ALPNProtocols: ['http/1.1'] })
    first.write(PREFACE)
    expect(await textOf(first)).to.match(/^HTTP\/1\.1 400 /)
    const second = openTls({ ALPNProtocols: ['h2'] })
    second.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    expect(await textOf(second)).not.to.include('HTTP/1.1')
    const third = openTls({})
    third.write('POST /any HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    expect(await textOf(third)).to.include('POST /any')
  })

  it('ends the calls of a connection that breaks in the middle of a record', async () => {
    const { probe, port, dial } = fixture()
    const raw = connect(port, HOST).on('error', () => undefined)
    sockets.push(raw)
    const secured = openTls({ socket: raw, ALPNProtocols: ['h2'] })
    await once(secured, 'secureConnect')
    const session = dial.sessionOn(secured)
    session.on('error', () => undefined)
    rawRequest(session, '/test.Service/Stream').write(frame('a'))
    await probe.until(() => probe.streams[0]?.received.length === 1)
    raw.write(Buffer.from('1703030100', 'hex'))
    raw.destroy()
    await probe.until(() => probe.streams[0]!.closes === 1)
  })

  it('ends a connection whose records are no records any more', async () => {
    const raw = open()
    const secured = openTls({ socket: raw, ALPNProtocols: ['h2'] })
    await once(secured, 'secureConnect')
    raw.write(Buffer.concat([Buffer.from('1703030100', 'hex'), Buffer.alloc(256, 7)]))
    await gone(raw)
  })

  it('tells a client that trusts nobody nothing', async () => {
    const stranger = connectTls({ port: fixture().port, host: HOST })
    const [error] = (await once(stranger, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).to.match(/SELF_SIGNED/)
    expect(await callUnary(fixture().client, 'y', '/test.Service/Nope')).to.include({ code: STATUS.UNIMPLEMENTED })
  })
}
