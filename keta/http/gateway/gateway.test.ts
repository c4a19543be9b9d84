import { create, toBinary } from '@bufbuild/protobuf'
import { expect } from 'chai'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

import type { OpenedEngine } from '../../engine/api.ts'
import { RangeRequestSchema, SnapshotResponseSchema, WatchResponseSchema } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { testEngine, testServices } from '../../rpc/test-client.fixture.ts'
import {
  type Call,
  type Method,
  RpcError,
  type ServerStream,
  STATUS,
  stream,
  type StreamHandler,
  unary,
} from '../../transport/transport.ts'
import { type ServedHttp, serveHttp } from '../served-http.fixture.ts'
import { Gateway } from './gateway.ts'
import { GatewayCall } from './gateway-call.ts'

const MAX_REQUEST_BYTES = 10_000
const RANGE = '/v3/kv/range'
const WATCH = '/v3/watch'
const NEVER = new Promise<never>(() => {})

/** A stream as its method sees it. */
class Probe implements StreamHandler<Uint8Array> {
  readonly out: ServerStream<Uint8Array>
  readonly messages: Uint8Array[] = []
  halfCloses = 0
  drains = 0
  closes = 0
  onMessage: () => void | Promise<void> = () => undefined
  #changed: () => void = () => undefined

  constructor(out: ServerStream<Uint8Array>) {
    this.out = out
  }

  message(request: Uint8Array): void | Promise<void> {
    this.messages.push(request)
    this.#changed()
    return this.onMessage()
  }

  halfClosed(): void {
    this.halfCloses++
    this.#changed()
  }

  drained(): void {
    this.drains++
    this.#changed()
  }

  closed(): void {
    this.closes++
    this.#changed()
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }
}

