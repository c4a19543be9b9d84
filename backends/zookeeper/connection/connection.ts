/**
 * One connection to one server, after the handshake. Requests go out in order and are answered in order. A server that
 * is silent while it owes an answer is left: it is asked for a sign of life when there is nothing else to ask.
 */
import type { Socket } from 'node:net'
import jute, { type Payload } from 'node-zookeeper-client/lib/jute/index.js'
import { OP, XID } from '../protocol/codes.ts'
import type { Frames } from '../protocol/frames.ts'
import { SilentServerError } from './errors.ts'

/** A reply with its header taken off. */
export interface Reply {
  readonly zxid: bigint
  readonly error: number
  readonly bytes: Buffer
}

export interface ConnectionEvents {
  /** A znode that is watched has changed. */
  changed(path: string): void
  /** Called once, after all requests that were under way have failed. */
  ended(error: Error): void
}

interface Waiting {
  readonly xid: number
  readonly sentAt: number
  readonly answered: (reply: Reply) => void
  readonly lost: (error: Error) => void
}

const HEADER_BYTES = 16
const LAST_XID = 0x7fff_ffff
/** Looks at the time, in parts of the silence. */
const LOOKS = 8
/** A sign of life is asked for after so many of them without a request. */
const IDLE_LOOKS = 4

export class Connection {
  readonly endpoint: string
  readonly #socket: Socket
  readonly #frames: Frames
  #silenceMs = Infinity
  readonly #waiting: Waiting[] = []
  readonly #early: Buffer[]
  #events: ConnectionEvents | undefined
  #xid = 0
  #sentAt = performance.now()
  #heardAt = performance.now()
  #timer: NodeJS.Timeout | undefined
  #end: Error | undefined
  #keepsAlive = true

  /** @param early messages that came with the answer to the handshake. */
  constructor(socket: Socket, endpoint: string, frames: Frames, early: readonly Buffer[]) {
    this.endpoint = endpoint
    this.#socket = socket
    this.#frames = frames
    this.#early = [...early]
  }

  /**
   * From now on it reads.
   * @param silenceMs so long may the server owe an answer without a word, milliseconds
   */
  start(events: ConnectionEvents, silenceMs: number): void {
    this.#events = events
    this.#silenceMs = silenceMs
    this.#socket.removeAllListeners('close')
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    this.#socket.on('error', (error) => this.end(error))
    this.#socket.on('close', () => this.end(new Error(`${this.endpoint} ended the connection`)))
    this.#timer = setInterval(() => this.#look(), this.#silenceMs / LOOKS)
    for (const frame of this.#early.splice(0)) this.#take(frame)
    if (this.#socket.destroyed) this.end(new Error(`${this.endpoint} ended the connection`))
    else this.#socket.resume()
  }

  /** Either of the two is called, once. Nothing was written if it throws. */
  send(
    request: { readonly type: number; readonly payload: Payload | undefined },
    answered: (reply: Reply) => void,
    lost: (error: Error) => void,
  ): void {
    this.#xid = this.#xid === LAST_XID ? 1 : this.#xid + 1
    this.#write(this.#xid, request.type, request.payload, answered, lost)
  }

  /** Shows who we are; before anything else is sent. */
  authenticate(scheme: string, credentials: Buffer, refused: () => void): void {
    const packet = new jute.protocol.AuthPacket(0, scheme, credentials)
    const answered = ({ error }: Reply) => {
      if (error !== 0) refused()
    }
    this.#write(XID.AUTH, OP.AUTH, packet, answered, () => undefined)
  }

  /** No more signs of life: the session may end. */
  fallSilent(): void {
    this.#keepsAlive = false
  }

  end(error: Error): void {
    if (this.#end !== undefined) return
    this.#end = error
    clearInterval(this.#timer)
    this.#socket.destroy()
    for (const { lost } of this.#waiting.splice(0)) lost(error)
    this.#events?.ended(error)
  }

  #write(
    xid: number,
    type: number,
    payload: Payload | undefined,
    answered: (reply: Reply) => void,
    lost: (error: Error) => void,
  ): void {
    const message = new jute.Request(new jute.protocol.RequestHeader(xid, type), payload).toBuffer()
    this.#sentAt = performance.now()
    this.#waiting.push({ xid, sentAt: this.#sentAt, answered, lost })
    this.#socket.write(message)
  }

  #receive(chunk: Buffer): void {
    this.#heardAt = performance.now()
    try {
      for (const frame of this.#frames.push(chunk)) this.#take(frame)
    } catch (error) {
      this.end(error as Error)
    }
  }

  #take(frame: Buffer): void {
    if (this.#end !== undefined) return
    const header = new jute.protocol.ReplyHeader()
    header.deserialize(frame, 0)
    const bytes = frame.subarray(HEADER_BYTES)
    if (header.xid === XID.NOTIFICATION) {
      const event = new jute.protocol.WatcherEvent()
      event.deserialize(bytes, 0)
      this.#events?.changed(event.path)
      return
    }
    const index = this.#waiting.findIndex(({ xid }) => xid === header.xid)
    const [waiting] = index === -1 ? [] : this.#waiting.splice(index, 1)
    // what the server handles aside (signs of life, credentials) may be answered before what was sent earlier
    if (waiting === undefined || this.#waiting.slice(0, index).some(({ xid }) => xid > 0)) {
      throw new Error(`${this.endpoint} answered out of turn`)
    }
    waiting.answered({ zxid: header.zxid.readBigInt64BE(), error: header.err, bytes })
  }

  #look(): void {
    const now = performance.now()
    const [oldest] = this.#waiting
    if (oldest === undefined) {
      const idle = now - this.#sentAt
      if (this.#keepsAlive && idle >= (this.#silenceMs / LOOKS) * IDLE_LOOKS) this.#ping()
      return
    }
    const heardAt = this.#heardAt
    if (now - Math.max(oldest.sentAt, heardAt) < this.#silenceMs) return
    // if it was us who stood still, the answer is there already, and is read before this
    setImmediate(() => {
      if (this.#heardAt !== heardAt) return
      this.end(new SilentServerError(`${this.endpoint} has been silent for ${Math.round(now - heardAt)} ms`))
    })
  }

  #ping(): void {
    const ignored = () => undefined
    this.#write(XID.PING, OP.PING, undefined, ignored, ignored)
  }
}
