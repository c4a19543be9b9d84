/**
 * What every transport must do, as tests: `describeTransport(name, create)` runs them against one. The clients are
 * grpc-js (a client of another make than most transports) and bare HTTP/2, for what no gRPC client would do.
 */
import { Metadata } from '@grpc/grpc-js'
import { expect } from 'chai'

import {
  callUnary,
  Dial,
  type Fixture,
  gone,
  MAX_REQUEST_BYTES,
  openStream,
  Probe,
  servicesOf,
  text,
} from './suite/fixture-suite.ts'
import { describeCalls } from './suite/calls-suite.ts'
import { describeHttp, echoTo } from './suite/http-suite.ts'
import { describeRules } from './suite/rules-suite.ts'
import { describeBackPressure, describeStreams } from './suite/streams-suite.ts'
import { describeTls } from './suite/tls-suite.ts'
import type { TestTls } from './front/server-tls.fixture.ts'
import { RpcError, STATUS, type Transport, type TransportOptions } from './transport.ts'

export interface Variant {
  /** It refuses every request that etcd refuses, and looks at how often it is pinged; grpc-js takes some. */
  readonly isStrict: boolean
  /** To speak TLS. */
  readonly secure?: TestTls
}

export function describeTransport(
  name: string,
  createPlain: (options: TransportOptions) => Transport,
  { isStrict, secure }: Variant,
): void {
  const dial = new Dial(secure?.ca)
  const create: Create = (options) => {
    const transport = createPlain({ ...options, ...(secure === undefined ? {} : { tls: secure }) })
    const listen: Transport['listen'] = (addresses) =>
      transport.listen(addresses.map((address) => ({ ...address, secure: dial.isSecure })))
    return { listen, close: (graceMs) => transport.close(graceMs) }
  }

  describe(`transport ${name}`, () => {
    let fixture: Fixture

    beforeEach(async () => {
      const probe = new Probe()
      const transport = create({
        services: servicesOf(probe),
        maxRequestBytes: MAX_REQUEST_BYTES,
        onDefect: (error, method) => probe.defects.push({ error, method }),
        http: echoTo(probe),
      })
      const [address] = await transport.listen([{ host: '127.0.0.1', port: 0 }])
      const { port } = address!
      fixture = { probe, transport, client: dial.client(port), port, dial }
    })

    afterEach(async () => {
      fixture.client.close()
      await fixture.transport.close(0)
    })

    describeUnary(() => fixture)
    describeErrors(() => fixture)
    describeCalls(() => fixture, isStrict)
    describeStreams(() => fixture)
    describeBackPressure(() => fixture)
    describeHttp(() => fixture)
    if (secure !== undefined) describeTls(() => fixture, secure, create)
    describeListening(() => fixture, create)
    describeClose(() => fixture)
    describeRules(create, dial, isStrict)
  })
}

type Create = (options: TransportOptions) => Transport

function describeUnary(fixture: () => Fixture): void {
  it('answers a unary call', async () => {
    expect(await callUnary(fixture().client, 'hello')).to.deep.equal({ answer: Buffer.from('hello') })
  })

  it('carries empty messages', async () => {
    expect(await callUnary(fixture().client, '')).to.deep.equal({ answer: Buffer.alloc(0) })
  })

  it('carries an answer that is larger than a request may be', async () => {
    const answer = Buffer.alloc(3_000_000, 7)
    fixture().probe.onUnary = () => answer
    expect(await callUnary(fixture().client, 'x')).to.deep.equal({ answer })
  })

  it('answers asynchronous methods, each call with its own answer whatever the order they finish in', async () => {
    const { probe, client } = fixture()
    const held: (() => void)[] = []
    probe.onUnary = (request) =>
      new Promise((resolve) => {
        held.push(() => {
          resolve(Buffer.concat([Buffer.from('re:'), request]))
        })
        probe.changed()
      })
    const calls = Array.from({ length: 50 }, (_, index) => callUnary(client, String(index)))
    await probe.until(() => held.length === 50)
    for (const finish of held.reverse()) finish()
    const answers = await Promise.all(calls)
    expect(answers.map((outcome) => 'answer' in outcome && text(outcome.answer))).to.deep.equal(
      answers.map((_, index) => `re:${index}`),
    )
  })

  it('hands metadata and the peer to the method', async () => {
    const metadata = new Metadata()
    metadata.add('token', 'first')
    metadata.add('token', 'second')
    let seen: readonly (string | undefined)[] = []
    fixture().probe.onUnary = (request, call) => {
      seen = [call.metadata('token')?.split(',')[0], call.metadata('absent'), call.peer.split(':')[0]]
      return request
    }
    await callUnary(fixture().client, 'x', undefined, metadata)
    expect(seen).to.deep.equal(['first', undefined, '127.0.0.1'])
  })
}

