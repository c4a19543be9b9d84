/** What the shared tests of transports are set up with: a test service that records what it sees, and clients. */
import * as http2 from 'node:http2'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'

import {
  type Call,
  RpcError,
  type ServerStream,
  type ServiceTable,
  STATUS,
  type StreamHandler,
  stream,
  type Transport,
  unary,
} from '../transport.ts'

export const MAX_REQUEST_BYTES = 100_000
const asIs = (bytes: Buffer): Buffer => bytes
export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

/** What the handlers of the test service saw and what they wait for. */
export class Probe {
  readonly defects: { error: unknown; method: string }[] = []
  readonly streams: TestStream[] = []
  /** Paths of HTTP requests. */
  readonly https: string[] = []
  onMessage: (stream: TestStream, request: Buffer) => void | Promise<void> = () => undefined
  onUnary: (request: Buffer, call: Call) => Buffer | Promise<Buffer> = (request) => request
  readonly #waiting: { met: () => boolean; resolve: () => void }[] = []

  /** Resolves as soon as `condition` holds, looking whenever something has happened. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push({ met: condition, resolve })
    })
  }

  changed(): void {
    for (const waiter of [...this.#waiting]) {
      if (!waiter.met()) continue
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
      waiter.resolve()
    }
  }
}

export class TestStream implements StreamHandler<Buffer> {
  readonly received: Buffer[] = []
  readonly call: Call
  readonly out: ServerStream<Buffer>
  readonly #probe: Probe
  halfClosedSeen = false
  drains = 0
  closes = 0
  afterClose = 0

  constructor(probe: Probe, out: ServerStream<Buffer>, call: Call) {
    this.#probe = probe
    this.out = out
    this.call = call
  }

  message(request: Buffer): void | Promise<void> {
    if (this.closes > 0) this.afterClose++
    this.received.push(request)
    this.#probe.changed()
    return this.#probe.onMessage(this, request)
  }

  halfClosed(): void {
    this.halfClosedSeen = true
    this.#probe.changed()
  }

  drained(): void {
    this.drains++
    this.#probe.changed()
  }

  closed(): void {
    this.closes++
    this.#probe.changed()
  }
}

export function servicesOf(probe: Probe): ServiceTable {
  const decode = (bytes: Uint8Array): Buffer => {
    if (text(bytes) === 'malformed') throw new Error('not a message')
    return Buffer.from(bytes)
  }
  const encode = (bytes: Buffer): Buffer => {
    if (text(bytes.subarray(0, 11)) === 'unencodable') throw new Error('secret of encode')
    return bytes
  }
  const methods = new Map([
    ['Unary', unary<Buffer, Buffer>({ decode, encode, handle: (request, call) => probe.onUnary(request, call) })],
    [
      'Stream',
      stream<Buffer, Buffer>({
        decode,
        encode,
        open(out, call) {
          if (call.metadata('refuse') === 'at-open') throw new RpcError(STATUS.UNAUTHENTICATED, 'refused at open')
          const handler = new TestStream(probe, out, call)
          probe.streams.push(handler)
          probe.changed()
          return handler
        },
      }),
    ],
  ])
  return new Map([['test.Service', methods]])
}

/** A transport on a free port with a client of its own. */
export interface Fixture {
  readonly probe: Probe
  readonly transport: Transport
  readonly client: Client
  readonly port: number
  readonly dial: Dial
}

/** How clients reach a transport. */
export class Dial {
  /** PEM, if TLS is spoken: what the server's certificate leads to. */
  readonly #ca: string | undefined

  constructor(ca: string | undefined) {
    this.#ca = ca
  }

  get isSecure(): boolean {
    return this.#ca !== undefined
  }

  client(port: number): Client {
    const secured = this.#ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(this.#ca))
    const options = { 'grpc.max_receive_message_length': -1, 'grpc.use_local_subchannel_pool': 1 }
    // An address is no name that TLS could send: Node.js warns of it.
    return new Client(`${this.isSecure ? 'localhost' : '127.0.0.1'}:${port}`, secured, options)
  }

  session(port: number): http2.ClientHttp2Session {
    return this.#ca === undefined
      ? http2.connect(`http://127.0.0.1:${port}`)
      : http2.connect(`https://127.0.0.1:${port}`, { ca: this.#ca })
  }

  /** On a connection that is there already. */
  sessionOn(socket: Socket): http2.ClientHttp2Session {
    return http2.connect('https://127.0.0.1', { createConnection: () => socket })
  }

  socket(port: number, protocol: 'http/1.1' | 'h2' = 'http/1.1'): Socket {
    const host = '127.0.0.1'
    return this.#ca === undefined
      ? connect({ port, host })
      : connectTls({ port, host, ca: this.#ca, ALPNProtocols: [protocol] })
  }
}

export type Outcome = { readonly answer: Buffer } | { readonly code: number; readonly details: string }

export function callUnary(
  client: Client,
  request: Buffer | string,
  path = '/test.Service/Unary',
  metadata = new Metadata(),
) {
  return new Promise<Outcome>((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, Buffer.from(request), metadata, (error: ServiceError | null, answer) => {
      resolve(error === null ? { answer: answer ?? Buffer.alloc(0) } : { code: error.code, details: error.details })
    })
  })
}

export function openStream(client: Client, metadata = new Metadata(), path = '/test.Service/Stream') {
  const call = client.makeBidiStreamRequest(path, asIs, asIs, metadata)
  const answers: Buffer[] = []
  const waiting: (() => void)[] = []
  const changed = (): void => {
    for (const look of waiting.splice(0)) look()
  }
  call.on('data', (bytes: Buffer) => {
    answers.push(bytes)
    changed()
  })
  call.on('error', () => undefined)
  const status = new Promise<{ code: number; details: string }>((resolve) => {
    call.on('status', ({ code, details }) => {
      resolve({ code, details })
    })
  })
  const received = async (count: number): Promise<Buffer[]> => {
    while (answers.length < count) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    }
    return answers
  }
  return { call, answers, received, status, send: (message: string | Buffer) => call.write(Buffer.from(message)) }
}

export function rawRequest(
  session: http2.ClientHttp2Session,
  path: string,
  headers: http2.OutgoingHttpHeaders = {},
): http2.ClientHttp2Stream {
  const usual = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' }
  const request = session.request({ ...usual, ...headers }, { endStream: false })
  request.on('error', () => undefined)
  return request
}

/** @param length as its head says. */
export function frame(message: string | Buffer, flag = 0, length = Buffer.from(message).length): Buffer {
  const body = Buffer.from(message)
  const head = Buffer.alloc(5)
  head.writeUInt8(flag, 0)
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, body])
}

/** Resolves when the connection is closed, with an error or without. */
export async function gone(socket: Socket): Promise<void> {
  socket.on('error', () => undefined).resume()
  if (socket.closed) return
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
  })
}
