/** A client that sends whatever bytes it is told to, and keeps the frames that come back. */
import { connect, type Socket } from 'node:net'
import { FRAME, frame, grpcMessage } from '../../test/raw-http2.fixture.ts'
import { encodeHeaders } from './hpack/hpack-encoder.ts'

export interface ReceivedFrame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

export const END_STREAM = 1
export const END_HEADERS = 4

export class RawClient {
  readonly socket: Socket
  readonly frames: ReceivedFrame[] = []
  isClosed = false
  #bytes = Buffer.alloc(0)
  readonly #waiting: { readonly met: () => boolean; readonly resolve: () => void }[] = []

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket.on('error', () => undefined)
    this.socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      while (this.#bytes.length >= 9 && this.#bytes.length >= 9 + this.#bytes.readUIntBE(0, 3)) {
        const end = 9 + this.#bytes.readUIntBE(0, 3)
        this.frames.push({
          type: this.#bytes.readUInt8(3),
          flags: this.#bytes.readUInt8(4),
          streamId: this.#bytes.readUInt32BE(5),
          payload: this.#bytes.subarray(9, end),
        })
        this.#bytes = this.#bytes.subarray(end)
      }
      this.#look()
    })
    this.socket.once('close', () => {
      this.isClosed = true
      this.#look()
    })
  }

  send(...parts: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(parts))
  }

  /** Resolves when the condition holds, looking whenever something has come. @throws if the connection ends first */
  async until(what: string, condition: () => boolean): Promise<void> {
    if (!condition() && !this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#waiting.push({ met: () => condition() || this.isClosed, resolve })
      })
    }
    if (!condition()) throw new Error(`the connection ended before ${what}; it got ${JSON.stringify(this.endings)}`)
  }

  /** Resolves when the server has read all that was sent so far. */
  async settled(): Promise<void> {
    const mark = Buffer.from(`mark ${String(this.frames.length).slice(-3).padStart(3)}`)
    this.send(frame(FRAME.ping, 0, 0, mark))
    await this.until('answer to a ping', () => this.frames.some(({ payload }) => payload.equals(mark)))
  }

  closed(): Promise<void> {
    return this.until('its end', () => this.isClosed)
  }

  /** RST_STREAM and GOAWAY frames, as 'reset STREAM CODE' and 'goaway CODE TEXT'. */
  get endings(): readonly string[] {
    return this.frames.flatMap(({ type, streamId, payload }) => {
      if (type === FRAME.reset) return [`reset ${streamId} ${payload.readUInt32BE(0)}`]
      if (type === FRAME.goAway) return [`goaway ${payload.readUInt32BE(4)} ${payload.toString('utf8', 8)}`.trim()]
      return []
    })
  }

  /** Streams whose answer has come to its end. */
  get answered(): readonly number[] {
    const ends = this.frames.filter(({ type, flags }) => type === FRAME.headers && (flags & END_STREAM) !== 0)
    return ends.map(({ streamId }) => streamId)
  }

  of(type: number): readonly ReceivedFrame[] {
    return this.frames.filter((one) => one.type === type)
  }

  #look(): void {
    for (const waiter of [...this.#waiting]) {
      if (!waiter.met()) continue
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
      waiter.resolve()
    }
  }
}

/** The header block of a request. */
export function requestBlock(path: string, more: readonly (readonly [string, string])[] = []): Buffer {
  return encodeHeaders([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'x'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ])
}

export function opening(streamId: number, path = '/test.Service/Unary', flags = 0): Buffer {
  return frame(FRAME.headers, END_HEADERS | flags, streamId, requestBlock(path))
}

/** A whole unary call. */
export function call(streamId: number, message = '', path = '/test.Service/Unary'): Buffer {
  return Buffer.concat([
    opening(streamId, path),
    frame(FRAME.data, END_STREAM, streamId, grpcMessage(Buffer.from(message))),
  ])
}

export function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt16BE(id)
  bytes.writeUInt32BE(value, 2)
  return bytes
}

/** The same frame so many times. */
export function times(count: number, bytes: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes))
}