function describeErrors(fixture: () => Fixture): void {
  it('gives the status and the exact text of an RpcError, whatever is in it', async () => {
    const details = 'zwölf % of "ключ"\nline two\ttab 🔑 100%25'
    fixture().probe.onUnary = () => {
      throw new RpcError(STATUS.FAILED_PRECONDITION, details)
    }
    expect(await callUnary(fixture().client, 'x')).to.deep.equal({ code: STATUS.FAILED_PRECONDITION, details })
  })

  it('survives a text that is not well-formed Unicode', async () => {
    fixture().probe.onUnary = () => {
      throw new RpcError(STATUS.NOT_FOUND, 'half \ud83d of a pair')
    }
    expect(await callUnary(fixture().client, 'x')).to.deep.equal({
      code: STATUS.NOT_FOUND,
      details: 'half \ufffd of a pair',
    })
  })

  it('gives the status of a rejected promise', async () => {
    fixture().probe.onUnary = () => Promise.reject(new RpcError(STATUS.OUT_OF_RANGE, 'later'))
    expect(await callUnary(fixture().client, 'x')).to.deep.equal({ code: STATUS.OUT_OF_RANGE, details: 'later' })
  })

  it('answers INTERNAL for a defect, reports it, and keeps its text to itself', async () => {
    const { probe, client } = fixture()
    const defect = new TypeError('secret')
    probe.onUnary = () => {
      throw defect
    }
    const thrown = await callUnary(client, 'x')
    probe.onUnary = () => Promise.reject(defect)
    const rejected = await callUnary(client, 'x')
    probe.onUnary = () => Buffer.from('unencodable')
    const unencodable = await callUnary(client, 'x')
    for (const outcome of [thrown, rejected, unencodable]) {
      expect(outcome).to.have.property('code', STATUS.INTERNAL)
      expect(outcome).to.have.property('details').that.does.not.include('secret')
    }
    expect(probe.defects.map(({ method }) => method)).to.deep.equal(Array(3).fill('test.Service/Unary'))
    expect(probe.defects[0]!.error).to.equal(defect)
  })

  it('answers INTERNAL for a request that is not the message', async () => {
    expect(await callUnary(fixture().client, 'malformed')).to.deep.equal({
      code: STATUS.INTERNAL,
      details: 'grpc: error unmarshalling request: not a message',
    })
    expect(fixture().probe.defects).to.deep.equal([])
  })

  it('answers UNIMPLEMENTED for an unknown method and for an unknown service', async () => {
    const { client } = fixture()
    expect(await callUnary(client, 'x', '/test.Service/Nope')).to.deep.equal({
      code: STATUS.UNIMPLEMENTED,
      details: 'unknown method Nope for service test.Service',
    })
    expect(await callUnary(client, 'x', '/test.Other/Unary')).to.deep.equal({
      code: STATUS.UNIMPLEMENTED,
      details: 'unknown service test.Other',
    })
    expect(await openStream(client, undefined, '/a/b/c').status).to.deep.equal({
      code: STATUS.UNIMPLEMENTED,
      details: 'unknown service a/b',
    })
  })

  it('takes a request of exactly the largest size, and refuses one byte more', async () => {
    const { client } = fixture()
    expect(await callUnary(client, Buffer.alloc(MAX_REQUEST_BYTES))).to.have.property('answer')
    expect(await callUnary(client, Buffer.alloc(MAX_REQUEST_BYTES + 1))).to.deep.equal({
      code: STATUS.RESOURCE_EXHAUSTED,
      details: `grpc: received message larger than max (${MAX_REQUEST_BYTES + 1} vs. ${MAX_REQUEST_BYTES})`,
    })
  })

  it('refuses a message too large for a stream, and closes its handler', async () => {
    const { client, probe } = fixture()
    const { send, status } = openStream(client)
    send(Buffer.alloc(MAX_REQUEST_BYTES + 1))
    expect(await status).to.deep.equal({
      code: STATUS.RESOURCE_EXHAUSTED,
      details: `grpc: received message larger than max (${MAX_REQUEST_BYTES + 1} vs. ${MAX_REQUEST_BYTES})`,
    })
    await probe.until(() => probe.streams[0]?.closes === 1)
    expect(probe.streams[0]!.received).to.deep.equal([])
  })
}

