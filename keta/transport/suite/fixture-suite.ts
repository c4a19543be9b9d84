/** What the shared tests of transports are set up with: a test service that records what it sees, and clients. */
import type * as http2 from 'node:http2'

import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js'

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

export function rawRequest(session: http2.ClientHttp2Session, path: string): http2.ClientHttp2Stream {
  const request = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  request.on('error', () => undefined)
  return request
}

export function frame(message: string | Buffer): Buffer {
  const body = Buffer.from(message)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(body.length, 1)
  return Buffer.concat([head, body])
}
