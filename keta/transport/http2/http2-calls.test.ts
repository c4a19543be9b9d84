/** What calls get from the transport besides their answers: deadlines, encodings, refusals, and an orderly end. */
import { expect } from 'chai'
import { FRAME, frame, OPENING } from '../../test/raw-http2.fixture.ts'
import { MAX_REQUEST_BYTES, Probe, servicesOf } from '../suite/fixture-suite.ts'
import type { Transport } from '../transport.ts'
import { HpackDecoder } from './hpack/hpack-decoder.ts'
import { encodeHeaders } from './hpack/hpack-encoder.ts'
import { createHttp2Transport } from './http2-transport.ts'
import { call, END_HEADERS, END_STREAM, opening, RawClient, requestBlock } from './raw-client.fixture.ts'

const UNARY = '/test.Service/Unary'
const STREAM = '/test.Service/Stream'

describe('a call over the HTTP/2 server', () => {
  let probe: Probe
  let transport: Transport
  let client: RawClient

  beforeEach(async () => {
    probe = new Probe()
    transport = createHttp2Transport({
      services: servicesOf(probe),
      maxRequestBytes: MAX_REQUEST_BYTES,
      onDefect: (error, method) => probe.defects.push({ error, method }),
    })
    const [address] = await transport.listen([{ host: '127.0.0.1', port: 0, traffic: 'grpc' }])
    client = new RawClient(address!.port)
    client.send(OPENING)
  })

  afterEach(async () => {
    client.socket.destroy()
    await transport.close(0)
    expect(probe.defects).to.deep.equal([])
  })

  /** What a call on stream 1 ends with: its header fields and messages. */
  async function outcome(...parts: readonly Buffer[]): Promise<Record<string, string>> {
    client.send(...parts)
    await client.until('an answer', () => client.answered.includes(1))
    const decoder = new HpackDecoder(100_000)
    const blocks = client.of(FRAME.headers).flatMap(({ payload }) => decoder.decode(payload, 0, payload.length).fields)
    const data = Buffer.concat(client.of(FRAME.data).map(({ payload }) => payload.subarray(5)))
    return {
      ...Object.fromEntries(blocks.map(({ name, value }) => [name, value])),
      ...(data.length > 0 ? { data: data.toString() } : {}),
    }
  }

  it('has its answer, a message and the status', async () => {
    expect(await outcome(call(1, 'x'))).to.deep.equal({
      ':status': '200',
      'content-type': 'application/grpc',
      data: 'x',
      'grpc-status': '0',
    })
    await client.settled()
    expect(client.endings).to.deep.equal([])
  })

  it('closes a stream whose time is over', async () => {
    const answer = await outcome(
      frame(FRAME.headers, END_HEADERS, 1, requestBlock(STREAM, [['grpc-timeout', '20000u']])),
    )
    expect(answer).to.include({ 'grpc-status': '4' })
    await probe.until(() => probe.streams[0]!.closes === 1)
    await client.until('word that nothing more is wanted', () => client.endings.includes('reset 1 0'))
  })

  it('is refused if it is no POST, or not gRPC where only that is served', async () => {
    const get = encodeHeaders([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', UNARY],
      ['content-type', 'application/grpc'],
    ])
    expect(await outcome(frame(FRAME.headers, END_HEADERS | END_STREAM, 1, get))).to.include({
      ':status': '405',
      'grpc-message': 'Received a HEADERS frame with :method "GET" which should be POST',
    })
    const html = encodeHeaders([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', UNARY],
      ['content-type', 'text/html'],
    ])
    client.send(frame(FRAME.headers, END_HEADERS | END_STREAM, 3, html))
    await client.until('an answer', () => client.answered.includes(3))
    const last = client.of(FRAME.headers).at(-1)!.payload
    const { fields } = new HpackDecoder(1000).decode(last, 0, last.length)
    expect(fields.map(({ value }) => value)).to.include.members([
      '415',
      'invalid gRPC request content-type "text/html"',
    ])
  })

  it('is told in two steps that the server goes, and is served if it came between them', async () => {
    let finish: () => void = () => undefined
    probe.onUnary = (bytes) =>
      new Promise((resolve) => {
        finish = () => {
          resolve(bytes)
        }
        probe.changed()
      })
    client.send(call(1, 'slow'))
    await client.settled()
    const closed = transport.close(60_000)
    await client.until('GOAWAY', () => client.of(FRAME.goAway).length === 1)
    expect(client.of(FRAME.goAway)[0]!.payload.toString('hex')).to.equal('7fffffff00000000')
    await client.until('the ping', () => client.frames.some(({ type, flags }) => type === FRAME.ping && flags === 0))
    const { payload } = client.frames.find(({ type, flags }) => type === FRAME.ping && flags === 0)!
    client.send(opening(3, STREAM), frame(FRAME.ping, 1, 0, payload))
    await client.until('the second GOAWAY', () => client.of(FRAME.goAway).length === 2)
    expect(client.of(FRAME.goAway)[1]!.payload.toString('hex')).to.equal('0000000300000000')
    client.send(call(5, 'late'))
    finish()
    await client.closed()
    expect(client.answered).to.have.members([1, 3])
    await closed
  })

  it('is served though its stream is the last that there can be, and the connection ends in good order', async () => {
    const last = 2 ** 31 - 1
    const finish: (() => void)[] = []
    probe.onUnary = (bytes) =>
      new Promise((resolve) => {
        finish.push(() => resolve(bytes))
      })
    client.send(call(1, 'first'), call(last - 20_002, 'early'))
    await client.settled()
    expect(client.of(FRAME.goAway)).to.deep.equal([])
    client.send(call(last, 'last'))
    await client.until('GOAWAY', () => client.of(FRAME.goAway).length === 1)
    expect(client.of(FRAME.goAway)[0]!.payload.toString('hex')).to.equal('7fffffff00000000')
    const { payload } = client.frames.find(({ type, flags }) => type === FRAME.ping && flags === 0)!
    client.send(frame(FRAME.ping, 1, 0, payload))
    await client.until('the second GOAWAY', () => client.of(FRAME.goAway).length === 2)
    expect(client.of(FRAME.goAway)[1]!.payload.toString('hex')).to.equal('7fffffff00000000')
    expect(client.answered).to.deep.equal([])
    for (const one of finish) one()
    await client.closed()
    expect(client.answered).to.have.members([1, last - 20_002, last])
    expect(client.endings.filter((ending) => ending !== 'goaway 0')).to.deep.equal([])
  })
})
