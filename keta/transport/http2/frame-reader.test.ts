/** The readers of frames against HTTP/2 as node:http2 speaks it, and against garbage. */
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect } from 'chai'
import fc from 'fast-check'
import { frame } from '../../test/raw-http2.fixture.ts'
import { FrameParser } from './frame-parser.ts'
import { FrameReader } from './frame-reader.ts'
import { FLAG, FRAME, PREFACE } from './frames.ts'
import { HpackDecoder } from './hpack/hpack-decoder.ts'
import { HTTP2_LIMITS } from './limits.ts'
import { ProtocolError } from './protocol-error.ts'

/** What a connection says, as readable lines. */
function read(chunks: readonly Uint8Array[]): readonly string[] {
  const said: string[] = []
  const decoder = new HpackDecoder(HTTP2_LIMITS.headerBytes)
  const parser = new FrameParser(
    {
      data: (id, bytes, start, end, flow, endStream) =>
        said.push(`data ${id} ${bytes.toString('hex', start, end)} ${flow} ${endStream}`),
      headers: (id, bytes, start, end, { endStream }) => {
        const { fields } = decoder.decode(bytes, start, end)
        said.push(`headers ${id} ${endStream}`, ...fields.map(({ name, value }) => `${name}: ${value}`))
      },
      resetStream: (id) => said.push(`reset ${id}`),
      setting: (id, value) => said.push(`setting ${id} ${value}`),
      settingsEnd: () => said.push('settings'),
      settingsAck: () => said.push('settings ack'),
      ping: () => said.push('ping'),
      pingAck: () => said.push('ping ack'),
      windowUpdate: (id, increment) => said.push(`window ${id} ${increment}`),
      idle: () => said.push('idle'),
    },
    HTTP2_LIMITS,
  )
  const reader = new FrameReader({
    frame: (type, flags, id, bytes, start, end) => {
      try {
        parser.frame(type, flags, id, bytes, start, end)
      } catch (error) {
        if (!(error instanceof ProtocolError) || error.streamId === 0) throw error
        said.push(`error ${error.code} of ${error.streamId}`)
      }
    },
  })
  try {
    for (const chunk of chunks) reader.push(Buffer.from(chunk))
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    said.push(`error ${error.code}`)
  }
  return said
}

/** The bytes cut at these places. */
function cut(bytes: Buffer, places: readonly number[]): readonly Buffer[] {
  const sorted = [...new Set(places.map((place) => place % bytes.length))].sort((a, b) => a - b)
  return [...sorted, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : sorted[index - 1], end))
}

const PLACES = fc.array(fc.nat(), { maxLength: 40 })

describe('the readers of frames', () => {
  it('read the requests of node:http2 as they were meant, however the bytes are cut', async function () {
    this.timeout(60_000)
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/)
    const value = fc.stringMatching(/^[!-~]([ -~]{0,60}[!-~])?$/)
    const header = fc.tuple(
      name.map((text) => `x-${text}`),
      value,
    )
    const request = fc.record({
      headers: fc.uniqueArray(header, { selector: ([key]) => key, maxLength: 12 }),
      body: fc.uint8Array({ maxLength: 3000 }),
    })
    const requests = fc.array(request, { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(requests, PLACES, async (sent, places) => {
        const bytes = await bytesOf(sent)
        const whole = read([bytes])
        expect(read(cut(bytes, places))).to.deep.equal(whole)
        sent.forEach(({ headers, body }, index) => {
          const id = 2 * index + 1
          const from = whole.findIndex((line) => line.startsWith(`headers ${id} `))
          const fields = whole.slice(from + 1).filter((line) => /^[:\w-]+: /.test(line))
          expect(fields).to.include.members(headers.map(([key, text]) => `${key}: ${text}`))
          const data = whole.filter((line) => line.startsWith(`data ${id} `)).map((line) => line.split(' ')[2])
          expect(data.join('')).to.equal(Buffer.from(body).toString('hex'))
        })
      }),
      { numRuns: 60 },
    )
  })

  it('say the same of any bytes, however they are cut, and end with nothing but the protocol’s own error', () => {
    const types = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.nat(255))
    const anyFrame = fc
      .tuple(types, fc.nat(255), fc.integer({ min: 0, max: 5 }), fc.uint8Array({ maxLength: 60 }))
      .map(([type, flags, id, payload]) => frame(type, flags, id, Buffer.from(payload)))
    const settings = frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(0))
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyFrame, fc.uint8Array({ maxLength: 20 })), { maxLength: 30 }),
        PLACES,
        (some, places) => {
          const bytes = Buffer.concat([PREFACE, settings, ...some])
          expect(read(cut(bytes, places))).to.deep.equal(read([bytes]))
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('refuse any other beginning than the preface as soon as it is wrong', () => {
    for (let at = 0; at < PREFACE.length; at++) {
      const bytes = Buffer.from(PREFACE)
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
      expect(read([bytes.subarray(0, at + 1)])).to.deep.equal(['error PROTOCOL_ERROR'])
    }
  })

  it('take padding and priority off, and count padding for flow control', () => {
    const block = Buffer.from('82', 'hex')
    const padded = Buffer.concat([Buffer.from([2]), Buffer.from('0000000010', 'hex'), block, Buffer.alloc(2)])
    const bytes = Buffer.concat([
      PREFACE,
      frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(0)),
      frame(FRAME.HEADERS, FLAG.PADDED | FLAG.PRIORITY | FLAG.END_HEADERS, 1, padded),
      frame(FRAME.DATA, FLAG.PADDED | FLAG.END_STREAM, 1, Buffer.from([2, 7, 8, 0, 0])),
    ])
    expect(read([bytes])).to.deep.equal(['settings', 'headers 1 false', ':method: GET', 'data 1 0708 5 true'])
  })
})

interface Sent {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

/** What node:http2 sends for these requests, on one connection. */
async function bytesOf(requests: readonly Sent[]): Promise<Buffer> {
  const chunks: Buffer[] = []
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  session.on('error', () => undefined)
  const [socket] = await accepted
  // Its own settings, and an acknowledgement of the client's: enough for a client that is answered nothing.
  socket.write(
    Buffer.concat([frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(0)), frame(FRAME.SETTINGS, 1, 0, Buffer.alloc(0))]),
  )
  const ended = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (endsIn(Buffer.concat(chunks)) === requests.length) resolve()
    })
  })
  for (const { headers, body } of requests) {
    const stream = session.request({ ':method': 'POST', ':path': '/x', ...Object.fromEntries(headers) })
    stream.on('error', () => undefined)
    stream.end(body)
  }
  await ended
  session.destroy()
  socket.destroy()
  server.close()
  return Buffer.concat(chunks)
}

/** How many requests have ended in it. */
function endsIn(bytes: Buffer): number {
  return read([bytes]).filter((line) => /^(data|headers) .* true$/.test(line)).length
}
