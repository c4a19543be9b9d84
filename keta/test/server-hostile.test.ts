/**
 * The real process among clients that are broken or mean harm: it answers what etcd answers or breaks the connection
 * off, its memory stays bounded, it logs no error, and the other clients do not notice.
 */
import { expect } from 'chai'
import { type ServiceError, status } from '@grpc/grpc-js'
import { rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { KV, Lease, Watch } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient, failureOf, pathOf } from './api-client.fixture.ts'
import { seededRandom } from './differential/random.ts'
import { chosenSeed } from './kill-nine-harness.ts'
import { nestedTxn } from './nested-txn.fixture.ts'
import {
  FRAME,
  frame,
  grpcMessage,
  openedAndReset,
  OPENING,
  openSession,
  openSocket,
  openUnread,
  postRaw,
  sendAndWait,
} from './raw-http2.fixture.ts'
import { errorsOf, kill, residentMib, serve, type Served, temporaryDirectory } from './served.fixture.ts'
import { ALL, createRequest, WatchReader } from './watch-reader.fixture.ts'

const MIB = 1024 * 1024
/** What a hostile client may make the process grow by. */
const GROWTH_MIB = 150
const RANGE = pathOf(KV.method.range)
const TXN = pathOf(KV.method.txn)
const WATCH = pathOf(Watch.method.watch)
const A = Buffer.from('a')

for (const transport of ['grpc-js', 'http2']) {
  describe(`the server with ${transport} among hostile clients`, function () {
    describeServer.call(this, transport)
  })
}

