/** The front by itself: what it recognises, what it hands over, and how little it gives to whoever says nothing. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { expect } from 'chai'
import type { HttpHandler, ListenAddress } from '../transport.ts'
import { protocolOf } from './first-bytes.ts'
import { Front } from './front.ts'
import { connectionLimit, FRONT_LIMITS, type FrontLimits } from './limits.ts'
import { testTls } from './server-tls.fixture.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const GET = 'GET /path HTTP/1.1\r\nhost: a\r\n\r\n'

describe('the first bytes of a connection', () => {
  it('say HTTP/2 only when the whole preface is there', () => {
    for (let length = 0; length < PREFACE.length; length++) {
      expect(protocolOf(Buffer.from(PREFACE.slice(0, length))), String(length)).to.equal(undefined)
    }
    expect(protocolOf(Buffer.from(PREFACE))).to.equal('http2')
    expect(protocolOf(Buffer.from(`${PREFACE}\0\0\0`))).to.equal('http2')
  })

  it('say HTTP/1.1 as soon as they are no preface', () => {
    for (const start of ['G', 'PO', 'PUT', 'PRI * HTTP/1.1\r\n', 'PRI * HTTP/2.0\r\n\r\nSX']) {
      expect(protocolOf(Buffer.from(start)), start).to.equal('http1')
    }
  })

  it('say TLS by the record of a handshake', () => {
    expect(protocolOf(Buffer.from([0x16]))).to.equal('tls')
    expect(protocolOf(Buffer.from([0x15]))).to.equal('http1')
  })
})

describe('the largest number of connections', () => {
  it('leaves files for everything else', () => {
    const limits = 'Max cpu time   unlimited  unlimited  seconds\nMax open files            1024        4096   files\n'
    expect(connectionLimit(() => limits)).to.equal(1024 - 150)
    expect(connectionLimit(() => limits.replace('1024', '100'))).to.equal(1)
    expect(connectionLimit(() => limits.replace('1024', 'unlimited'))).to.equal(FRONT_LIMITS.connections)
  })

  it('is a fixed one where the system does not tell', () => {
    const absent = (): never => {
      throw new Error('no such file')
    }
    expect(connectionLimit(absent)).to.equal(FRONT_LIMITS.connections)
  })
})

describe('the front', () => {
  const tls = testTls()
  let front: Front
  let ports: number[]
  let sockets: Socket[]
  /** What came on the connections that were handed over as HTTP/2. */
  let http2: Socket[]
  /** How many connections there were when another was refused for that. */
  let full: number[]

  async function serve(
    addresses: readonly Partial<ListenAddress>[] = [{}],
    limits: Partial<FrontLimits> = {},
    http: HttpHandler | undefined = (request, response) => response.end(`served ${request.url}`),
  ): Promise<void> {
    front = new Front({
      onHttp2: (socket) => http2.push(socket),
      tls,
      http,
      onDefect: () => undefined,
      onFull: (connections) => full.push(connections),
      limits,
    })
    const bound = await front.listen(addresses.map((address) => ({ host: '127.0.0.1', port: 0, ...address })))
    ports = bound.map(({ port }) => port)
  }

  function open(port = ports[0]!): Socket {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    sockets.push(socket)
    return socket
  }

  beforeEach(() => {
    sockets = []
    http2 = []
    full = []
  })

  afterEach(() => {
    front.destroy()
    for (const socket of sockets) socket.destroy()
  })

  it('hands over an HTTP/2 connection with every byte that has come', async () => {
    await serve()
    const socket = open()
    for (const part of ['PRI * HT', 'TP/2.0\r\n\r\nSM\r\n', '\r\nand more']) await said(socket, part)
    socket.end(' bytes')
    await until(() => http2.length === 1)
    expect(await text(http2[0]!)).to.equal(`${PREFACE}and more bytes`)
  })

  it('serves HTTP/1.1 however the first bytes are cut', async () => {
    await serve()
    const socket = open()
    for (const part of ['P', 'R', 'OPFIND /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'])
      await said(socket, part)
    expect(await text(socket)).to.match(/^HTTP\/1\.1 200 OK\r\n[^]*served \/x/)
  })

  it('answers a client that has ended its side', async () => {
    await serve()
    const socket = open()
    socket.end(GET)
    expect(await text(socket)).to.include('served /path')
  })

  it('answers 404 without a handler', async () => {
    front = new Front({ onHttp2: () => undefined, onDefect: () => undefined })
    const [address] = await front.listen([{ host: '127.0.0.1', port: 0 }])
    const socket = open(address!.port)
    socket.end(GET)
    expect(await text(socket)).to.match(/^HTTP\/1\.1 404 Not Found[^]*404 page not found/)
  })

  it('hands over a connection that asks for another protocol, and survives a defect of whoever takes it', async () => {
    const defects: string[] = []
    front = new Front({
      onHttp2: () => undefined,
      onDefect: (_error, request) => defects.push(request),
      upgrade: (request, socket, head) => {
        if (request.url === '/defect') throw new Error('defect')
        socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${String(head)} back`)
        return true
      },
    })
    const [address] = await front.listen([{ host: '127.0.0.1', port: 0 }])
    const wanted = (path: string): string =>
      `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n`
    const socket = open(address!.port)
    socket.write(`${wanted('/v3/watch')}some`)
    expect(await text(socket)).to.match(/101 Switching Protocols\r\n\r\nsome back$/)
    const defective = open(address!.port)
    defective.write(wanted('/defect'))
    expect(await text(defective)).to.equal('')
    expect(defects).to.deep.equal(['HTTP GET /defect'])
  })

  it('serves as any other a request to change the protocol that nobody takes, with its body', async () => {
    const served: string[] = []
    front = new Front({
      onHttp2: () => undefined,
      onDefect: (error) => expect.fail(String(error)),
      upgrade: () => false,
      http: (request, response) => {
        let body = ''
        request.setEncoding('utf8').on('data', (part: string) => (body += part))
        request.on('end', () => {
          const { method, url, headers } = request
          served.push(`${method} ${url} ${headers.upgrade} ${String(headers['x-a'])} ${body}`)
          response.end(String(served.length))
        })
      },
    })
    const [address] = await front.listen([{ host: '127.0.0.1', port: 0 }])
    const socket = open(address!.port)
    const lines = ['POST /p HTTP/1.1', 'host: a', 'X-A: b', 'content-length: 4', 'upgrade: h2c', 'http2-settings: x']
    socket.setNoDelay()
    const asked = `${[...lines, 'connection: Upgrade, HTTP2-Settings'].join('\r\n')}\r\n\r\n`
    for (let count = 1; count <= 30; count++) {
      socket.write(`${asked}bo`)
      setImmediate(() => socket.write('dy'))
      await once(socket, 'data')
    }
    socket.write(`${asked.replace('connection: ', 'connection: close, ')}body`)
    expect(await text(socket)).to.match(/connection: close\r\n[^]*\r\n\r\n31$/i)
    expect(new Set(served)).to.deep.equal(new Set(['POST /p undefined b body']))
  })

  it('ends a connection that asks for another protocol while it is being answered', async () => {
    let isTaken = false
    front = new Front({
      onHttp2: () => undefined,
      onDefect: (error) => expect.fail(String(error)),
      upgrade: () => {
        isTaken = true
        return false
      },
      http: (_request, response) => response.write('some'),
    })
    const [address] = await front.listen([{ host: '127.0.0.1', port: 0 }])
    const socket = open(address!.port)
    socket.write(`${GET}GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n`)
    await once(socket, 'close')
    expect(isTaken).to.equal(false)
  })

  it('survives the reset of a secure connection whose protocol was changed', async () => {
    let upgraded: Duplex | undefined
    front = new Front({
      onHttp2: () => undefined,
      onDefect: () => undefined,
      tls,
      upgrade: (_request, socket) => {
        upgraded = socket
        socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
        return true
      },
    })
    const [address] = await front.listen([{ host: '127.0.0.1', port: 0, secure: true }])
    const raw = open(address!.port)
    const secured = connectTls({ socket: raw, host: '127.0.0.1', ca: tls.ca }).on('error', () => undefined)
    secured.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n')
    await once(secured, 'data')
    upgraded!.resume()
    raw.resetAndDestroy()
    await until(() => upgraded!.closed)
  })

  it('speaks plain text and TLS on one port, if both are to be served there', async () => {
    await serve([{}])
    const [port] = ports
    front.destroy()
    await serve([{ port: port! }, { port: port!, secure: true }])
    expect(ports).to.deep.equal([port, port])
    const plain = open()
    plain.end(GET)
    expect(await text(plain)).to.include('served /path')
    const secured = connectTls({ port: port!, host: '127.0.0.1', ca: tls.ca, ALPNProtocols: ['h2'] })
    await once(secured, 'secureConnect')
    expect(secured.alpnProtocol).to.equal('h2')
    secured.end('not looked at')
    await until(() => http2.length === 1)
    expect(await text(http2[0]!)).to.equal('not looked at')
  })

  it('serves no plain text where TLS is spoken, and no TLS where plain text is', async () => {
    await serve([{ secure: true }, {}])
    const plain = open(ports[0])
    plain.end(GET)
    expect(await text(plain)).to.equal('')
    const secured = connectTls({ port: ports[1]!, host: '127.0.0.1', ca: tls.ca })
    const [error] = (await once(secured, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).to.match(/ECONNRESET|EPROTO/)
  })

  it('serves each kind of traffic where it is to be served', async () => {
    await serve([{ traffic: 'grpc' }, { traffic: 'http' }])
    const wrong = open(ports[0])
    wrong.end(GET)
    expect(await text(wrong)).to.equal('')
    const right = open(ports[1])
    right.end(GET)
    expect(await text(right)).to.include('served /path')
    await said(open(ports[0]), PREFACE)
    await until(() => http2.length === 1)
    await said(open(ports[1]), PREFACE)
    await said(open(ports[0]), PREFACE)
    await until(() => http2.length === 2)
  })

  it('ends connections that say nothing, or not enough, or no end of a handshake', async () => {
    await serve([{}, { secure: true }], { decideMs: 50 })
    const [silent, slow, handshaking] = [open(), open(), open(ports[1])]
    const answers = [silent, slow, handshaking].map(heard)
    await said(slow, 'PRI * HTTP')
    await said(handshaking, Buffer.from([0x16, 3, 1, 0xff]))
    expect(await Promise.all(answers)).to.deep.equal(['', '', ''])
  })

  it('ends a request whose headers or body do not come to an end', async () => {
    await serve([{}], { headerMs: 50, requestMs: 100, checkMs: 20 }, (request) => request.resume())
    const [headers, body] = [open(), open()]
    await said(headers, 'GET / HTTP/1.1\r\nhost: a\r\nx: ')
    await said(body, 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nsome')
    expect(await text(headers)).to.match(/^HTTP\/1\.1 408 /)
    expect(await text(body)).to.match(/^HTTP\/1\.1 408 /)
  })

  it('ends an HTTP/1.1 connection without requests after a while', async () => {
    await serve([{}], { idleMs: 50 })
    const socket = open()
    await said(socket, GET)
    expect(await text(socket)).to.include('served /path')
  })

  it('refuses headers without end', async () => {
    await serve([{}], { headerBytes: 1000 })
    const socket = open()
    await said(socket, `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(2000)}`)
    expect(await text(socket)).to.match(/^HTTP\/1\.1 431 /)
  })

  it('takes no further requests of a client that does not read its answers', async () => {
    let served = 0
    const answer = Buffer.alloc(10_000, 'x')
    await serve([{}], {}, (_request, response) => {
      served++
      response.end(answer)
    })
    const socket = open()
    socket.pause()
    socket.write(GET.repeat(20_000))
    let before = -1
    while (served !== before || served === 0) {
      before = served
      for (let turns = 0; turns < 200; turns++) await turn()
    }
    // What lies in the buffers of the two sockets is some megabytes.
    expect(served * answer.length).to.be.lessThan(50_000_000)
  })

  it('keeps only so many connections that have not said what they speak, and ends the oldest', async () => {
    await serve([{}], { undecided: 10 })
    const silent = Array.from({ length: 10 }, () => open())
    await Promise.all(silent.map((socket) => once(socket, 'connect')))
    await until(() => front.connections === 10)
    const late = open()
    await once(silent[0]!, 'close')
    late.end(GET)
    expect(await text(late)).to.include('served /path')
  })

  it('ends new connections beyond the largest number, and takes others when some have gone', async () => {
    await serve([{}], { connections: 3 })
    const kept = Array.from({ length: 3 }, () => open())
    for (const socket of kept) await said(socket, GET)
    await until(() => front.connections === 3)
    expect(await text(open())).to.equal('')
    expect(await text(open())).to.equal('')
    expect(full, 'told once').to.deep.equal([3])
    kept[0]!.destroy()
    await until(() => front.connections === 2)
    const next = open()
    next.end(GET)
    expect(await text(next)).to.include('served /path')
  })

  it('holds thousands of silent connections in little memory, and forgets them', async () => {
    await serve([{}], { undecided: 3000, decideMs: 60_000 })
    const before = process.memoryUsage().heapUsed
    for (let round = 0; round < 15; round++) {
      const some = Array.from({ length: 100 }, () => open())
      await Promise.all(some.map((socket) => once(socket, 'connect')))
    }
    await until(() => front.connections === 1500)
    // Both ends of each are in this process.
    expect((process.memoryUsage().heapUsed - before) / 1500).to.be.lessThan(60_000)
    const busy = open()
    busy.end(GET)
    expect(await text(busy)).to.include('served /path')
    front.stopListening()
    await until(() => front.connections === 0)
  })
})

function said(socket: Socket, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve) => {
    // Some turns of the event loop later: so that the other side gets each piece by itself.
    socket.write(bytes, () => setImmediate(() => setImmediate(resolve)))
  })
}

/** What comes until the connection is over. It is reset if the other side has not read all. */
function heard(socket: Socket): Promise<string> {
  let all = ''
  socket.setEncoding('utf8').on('data', (part: string) => (all += part))
  return new Promise((resolve) => {
    socket.once('close', () => resolve(all))
  })
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn()
}