describe('the gateway', () => {
  let served: ServedHttp
  let gateway: Gateway
  let engine: OpenedEngine
  let methods: Map<string, Map<string, Method>>
  let defects: unknown[]
  let opened: Promise<Probe>
  let range: (request: Uint8Array, call: Call) => Uint8Array | Promise<Uint8Array>

  beforeEach(async () => {
    defects = []
    range = () => new Uint8Array(0)
    engine = await testEngine()
    methods = new Map([...testServices(engine)].map(([name, service]) => [name, new Map(service)]))
    let tellOpened: (probe: Probe) => void = () => undefined
    opened = new Promise((resolve) => {
      tellOpened = resolve
    })
    const asIs = (bytes: Uint8Array): Uint8Array => bytes
    const probeStream = stream<Uint8Array, Uint8Array>({
      decode: asIs,
      encode: asIs,
      open(out) {
        const probe = new Probe(out)
        tellOpened(probe)
        return probe
      },
    })
    methods.get('etcdserverpb.Watch')?.set('Watch', probeStream)
    methods.get('etcdserverpb.Maintenance')?.set('Snapshot', probeStream)
    methods
      .get('etcdserverpb.KV')
      ?.set(
        'Range',
        unary<Uint8Array, Uint8Array>({ decode: asIs, encode: asIs, handle: (request, call) => range(request, call) }),
      )
    gateway = new Gateway({
      services: methods,
      maxRequestBytes: MAX_REQUEST_BYTES,
      onDefect: (error, method) => defects.push({ error, method }),
    })
    served = await serveHttp((request, response) => gateway.serve(request.url ?? '', request, response))
  })

  afterEach(async () => {
    await served.close()
    await engine.stop()
  })

  const answer = (blob: string) => toBinary(WatchResponseSchema, create(WatchResponseSchema, { cancelReason: blob }))
  const post = (path: string, body: string | Buffer, headers = {}) => served.client.send({ path, body, headers })

  it('answers a call of the real services', async () => {
    expect(await served.client.call('/v3/kv/put', { key: 'YQ', value: 'Yg==' })).to.have.nested.property(
      'header.revision',
      '2',
    )
    expect(await post('/v3/kv/put', '{}')).to.include({
      status: 400,
      body: '{"code":3,"message":"etcdserver: key is not provided"}',
    })
  })

  it('answers for a method that is not served as gRPC would', async () => {
    methods.get('etcdserverpb.KV')?.delete('Compact')
    expect(await post('/v3/kv/compaction', '{}')).to.include({
      status: 501,
      body: '{"code":12,"message":"unknown method Compact for service etcdserverpb.KV"}',
    })
  })

  it('hands over who calls and its metadata', async () => {
    const seen: (string | undefined)[] = []
    range = (request, call) => {
      seen.push(call.metadata('authorization'), call.metadata('token'), call.metadata('absent'), call.metadata('odd'))
      seen.push(call.peer.split(':')[0])
      return request
    }
    const headers = { Authorization: 'Bearer x', 'Grpc-Metadata-Token': 't', 'Grpc-Metadata-Odd': 'ü' }
    await post(RANGE, '{}', headers)
    expect(seen).to.deep.equal(['Bearer x', 't', undefined, undefined, '127.0.0.1'])
  })

  it('tells the status and the text of a refusal, and keeps those of a defect to itself', async () => {
    range = () => {
      throw new RpcError(STATUS.UNAUTHENTICATED, 'say "who"')
    }
    const refused = await post(RANGE, '{}')
    expect(refused).to.include({ status: 401, body: '{"code":16,"message":"say \\"who\\""}' })
    expect(refused.headers).to.include({ 'www-authenticate': 'say "who"' })
    range = () => Promise.reject(new TypeError('secret'))
    expect(await post(RANGE, '{}')).to.include({ status: 500, body: '{"code":13,"message":"internal error"}' })
    expect(defects).to.have.length(1)
  })

  it('refuses a message that is too large, and JSON that is far too large before all of it has come', async () => {
    const key = (length: number): string => JSON.stringify({ key: Buffer.alloc(length).toString('base64') })
    const overhead = toBinary(RangeRequestSchema, create(RangeRequestSchema, { key: Buffer.alloc(5000) })).length - 5000
    expect(await post(RANGE, key(MAX_REQUEST_BYTES - overhead))).to.include({ status: 200 })
    expect(await post(RANGE, key(MAX_REQUEST_BYTES - overhead + 1))).to.include({
      status: 429,
      body: '{"code":8,"message":"grpc: received message larger than max (10001 vs. 10000)"}',
    })
    const large = await post(RANGE, `{"key":"${'\\u0041'.repeat(MAX_REQUEST_BYTES)}"}`)
    expect(large).to.include({ status: 429 })
    expect(await post(RANGE, '{}'), 'on a connection of its own').to.include({ status: 200 })
  })

  it('answers when the time that the client gives is over', async () => {
    range = () => NEVER
    for (const timeout of ['1n', '5m']) {
      expect(await post(RANGE, '{}', { 'Grpc-Timeout': timeout })).to.include({
        status: 504,
        body: '{"code":4,"message":"context deadline exceeded"}',
      })
    }
    expect(await post(RANGE, '{}', { 'Grpc-Timeout': 'soon' })).to.include({
      status: 400,
      body: '{"code":3,"message":"invalid grpc-timeout: soon"}',
    })
  })

  it('serves many calls on one connection, whatever follows the object in a body', async () => {
    for (let count = 0; count < 20; count++) {
      expect(await post(RANGE, `{"limit":"${count}"} {"limit":"x"} trailing`)).to.include({ status: 200 })
      expect(await post(RANGE, '{"key":')).to.include({ status: 400 })
    }
  })

  it('gives a stream its requests one by one, and writes one line for each answer', async () => {
    const answered = post(WATCH, '{"cancel_request":{"watch_id":"1"}}{"progress_request":{}}')
    const probe = await opened
    await probe.until(() => probe.halfCloses === 1)
    expect(probe.messages).to.have.length(2)
    probe.out.send(answer('<one>'))
    probe.out.send(answer('two'))
    probe.out.end()
    const { status, body, headers } = await answered
    expect(status).to.equal(200)
    expect(headers).to.include({ 'content-type': 'application/json', 'grpc-metadata-content-type': 'application/grpc' })
    expect(body).to.equal('{"result":{"cancel_reason":"<one>"}}\n{"result":{"cancel_reason":"two"}}\n')
    await probe.until(() => probe.closes === 1)
  })

  it('ends a stream with an error, as a status if nothing was answered, else as a last line', async () => {
    const first = post(WATCH, '{}')
    ;(await opened).out.fail(new RpcError(STATUS.UNAVAILABLE, 'etcdserver: no leader'))
    expect(await first).to.include({ status: 503, body: '{"error":{"code":14,"message":"etcdserver: no leader"}}\n' })
  })

  it('ends a stream whose client sends what is no request', async () => {
    const answered = post(WATCH, '{"progress_request":{}}{"create_request":{"key":7}}')
    const probe = await opened
    const { status, body } = await answered
    expect(status).to.equal(400)
    expect(body).to.equal(
      '{"error":{"code":3,"message":"Failed to decode request: ' +
        'proto: (line 1:26): invalid value for bytes field key: 7"}}\n',
    )
    await probe.until(() => probe.closes === 1)
    expect(probe.messages).to.have.length(1)
  })

  it('answers a bad request of a stream with one request as that of a unary call', async () => {
    expect(await post('/v3/maintenance/snapshot', '{')).to.include({
      status: 400,
      body: '{"code":3,"message":"unexpected EOF"}',
    })
    const answered = post('/v3/maintenance/snapshot', '')
    const probe = await opened
    await probe.until(() => probe.halfCloses === 1)
    probe.out.send(toBinary(SnapshotResponseSchema, create(SnapshotResponseSchema, { blob: Buffer.from('x') })))
    probe.out.end()
    expect((await answered).body).to.equal('{"result":{"blob":"eA=="}}\n')
  })

  it('tells a stream when its client has gone', async () => {
    const socket = connect(served.port, '127.0.0.1')
    socket.write(`POST ${WATCH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n`)
    const probe = await opened
    await probe.until(() => probe.messages.length === 1)
    probe.out.send(answer('x'))
    await once(socket, 'data')
    socket.destroy()
    await probe.until(() => probe.closes === 1)
    expect(probe.out.send(answer('y'))).to.equal(false)
    expect(probe.halfCloses).to.equal(0)
    expect(defects).to.deep.equal([])
  })

  it('reads no request while the one before is dealt with', async () => {
    const socket = connect(served.port, '127.0.0.1')
    const chunk = '{"cancel_request":{"watch_id":"1"}}'.repeat(40)
    socket.write(`POST ${WATCH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`)
    socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`)
    const probe = await opened
    let finish: () => void = () => undefined
    probe.onMessage = () =>
      new Promise<void>((resolve) => {
        finish = resolve
      })
    for (let count = 1; count <= 40; count++) {
      await probe.until(() => probe.messages.length === count)
      await turn()
      expect(probe.messages).to.have.length(count)
      finish()
    }
    socket.destroy()
  })

  it('says when a client does not read, and when it does again', async () => {
    const socket = connect(served.port, '127.0.0.1')
    socket.write(`POST ${WATCH} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}`)
    const probe = await opened
    await probe.until(() => probe.halfCloses === 1)
    socket.pause()
    let sent = 0
    while (probe.out.send(answer('x'.repeat(50_000)))) {
      sent++
      await turn()
      expect(sent).to.be.below(2000)
    }
    expect(probe.drains).to.equal(0)
    socket.resume()
    await probe.until(() => probe.drains === 1)
    expect(probe.out.send(answer('more'))).to.equal(true)
    socket.destroy()
    await probe.until(() => probe.closes === 1)
  })

  it('ends its streams when the server stops', async () => {
    const answered = post(WATCH, '{}')
    const probe = await opened
    await probe.until(() => probe.halfCloses === 1)
    probe.out.send(answer('x'))
    gateway.close()
    expect((await answered).body).to.equal(
      '{"result":{"cancel_reason":"x"}}\n{"error":{"code":14,"message":"server is stopping"}}\n',
    )
  })

  it('ends a call that waits when its client goes or the server stops, and tells its method', async () => {
    let closed = 0
    let began: () => void = () => undefined
    range = (_, call) => {
      const listener = (): number => closed++
      if (call instanceof GatewayCall) call.onClosed(listener)
      began()
      return NEVER
    }
    const begin = (): Promise<void> =>
      new Promise((resolve) => {
        began = resolve
      })
    const first = begin()
    const socket = connect(served.port, '127.0.0.1')
    socket.write(`POST ${RANGE} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}`)
    await first
    socket.destroy()
    while (closed === 0) await turn()
    const second = begin()
    const answered = post(RANGE, '{}')
    await second
    gateway.close()
    expect(await answered).to.include({ status: 503, body: '{"code":14,"message":"server is stopping"}' })
    while (closed === 1) await turn()
  })

  it('never does anything but answer, whatever the body', async () => {
    const pieces = ['{', '}', '[', ']', '"key"', ':', ',', '"YQ=="', '1e5', 'null', '\\', '\0', '\xff', ' ']
    let seed = 7
    const next = (bound: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return seed % bound
    }
    for (let count = 0; count < 300; count++) {
      const body = Array.from({ length: next(12) }, () => pieces[next(pieces.length)]).join('')
      const { status } = await post(RANGE, Buffer.from(body, 'latin1'))
      expect(status, JSON.stringify(body)).to.be.oneOf([200, 400])
    }
    expect(defects).to.deep.equal([])
  })
})