function describeServer(this: Mocha.Suite, transport: string): void {
  this.timeout(30_000)

  let directory: string
  let server: Served
  let client: ApiClient
  const sockets: Socket[] = []

  before(async () => {
    directory = temporaryDirectory('server-hostile')
    server = await serve(directory, [`--transport=${transport}`])
    client = new ApiClient(server.endpoint)
  })
  beforeEach(async () => {
    await client.call(KV.method.put, { key: A, value: A })
  })
  afterEach('it still serves, and has logged no error', async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    const { header } = await client.call(KV.method.put, { key: A, value: A })
    const { kvs } = await client.call(KV.method.range, { key: A })
    expect(kvs[0]?.modRevision).to.equal(header?.revision)
    expect(errorsOf(server.process)).to.deep.equal([])
  })
  after(async () => {
    client.close()
    await kill(server.process)
    rmSync(directory, { recursive: true, force: true })
  })

  async function connectSocket(): Promise<Socket> {
    const socket = await openSocket(server.endpoint)
    sockets.push(socket)
    return socket
  }

  /** @throws if the process grows by too much meanwhile */
  async function withBoundedGrowth(action: () => Promise<void>): Promise<void> {
    const before = residentMib(server.process)
    await action()
    expect(residentMib(server.process) - before, 'MiB more').to.be.lessThan(GROWTH_MIB)
  }

  const seed = chosenSeed()
  describe(`that do not speak its protocol (KETA_SEED=${seed})`, () => {
    const setting = Buffer.from('000400000000', 'hex')
    const nonsense: Readonly<Record<string, Buffer>> = {
      'nothing at all': Buffer.alloc(0),
      HTTP: Buffer.from('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'),
      TLS: Buffer.from('16030100f1010000ed0303', 'hex'),
      'random bytes': randomBytes(seed, 100_000),
      'half a preface': OPENING.subarray(0, 12),
      'random bytes after the preface': Buffer.concat([OPENING, randomBytes(seed, 100_000)]),
      'a frame larger than allowed': Buffer.concat([OPENING, frame(FRAME.data, 0, 1, Buffer.alloc(0), 0xff_ffff)]),
      'data on a stream that is not open': Buffer.concat([OPENING, frame(FRAME.data, 0, 1, Buffer.alloc(100))]),
      'headers that are no headers': Buffer.concat([OPENING, frame(FRAME.headers, 4, 1, Buffer.alloc(100, 0xff))]),
      'headers that go on and on': Buffer.concat([
        OPENING,
        frame(FRAME.headers, 0, 1, Buffer.from([0x82])),
        ...Array.from({ length: 2000 }, () => frame(FRAME.continuation, 0, 1, Buffer.alloc(0))),
      ]),
      'a window beyond its limit': Buffer.concat([
        OPENING,
        frame(FRAME.windowUpdate, 0, 0, Buffer.from('7fffffff', 'hex')),
      ]),
      '20,000 pings': Buffer.concat([
        OPENING,
        ...Array.from({ length: 20_000 }, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8))),
      ]),
      '5,000 calls that it resets at once': Buffer.concat([
        OPENING,
        ...Array.from({ length: 5000 }, (_, index) => openedAndReset(2 * index + 1, RANGE)),
      ]),
      '20,000 settings': Buffer.concat([
        OPENING,
        ...Array.from({ length: 20_000 }, () => frame(FRAME.settings, 0, 0, setting)),
      ]),
    }
    for (const [name, bytes] of Object.entries(nonsense)) {
      it(`sends ${name}`, () => withBoundedGrowth(() => sendAndWait(server.endpoint, bytes)))
    }

    it('goes away in the middle of anything', async () => {
      const whole = Buffer.concat([OPENING, frame(FRAME.headers, 4, 1, Buffer.alloc(100, 0x82))])
      for (let length = 0; length <= whole.length; length += 3) {
        const socket = await connectSocket()
        socket.write(whole.subarray(0, length))
        socket.resetAndDestroy()
      }
    })

    it('keeps 200 connections and says nothing on 100 of them', () =>
      withBoundedGrowth(async () => {
        for (let count = 0; count < 200; count++) {
          const socket = await connectSocket()
          if (count % 2 === 0) socket.write(OPENING)
        }
        await client.call(KV.method.put, { key: A, value: A })
      }))
  })

  describe('that speak HTTP/2 but not gRPC', () => {
    it('sends requests that are none', async () => {
      const session = await openSession(server.endpoint)
      const answers: Record<string, string> = {
        'no body': await postRaw(session, RANGE, Buffer.alloc(0)),
        'half a header': await postRaw(session, RANGE, Buffer.from([0, 0])),
        'less than it says': await postRaw(session, RANGE, grpcMessage(A, 0, 100)),
        '4 GiB': await postRaw(session, RANGE, grpcMessage(A, 0, 0xffff_ffff)),
        'compressed in no way': await postRaw(session, RANGE, grpcMessage(A, 1)),
        'compressed in an unknown way': await postRaw(session, RANGE, grpcMessage(A, 1), { 'grpc-encoding': 'x' }),
        'not what it is compressed in': await postRaw(session, RANGE, grpcMessage(A, 1), { 'grpc-encoding': 'gzip' }),
        'another content': await postRaw(session, RANGE, grpcMessage(A), { 'content-type': 'text/html' }),
        'no method': await postRaw(session, '/', grpcMessage(A)),
        'a strange timeout': await postRaw(session, RANGE, grpcMessage(A), { 'grpc-timeout': '99999999999999H' }),
      }
      session.destroy()
      expect(Object.entries(answers).filter(([, answer]) => /^grpc 0|no answer/.test(answer))).to.deep.equal([])
    })

    it('sends a message that unpacks to 200 MiB', () =>
      withBoundedGrowth(async () => {
        const session = await openSession(server.endpoint)
        const packed = grpcMessage(gzipSync(Buffer.alloc(200 * MIB)), 1)
        const answer = await postRaw(session, RANGE, packed, { 'grpc-encoding': 'gzip' })
        session.destroy()
        expect(answer).to.equal(`grpc ${status.RESOURCE_EXHAUSTED}`)
      }))
  })

  describe('that ask for too much', () => {
    it('nests transactions 1,000 and 100,000 deep', async () => {
      for (const depth of [1000, 100_000]) {
        const error = await failureOf(client.raw(TXN, nestedTxn(depth)))
        expect(error.code).to.equal(status.INVALID_ARGUMENT)
        expect(error.details).to.equal('etcdserver: too many operations in txn request')
      }
    })

    it('nests groups, which no message has, a million deep', async () => {
      const error = await failureOf(client.raw(RANGE, Buffer.alloc(MIB, 0x7b)))
      expect(error.code).to.equal(status.INTERNAL)
      expect(error.details).to.match(/^grpc: error unmarshalling request: /)
    })

    it('sends what is no message on each stream', async () => {
      for (const method of [Lease.method.leaseKeepAlive, Watch.method.watch]) {
        const stream = client.stream(method)
        const ended = new Promise<ServiceError | undefined>((resolve) => {
          stream.onEnd((_reason, error) => resolve(error))
        })
        stream.send(Buffer.from('08', 'hex'))
        const error = await ended
        expect(error?.code, method.name).to.equal(status.INTERNAL)
        expect(error?.details, method.name).to.match(/^grpc: error unmarshalling request: /)
      }
    })

    it('puts 700,000 empty operations into one transaction', () =>
      withBoundedGrowth(async () => {
        const error = await failureOf(client.raw(TXN, Buffer.from('1200'.repeat(700_000), 'hex')))
        expect(error.details).to.equal('etcdserver: too many operations in txn request')
      }))

    it('sends transactions of 128 values of 1 MiB', () =>
      withBoundedGrowth(async () => {
        const value = Buffer.alloc(MIB)
        const success = Array.from({ length: 128 }, (_, index) => ({
          request: { case: 'requestPut' as const, value: { key: Buffer.from(`big/${index}`), value } },
        }))
        const hostile = new ApiClient(server.endpoint)
        const error = await failureOf(hostile.call(KV.method.txn, { success }))
        hostile.close()
        expect(error.code).to.equal(status.RESOURCE_EXHAUSTED)
        expect(error.details).to.match(/^grpc: received message larger than max \(1342\d+ vs\. 2097152\)$/)
      }))

    it('sends requests just below and above the limits', async () => {
      const put = async (bytes: number) => client.call(KV.method.put, { key: A, value: Buffer.alloc(bytes) })
      await put(1.5 * MIB - 100)
      for (const bytes of [1.5 * MIB, 2 * MIB - 7]) {
        const { code, details } = await failureOf(put(bytes))
        expect({ code, details }).to.deep.equal({
          code: status.INVALID_ARGUMENT,
          details: 'etcdserver: request is too large',
        })
      }
      const { code, details } = await failureOf(put(2 * MIB - 6))
      expect({ code, details }).to.deep.equal({
        code: status.RESOURCE_EXHAUSTED,
        details: 'grpc: received message larger than max (2097153 vs. 2097152)',
      })
    })
  })

  describe('that watch', () => {
    it('opens 5,000 watches on one stream, and each tells what it should', async () => {
      const count = 5000
      const watch = WatchReader.on(client)
      const prefix = (index: number): string => `many/${String(index).padStart(4, '0')}/`
      for (let index = 0; index < count; index++) {
        const [key, rangeEnd] = [Buffer.from(prefix(index)), Buffer.from(prefix(index).replace(/\/$/, '0'))]
        watch.create({ key, rangeEnd, watchId: BigInt(index + 1) })
      }
      await watch.until('answer to each', () => watch.answers.length === count)
      expect(watch.answers.every(({ created, canceled }) => created && !canceled)).to.equal(true)
      const asked = Array.from({ length: 100 }, (_, index) => index * 50)
      await Promise.all(
        asked.map((index) => client.call(KV.method.put, { key: Buffer.from(`${prefix(index)}x`), value: A })),
      )
      await watch.until('event each', () => watch.events.length === asked.length)
      const told = watch.answers
        .slice(count)
        .map(
          ({ watchId, events }) => `${watchId} ${events.map(({ kv }) => Buffer.from(kv?.key ?? []).toString()).join()}`,
        )
      expect(told.sort()).to.deep.equal(asked.map((index) => `${index + 1} ${prefix(index)}x`).sort())
      for (let index = 0; index < count; index++) watch.cancel(BigInt(index + 1))
      await watch.until('cancellation each', () => watch.answers.filter(({ canceled }) => canceled).length === count)
      watch.close()
    })

    it('reads no event while 50 MiB are written, and catches up or is told that they are compacted', async function () {
      this.timeout(120_000)
      const slow = await Promise.all(Array.from({ length: 8 }, () => openSession(server.endpoint)))
      const readers = slow.map((session) => new WatchReader(openUnread(session, WATCH)))
      const quick = WatchReader.on(client)
      for (const watch of [...readers, quick]) watch.create({ key: Buffer.from('stream') })
      await quick.until('answer', () => quick.answers.length === 1)
      const value = Buffer.alloc(MIB / 2, 'x')
      const revisions: bigint[] = []
      await withBoundedGrowth(async () => {
        for (let count = 0; count < 100; count++) {
          const { header } = await client.call(KV.method.put, { key: Buffer.from('stream'), value })
          revisions.push(header?.revision ?? 0n)
        }
        await quick.until('100 events', () => quick.events.length === 100)
      })
      const [patient, late] = [readers.slice(0, 4), readers.slice(4)]
      for (const watch of patient) watch.read()
      for (const watch of patient) {
        await watch.until('100 events', () => watch.events.length === 100)
        expect(watch.events.map(({ kv }) => kv?.modRevision)).to.deep.equal(revisions)
      }
      const compacted = revisions.at(-1) ?? 0n
      await client.call(KV.method.compact, { revision: compacted })
      for (const watch of late) watch.read()
      for (const watch of late) {
        await watch.until('cancellation', () => watch.answers.at(-1)?.canceled === true)
        expect(watch.answers.at(-1)?.compactRevision).to.equal(compacted)
        const got = watch.events.map(({ kv }) => kv?.modRevision)
        expect(got.length).to.be.lessThan(100)
        expect(got, 'no gap before').to.deep.equal(revisions.slice(0, got.length))
      }
      for (const session of slow) session.destroy()
    })

    it('asks for watches and renewals without end and reads no answer', () =>
      withBoundedGrowth(async () => {
        const session = await openSession(server.endpoint)
        const floods = [
          { path: WATCH, message: Buffer.from(createRequest({ ...ALL, prevKv: true })) },
          { path: pathOf(Lease.method.leaseKeepAlive), message: Buffer.from('0807', 'hex') },
        ]
        for (const { path, message } of floods) {
          const stream = openUnread(session, path)
          for (let count = 0; count < 100_000; count++) stream.send(message)
        }
        for (let count = 0; count < 300; count++) await client.call(KV.method.put, { key: A, value: A })
        session.destroy()
      }))
  })
}

function randomBytes(seed: number, count: number): Buffer {
  const random = seededRandom(seed)
  return Buffer.from(Array.from({ length: count }, () => random.below(256)))
}
