/** The shared tests of transports: what calls say besides their messages, and messages that are none. */
import { gzipSync } from 'node:zlib'
import type { OutgoingHttpHeaders } from 'node:http2'
import { expect } from 'chai'
import { STATUS } from '../transport.ts'
import { type Fixture, frame, MAX_REQUEST_BYTES, type Probe, rawRequest } from './fixture-suite.ts'

const UNARY = '/test.Service/Unary'
const STREAM = '/test.Service/Stream'

/** HTTP status, and status and text of gRPC; data: the messages with their heads. */
interface RawOutcome {
  http?: unknown
  status?: number
  text?: string
  data: Buffer
}

/** @param isStrict the transport refuses all that etcd refuses. */
export function describeCalls(fixture: () => Fixture, isStrict: boolean): void {
  const ask = (headers: OutgoingHttpHeaders, body: Buffer, path = UNARY): Promise<RawOutcome> => {
    const { dial, port } = fixture()
    const session = dial.session(port)
    session.on('error', () => undefined)
    const request = rawRequest(session, path, headers)
    const outcome: RawOutcome = { data: Buffer.alloc(0) }
    const note = (fields: Readonly<Record<string, unknown>>): void => {
      outcome.http ??= fields[':status']
      const { 'grpc-status': status, 'grpc-message': text } = fields
      if (typeof status === 'string') outcome.status = Number(status)
      if (typeof text === 'string' && text !== '') outcome.text = decodeURIComponent(text)
    }
    request.on('response', note).on('trailers', note)
    request.on('data', (bytes: Buffer) => {
      outcome.data = Buffer.concat([outcome.data, bytes])
    })
    request.end(body)
    return new Promise((resolve) => {
      request.once('close', () => {
        session.destroy()
        resolve(outcome)
      })
    })
  }

  const expectRefused = async (headers: OutgoingHttpHeaders, body: Buffer, status: number, text: string) => {
    expect(await ask(headers, body)).to.include({ status, text })
    expect(fixture().probe.defects).to.deep.equal([])
  }

  describeTimeouts(fixture, ask, isStrict)

  it('takes a message that is compressed with gzip, and one that could be and is not', async () => {
    for (const body of [frame(gzipSync('packed'), 1), frame('packed')]) {
      const { status, data } = await ask({ 'grpc-encoding': 'gzip' }, body)
      expect({ status, data }).to.deep.equal({ status: STATUS.OK, data: frame('packed') })
    }
  })

  it('refuses a compressed message with another encoding, or larger than allowed when unpacked', async () => {
    const text = 'grpc: Decompressor is not installed for grpc-encoding "br"'
    await expectRefused({ 'grpc-encoding': 'br' }, frame('x', 1), STATUS.UNIMPLEMENTED, text)
    const bomb = frame(gzipSync(Buffer.alloc(MAX_REQUEST_BYTES + 1)), 1)
    const large = `grpc: received message after decompression larger than max ${MAX_REQUEST_BYTES}`
    await expectRefused({ 'grpc-encoding': 'gzip' }, bomb, STATUS.RESOURCE_EXHAUSTED, large)
  })

  it('refuses a message by the size that its head says, before it has come', async () => {
    for (const size of [MAX_REQUEST_BYTES + 1, 0xffff_ffff]) {
      const text = `grpc: received message larger than max (${size} vs. ${MAX_REQUEST_BYTES})`
      await expectRefused({}, frame('only this', 0, size), STATUS.RESOURCE_EXHAUSTED, text)
    }
  })

  it('answers a request without a message as etcd does', async () => {
    await expectRefused({}, Buffer.alloc(0), STATUS.UNKNOWN, 'EOF')
  })

  it('looks at the first of two messages of a unary call only', async () => {
    const { status, data } = await ask({}, Buffer.concat([frame('first'), frame('second')]))
    expect({ status, data }).to.deep.equal({ status: STATUS.OK, data: frame('first') })
  })

  it('takes any kind of message that the content type names', async () => {
    for (const type of ['application/grpc+proto', 'application/grpc;charset=utf-8']) {
      expect(await ask({ 'content-type': type }, frame('x')), type).to.include({ status: STATUS.OK })
    }
  })

  it('hands on binary metadata', async () => {
    let seen: string | undefined
    fixture().probe.onUnary = (bytes, call) => {
      seen = call.metadata('token-bin')
      return bytes
    }
    await ask({ 'token-bin': 'AP8' }, frame(''))
    expect(seen).to.equal('\0\xff')
  })

  if (isStrict) describeStrictness(expectRefused, ask)
}

type Ask = (headers: OutgoingHttpHeaders, body: Buffer, path?: string) => Promise<RawOutcome>

