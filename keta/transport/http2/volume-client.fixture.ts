/** A client that makes calls without end and keeps nothing of them but their number. */
import { connect, type Socket } from 'node:net'
import { FRAME, frame, grpcMessage, OPENING } from '../../test/raw-http2.fixture.ts'
import { LARGEST_WINDOW } from './frames.ts'
import { END_HEADERS, END_STREAM, number, requestBlock, setting } from './raw-client.fixture.ts'

const UNARY = requestBlock('/volume.Echo/Unary')
const STREAM = requestBlock('/volume.Echo/Stream')
const BODY = grpcMessage(Buffer.alloc(200, 'x'))
/** Calls, and messages of the stream, that are on their way at once. */
const DEPTH = 64
/** What is received before the window is widened again. */
const WIDENED_BYTES = 2 ** 24

export class VolumeClient {
  readonly #socket: Socket
  readonly #firstId: number
  #nextId: number
  #partial: Buffer = Buffer.alloc(0)
  /** Since the windows were widened: all, and events. */
  #received = 0
  #receivedEvents = 0
  #calls = 0
  #events = 0
  #wantedCalls = 0
  #wantedEvents = 0
  #done: (() => void) | undefined
  #failed: ((error: Error) => void) | undefined

  /** @param firstId of its streams: the first is for events, the others for unary calls. */
  constructor(port: number, firstId: number) {
    this.#firstId = firstId
    this.#nextId = firstId + 2
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('error', (error) => this.#failed?.(error))
    this.#socket.on('close', () => this.#failed?.(new Error('the server closed the connection')))
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#socket.write(
      Buffer.concat([
        OPENING,
        frame(FRAME.settings, 0, 0, setting(4, LARGEST_WINDOW)),
        frame(FRAME.windowUpdate, 0, 0, number(2 ** 30)),
        frame(FRAME.headers, END_HEADERS, firstId, STREAM),
      ]),
    )
  }

  /** The highest stream that was opened. */
  get lastId(): number {
    return this.#nextId - 2
  }

  /** Resolves when so many more calls were answered, and as many events came. @throws if the server does not go on */
  run(count: number): Promise<void> {
    this.#wantedCalls = this.#calls + count
    this.#wantedEvents = this.#events + count
    return new Promise((resolve, reject) => {
      this.#done = resolve
      this.#failed = reject
      for (let index = 0; index < Math.min(DEPTH, count); index++) {
        this.#call()
        this.#event()
      }
    })
  }

  close(): void {
    this.#failed = undefined
    this.#socket.destroy()
  }

  #call(): void {
    const head = frame(FRAME.headers, END_HEADERS, this.#nextId, UNARY)
    this.#socket.write(Buffer.concat([head, frame(FRAME.data, END_STREAM, this.#nextId, BODY)]))
    this.#nextId += 2
  }

  #event(): void {
    this.#socket.write(frame(FRAME.data, 0, this.#firstId, BODY))
  }

  #read(chunk: Buffer): void {
    const bytes = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk])
    let at = 0
    this.#socket.cork()
    while (bytes.length - at >= 9 && bytes.length - at >= 9 + bytes.readUIntBE(at, 3)) {
      const length = bytes.readUIntBE(at, 3)
      this.#take(bytes.readUInt8(at + 3), bytes.readUInt8(at + 4), bytes.readUInt32BE(at + 5), length)
      at += 9 + length
    }
    this.#socket.uncork()
    this.#partial = bytes.subarray(at)
    if (this.#calls >= this.#wantedCalls && this.#events >= this.#wantedEvents) this.#done?.()
  }

  #take(type: number, flags: number, streamId: number, length: number): void {
    if (type === FRAME.goAway || type === FRAME.reset) {
      this.#failed?.(new Error(`frame ${type} of the server, for stream ${streamId}`))
    } else if (type === FRAME.data) this.#takeData(streamId, length)
    else if (type === FRAME.headers && (flags & END_STREAM) !== 0) {
      this.#calls++
      if (this.#calls + DEPTH <= this.#wantedCalls) this.#call()
    }
  }

  #takeData(streamId: number, length: number): void {
    this.#received += length
    if (streamId === this.#firstId) {
      this.#receivedEvents += length
      this.#events += length / BODY.length
      if (this.#events + DEPTH <= this.#wantedEvents) this.#event()
    }
    if (this.#received < WIDENED_BYTES) return
    this.#socket.write(frame(FRAME.windowUpdate, 0, 0, number(this.#received)))
    this.#socket.write(frame(FRAME.windowUpdate, 0, this.#firstId, number(this.#receivedEvents)))
    this.#received = 0
    this.#receivedEvents = 0
  }
}