function describeListening(fixture: () => Fixture, create: Create): void {
  const another = (): Transport =>
    create({ services: servicesOf(fixture().probe), maxRequestBytes: MAX_REQUEST_BYTES, onDefect: () => undefined })

  it('serves several addresses', async () => {
    const transport = another()
    const addresses = await transport.listen([
      { host: '127.0.0.1', port: 0 },
      { host: '127.0.0.1', port: 0 },
    ])
    expect(addresses[0]!.port).not.to.equal(addresses[1]!.port)
    for (const { port } of addresses) {
      const client = fixture().dial.client(port)
      expect(await callUnary(client, 'x')).to.deep.equal({ answer: Buffer.from('x') })
      client.close()
    }
    await transport.close(0)
  })

  it('tells that connections are refused because there are too many', async () => {
    const full: number[] = []
    const { probe, dial } = fixture()
    const transport = create({
      services: servicesOf(probe),
      maxRequestBytes: MAX_REQUEST_BYTES,
      onDefect: () => undefined,
      onFull: (connections) => full.push(connections),
      frontLimits: { connections: 1 },
    })
    const [address] = await transport.listen([{ host: '127.0.0.1', port: 0 }])
    const client = dial.client(address!.port)
    await callUnary(client, 'x')
    await gone(dial.socket(address!.port))
    expect(full).to.deep.equal([1])
    client.close()
    await transport.close(0)
  })

  it('rejects if one address is taken, and leaves none bound', async () => {
    const free = another()
    const [address] = await free.listen([{ host: '127.0.0.1', port: 0 }])
    await free.close(0)
    const transport = another()
    const taken = { host: '127.0.0.1', port: fixture().port }
    const error: unknown = await transport.listen([address!, taken]).catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(Error).with.property('message').that.includes(String(taken.port))
    const successor = another()
    await successor.listen([address!])
    await successor.close(0)
  })
}

function describeClose(fixture: () => Fixture): void {
  it('lets open calls finish, ends open streams with UNAVAILABLE, and refuses new calls', async () => {
    const { client, dial, probe, transport, port } = fixture()
    let finish: () => void = () => undefined
    probe.onUnary = (request) =>
      new Promise((resolve) => {
        finish = () => {
          resolve(request)
        }
        probe.changed()
      })
    const answered = callUnary(client, 'slow')
    const open = openStream(client)
    open.send('a')
    await probe.until(() => probe.streams[0]?.received.length === 1)
    const closed = transport.close(60_000)
    expect((await open.status).code).to.equal(STATUS.UNAVAILABLE)
    await probe.until(() => probe.streams[0]!.closes === 1)
    finish()
    expect(await answered).to.deep.equal({ answer: Buffer.from('slow') })
    await closed
    const late = dial.client(port)
    expect(await callUnary(late, 'x')).to.have.property('code', STATUS.UNAVAILABLE)
    late.close()
  })

  it('tells a waiting call of its end once, be it answered, given up or late', async () => {
    const { client, probe } = fixture()
    const ended: string[] = []
    probe.onUnary = (request, call) => {
      call.onClosed(() => {
        ended.push(text(request))
        if (text(request) === 'given up') call.onClosed(() => ended.push('late'))
        probe.changed()
      })
      probe.changed()
      return text(request) === 'answered' ? request : new Promise(() => {})
    }
    await callUnary(client, 'answered')
    await probe.until(() => ended.includes('answered'))
    const asIs = (bytes: Buffer): Buffer => bytes
    const open = client.makeUnaryRequest('/test.Service/Unary', asIs, asIs, Buffer.from('given up'), () => undefined)
    setTimeout(() => open.cancel(), 20)
    await probe.until(() => ended.includes('given up'))
    await callUnary(client, 'answered')
    expect(ended.sort()).to.deep.equal(['answered', 'answered', 'given up', 'late'])
  })

  it('gives a waiting call no grace', async () => {
    const { client, probe, transport } = fixture()
    let started = false
    probe.onUnary = (_, call) => {
      call.onClosed(() => undefined)
      started = true
      probe.changed()
      return new Promise(() => {})
    }
    const waiting = callUnary(client, 'wait')
    await probe.until(() => started)
    await transport.close(600_000)
    expect(await waiting).to.have.property('code', STATUS.UNAVAILABLE)
  })

  it('ends what is still open when the grace is over', async () => {
    const { client, probe, transport } = fixture()
    let started = false
    probe.onUnary = () => {
      started = true
      probe.changed()
      return new Promise(() => {})
    }
    const call = callUnary(client, 'never')
    await probe.until(() => started)
    await transport.close(0)
    expect(await call).to.have.property('code', STATUS.UNAVAILABLE)
  })

  it('lets a stream finish the message in hand before it ends', async () => {
    const { client, probe, transport } = fixture()
    let finish: () => void = () => undefined
    probe.onMessage = (handler) =>
      new Promise((resolve) => {
        finish = () => {
          handler.out.send(Buffer.from('done'))
          resolve()
        }
      })
    const open = openStream(client)
    open.send('a')
    await probe.until(() => probe.streams[0]?.received.length === 1)
    const closed = transport.close(60_000)
    finish()
    expect((await open.status).code).to.equal(STATUS.UNAVAILABLE)
    expect(open.answers.map(text)).to.deep.equal(['done'])
    await closed
  })

  it('can be closed twice', async () => {
    const { transport } = fixture()
    await Promise.all([transport.close(0), transport.close(0)])
    await transport.close(0)
  })
}