function describeTimeouts(fixture: () => Fixture, ask: Ask, isStrict: boolean): void {
  const never = (probe: Probe): void => {
    probe.onUnary = () => new Promise(() => {})
  }

  for (const timeout of ['20m', '20000u', '20000000n']) {
    it(`ends a unary call after ${timeout}, whatever its handler does`, async () => {
      never(fixture().probe)
      const { status, text } = await ask({ 'grpc-timeout': timeout }, frame(''))
      expect({ status, text }).to.deep.equal({ status: STATUS.DEADLINE_EXCEEDED, text: 'context deadline exceeded' })
    })
  }

  for (const timeout of ['1S', '1M', '1H', '99999S', '00000001H']) {
    it(`serves a call that has ${timeout}`, async () => {
      expect(await ask({ 'grpc-timeout': timeout }, frame('x'))).to.include({ status: STATUS.OK })
    })
  }

  it('ends a second after a second was given, and not before', async () => {
    never(fixture().probe)
    const start = performance.now()
    expect(await ask({ 'grpc-timeout': '1S' }, frame(''))).to.include({ status: STATUS.DEADLINE_EXCEEDED })
    expect(performance.now() - start).to.be.greaterThan(990)
  })

  it('closes a stream whose time is over', async () => {
    const { probe } = fixture()
    expect(await ask({ 'grpc-timeout': '20m' }, frame('a'), STREAM)).to.include({ status: STATUS.DEADLINE_EXCEEDED })
    await probe.until(() => probe.streams[0]!.closes === 1)
    expect(probe.streams[0]!.received).to.have.length(1)
  })

  const malformed: Readonly<Record<string, string>> = {
    '': 'transport: timeout string is too short: ""',
    x: 'transport: timeout string is too short: "x"',
    '1x': 'transport: timeout unit is not recognized: "1x"',
  }
  for (const [timeout, text] of Object.entries(malformed)) {
    it(`refuses the time "${timeout}"`, async () => {
      const outcome = await ask({ 'grpc-timeout': timeout }, frame(''))
      expect(outcome).to.include({ status: STATUS.INTERNAL, text: `malformed grpc-timeout: ${text}` })
      if (isStrict) expect(outcome.http).to.equal(400)
    })
  }
}

/** What grpc-js decides by itself, and takes. */
function describeStrictness(
  expectRefused: (headers: OutgoingHttpHeaders, body: Buffer, status: number, text: string) => Promise<void>,
  ask: Ask,
): void {
  const timeouts: Readonly<Record<string, string>> = {
    '123456789S': 'transport: timeout string is too long: "123456789S"',
    '-1S': 'strconv.ParseUint: parsing "-1": invalid syntax',
    '1.5S': 'strconv.ParseUint: parsing "1.5": invalid syntax',
  }
  for (const [timeout, text] of Object.entries(timeouts)) {
    it(`refuses the time ${timeout}`, () =>
      expectRefused({ 'grpc-timeout': timeout }, frame(''), STATUS.INTERNAL, `malformed grpc-timeout: ${text}`))
  }

  for (const timeout of ['0S', '0n', '1n']) {
    it(`does not begin a call that has ${timeout}`, () =>
      expectRefused({ 'grpc-timeout': timeout }, frame(''), STATUS.DEADLINE_EXCEEDED, 'context deadline exceeded'))
  }

  it('serves a call that has more time than timers can wait', async () => {
    expect(await ask({ 'grpc-timeout': '99999999H' }, frame('x'))).to.include({ status: STATUS.OK })
  })

  const [packed, whole] = [gzipSync('packed'), frame('whole')]
  const messages: Readonly<Record<string, readonly [string | undefined, Buffer, number, string]>> = {
    'that says it is compressed, without an encoding': [
      undefined,
      frame('x', 1),
      STATUS.INTERNAL,
      'grpc: compressed flag set with identity or empty encoding',
    ],
    'that says it is compressed as itself': [
      'identity',
      frame('x', 1),
      STATUS.INTERNAL,
      'grpc: compressed flag set with identity or empty encoding',
    ],
    'whose encoding is unknown, though it makes no use of it': [
      'snappy',
      whole,
      STATUS.UNIMPLEMENTED,
      'grpc: Decompressor is not installed for grpc-encoding "snappy"',
    ],
    'of an encoding that etcd does not have': [
      'deflate',
      frame('x', 1),
      STATUS.UNIMPLEMENTED,
      'grpc: Decompressor is not installed for grpc-encoding "deflate"',
    ],
    'with a flag that there is not': [
      undefined,
      frame('x', 2),
      STATUS.INTERNAL,
      'grpc: received unexpected payload format 2',
    ],
    'that is not packed': [
      'gzip',
      frame(Buffer.alloc(20), 1),
      STATUS.INTERNAL,
      'grpc: failed to decompress the message: gzip: invalid header',
    ],
    'that is packed and empty': ['gzip', frame('', 1), STATUS.INTERNAL, 'grpc: failed to decompress the message: EOF'],
    'of which the end is missing, packed': [
      'gzip',
      frame(packed.subarray(0, -9), 1),
      STATUS.INTERNAL,
      'grpc: failed to read decompressed data: unexpected EOF',
    ],
    'of which the end is missing': [undefined, whole.subarray(0, -1), STATUS.UNKNOWN, 'unexpected EOF'],
  }
  for (const [name, [encoding, body, status, text]] of Object.entries(messages)) {
    it(`refuses a message ${name}`, () =>
      expectRefused(encoding === undefined ? {} : { 'grpc-encoding': encoding }, body, status, text))
  }

  it('refuses what is no POST, and a content type that only begins like gRPC’s', async () => {
    const get = await ask({ ':method': 'GET' }, frame(''))
    expect(get).to.include({
      http: 405,
      status: STATUS.INTERNAL,
      text: 'Received a HEADERS frame with :method "GET" which should be POST',
    })
    const other = await ask({ 'content-type': 'application/grpcx' }, frame(''))
    expect(other).to.include({
      http: 415,
      status: STATUS.INVALID_ARGUMENT,
      text: 'invalid gRPC request content-type "application/grpcx"',
    })
  })
}
