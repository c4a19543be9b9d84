/** Connections that speak HTTP/2 badly, or gRPC badly over good HTTP/2. */
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { MessageStream } from './api-client.fixture.ts'

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const ANSWER_DEADLINE_MS = 20_000
const GRPC = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }

/** Of RFC 7541: whole headers, and names, of its static table. */
const [METHOD_POST, SCHEME_HTTP] = [0x83, 0x86]
const [AUTHORITY_NAME, PATH_NAME, CONTENT_TYPE_NAME] = [0x01, 0x04, [0x0f, 0x10]]
const END_HEADERS = 4

export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
}

/** @param length as the frame says; its payload may be of another. */
export function frame(type: number, flags: number, stream: number, payload: Buffer, length = payload.length): Buffer {
  const header = Buffer.alloc(9)
  header.writeUIntBE(length, 0, 3)
  header.writeUInt8(type, 3)
  header.writeUInt8(flags, 4)
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}

/** What a client sends first. */
export const OPENING = Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, Buffer.alloc(0))])

/** A connected socket; that the server breaks it off is no failure. */
export async function openSocket(endpoint: string): Promise<Socket> {
  const [host = '', port = ''] = endpoint.split(':')
  const socket = connect(Number(port), host)
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  return socket
}

/**
 * Sends the bytes and a last ping; resolves when the server has dealt with them: it answers the ping, says that it
 * breaks off, or closes the connection.
 */
export async function sendAndWait(endpoint: string, bytes: Buffer): Promise<void> {
  const socket = await openSocket(endpoint)
  let received = Buffer.alloc(0)
  const last = Buffer.from('the last')
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (typesOf(received).includes(FRAME.goAway) || received.includes(last)) resolve()
    })
    socket.end(Buffer.concat([bytes, frame(FRAME.ping, 0, 0, last)]))
  })
  socket.destroy()
}

/** The types of the frames that are there whole. */
function typesOf(bytes: Buffer): readonly number[] {
  const types: number[] = []
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) types.push(bytes.readUInt8(at + 3))
  return types
}

/** Opens a call of this path and resets it at once. */
export function openedAndReset(stream: number, path: string): Buffer {
  const headers = Buffer.concat([
    Buffer.from([METHOD_POST, SCHEME_HTTP]),
    literal(Buffer.from([PATH_NAME]), path),
    literal(Buffer.from([AUTHORITY_NAME]), 'x'),
    literal(Buffer.from(CONTENT_TYPE_NAME), 'application/grpc'),
    literal(Buffer.from([0, 2, ...Buffer.from('te')]), 'trailers'),
  ])
  return Buffer.concat([
    frame(FRAME.headers, END_HEADERS, stream, headers),
    frame(FRAME.reset, 0, stream, Buffer.from([0, 0, 0, 8])),
  ])
}

/** A header without Huffman coding that no table is to keep. */
function literal(name: Buffer, value: string): Buffer {
  return Buffer.concat([name, Buffer.from([value.length]), Buffer.from(value)])
}

export async function openSession(endpoint: string): Promise<ClientHttp2Session> {
  const session = connectHttp2(`http://${endpoint}`)
  session.on('error', () => undefined)
  await once(session, 'connect')
  return session
}

/** Sends a request with this body; resolves to its grpc-status, else its HTTP status, or how it was broken off. */
export async function postRaw(
  session: ClientHttp2Session,
  path: string,
  body: Buffer,
  headers: OutgoingHttpHeaders = {},
): Promise<string> {
  const stream = session.request({ ...GRPC, ':path': path, ...headers })
  return new Promise((resolve) => {
    let status = ''
    const note = (received: IncomingHttpHeaders & IncomingHttpStatusHeader): void => {
      const { 'grpc-status': grpc, ':status': http } = received
      if (typeof grpc === 'string') status = `grpc ${grpc}`
      else if (http !== undefined && http !== 200) status = `http ${http}`
    }
    stream.on('response', note)
    stream.on('trailers', note)
    stream.on('error', () => undefined)
    stream.once('close', () => resolve(status === '' ? `reset ${String(stream.rstCode)}` : status))
    stream.setTimeout(ANSWER_DEADLINE_MS, () => {
      status = 'no answer'
      stream.close()
    })
    stream.resume()
    stream.end(body)
  })
}

/** A gRPC message: flag, length, bytes. */
export function grpcMessage(bytes: Buffer, flag = 0, length = bytes.length): Buffer {
  const header = Buffer.alloc(5)
  header.writeUInt8(flag, 0)
  header.writeUInt32BE(length, 1)
  return Buffer.concat([header, bytes])
}

/** A stream whose connection takes nothing but a window's worth before it is read. */
export function openUnread(session: ClientHttp2Session, path: string): MessageStream {
  const stream = session.request({ ...GRPC, ':path': path })
  stream.on('error', () => undefined)
  return {
    send: (bytes) => stream.write(grpcMessage(bytes)),
    onMessage(listener) {
      let chunks: Buffer[] = []
      let length = 0
      let needed = 0
      stream.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length < needed) return
        let rest = Buffer.concat(chunks, length)
        while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
          const end = 5 + rest.readUInt32BE(1)
          listener(rest.subarray(5, end))
          rest = rest.subarray(end)
        }
        chunks = [rest]
        length = rest.length
        needed = length >= 5 ? 5 + rest.readUInt32BE(1) : 0
      })
    },
    onEnd: (listener) => stream.once('close', () => listener('closed')),
    close: () => stream.close(),
  }
}
