/** Connects to a server and takes up a ZooKeeper session there, a new one or one that is there already. */
import { once } from 'node:events'
import jute, { type Payload } from 'node-zookeeper-client/lib/jute/index.js'
import { reasonOf } from '../../../spi/helpers/backoff.ts'
import { Frames } from '../protocol/frames.ts'
import { filled } from '../protocol/operations.ts'
import { longOf } from '../protocol/stat.ts'
import { Connection } from './connection.ts'
import { SilentServerError } from './errors.ts'
import { type Endpoint, openSocket, type Tls } from './socket.ts'

export interface SessionKey {
  /** 0n: a new session is wanted. */
  readonly id: bigint
  readonly password: Buffer
}

export interface Hello {
  readonly key: SessionKey
  /** A server that has seen less does not take us. */
  readonly lastZxid: bigint
  /** Wished, milliseconds. */
  readonly timeoutMs: number
}

export interface Welcome {
  readonly connection: Connection
  /** undefined: the session is over. */
  readonly granted: { readonly key: SessionKey; readonly timeoutMs: number } | undefined
}

export const NO_SESSION: SessionKey = { id: 0n, password: Buffer.alloc(16) }

const PROTOCOL_VERSION = 0

/**
 * @param limitMs for all of it, milliseconds.
 * @throws SilentServerError; Error if the server refuses, or ends the connection; the signal's reason
 */
export async function shakeHands(
  endpoint: Endpoint,
  tls: Tls,
  hello: Hello,
  limitMs: number,
  signal: AbortSignal,
): Promise<Welcome> {
  const { socket, ready } = openSocket(endpoint, tls)
  const place = `${endpoint.host}:${endpoint.port}`
  const end = new AbortController()
  const timer = setTimeout(
    () => end.abort(new SilentServerError(`${place} has not answered within ${Math.round(limitMs)} ms`)),
    limitMs,
  )
  const limits = AbortSignal.any([signal, end.signal])
  // once() hears of errors only while it waits
  socket.on('error', () => undefined)
  // a connection that ends before it was answered is refused; a server that is not ready does that
  socket.once('close', () => end.abort(new Error(`${place} ended the connection`)))
  try {
    await once(socket, ready, { signal: limits })
    socket.write(new jute.Request(undefined, recordOf(hello)).toBuffer())
    const frames = new Frames()
    for (;;) {
      const [chunk] = (await once(socket, 'data', { signal: limits })) as [Buffer]
      const [answer, ...rest] = frames.push(chunk)
      if (answer === undefined) continue
      socket.pause()
      return { connection: new Connection(socket, place, frames, rest), granted: grantOf(answer) }
    }
  } catch (error) {
    socket.destroy()
    throw limits.aborted ? reasonOf(limits) : error
  } finally {
    clearTimeout(timer)
  }
}

function recordOf({ key, lastZxid, timeoutMs }: Hello): Payload {
  const { ConnectRequest } = jute.protocol
  const record = new ConnectRequest(PROTOCOL_VERSION, longOf(lastZxid), timeoutMs, longOf(key.id), key.password)
  return {
    byteLength: () => record.byteLength() + 1,
    serialize: (buffer, offset) => {
      const written = record.serialize(buffer, offset)
      // the record is that of servers before 3.4; those after it want to be told that we do not only read
      return written + 1
    },
  }
}

function grantOf(answer: Buffer): Welcome['granted'] {
  const { timeOut, sessionId, passwd } = filled(new jute.protocol.ConnectResponse(), answer)
  const id = sessionId.readBigInt64BE()
  if (timeOut <= 0 || id === 0n) return undefined
  return { key: { id, password: passwd ?? NO_SESSION.password }, timeoutMs: timeOut }
}
