/**
 * Serves one streaming call, with back-pressure both ways. A request is handed on only when the one before has been
 * dealt with and the client takes its answers; the window gives the client room only for what was handed on.
 */
import { decodeRequest } from '../failures.ts'
import { RpcError, type ServerStream, STATUS, type StreamHandler, type StreamMethod } from '../transport.ts'
import { type CallHost, type CallOptions, GrpcCall } from './grpc-call.ts'

/**
 * From this many unsent bytes on the stream is full: a few round trips of a fast reader, and cheap for a thousand
 * slow ones.
 */
const FULL_BYTES = 256 * 1024
/**
 * Down to this many the stream drains before it takes more, so that full and empty do not alternate with every message.
 */
const DRAINED_BYTES = 64 * 1024

const UNEXPECTED_END = new RpcError(STATUS.INTERNAL, 'unexpected EOF')

export class StreamCall extends GrpcCall implements ServerStream<unknown> {
  readonly #method: StreamMethod<unknown, unknown>
  #handler: StreamHandler<unknown> | undefined
  #isFull = false
  /** The handler has not finished the last message. */
  #isBusy = false
  #isReading = false
  #hasEnded = false
  #isHalfClosed = false
  #isClosed = false
  #retired: RpcError | undefined

  constructor(host: CallHost, options: CallOptions, method: StreamMethod<unknown, unknown>) {
    super(host, options)
    this.#method = method
  }

  open(): void {
    this.#guarded(() => {
      this.#handler = this.#method.open(this, this)
    })
  }

  data(bytes: Buffer, start: number, end: number): void {
    this.reader.push(bytes, start, end)
    this.#read()
    if (this.isOver) this.reader.discard()
    else this.reader.keep()
  }

  bodyEnd(): void {
    this.#hasEnded = true
    this.#read()
  }

  sent(): void {
    if (!this.#isFull || this.stream.unsent > DRAINED_BYTES || this.isOver) return
    this.#isFull = false
    this.#guarded(() => this.#handler?.drained())
    this.#read()
    this.reader.keep()
  }

  send(response: unknown): boolean {
    if (this.isOver) return false
    this.#guarded(() => {
      this.sendMessage(this.#method.encode(response))
      const { unsent } = this.stream
      // A connection that is full lets each of its streams have one message more.
      if (unsent >= FULL_BYTES || (unsent > 0 && !this.streams.hasRoom)) this.#isFull = true
    })
    return !this.#isFull && !this.isOver
  }

  end(): void {
    this.succeed()
  }

  /** Ends the stream with `error` as soon as the handler is done with the message in hand. */
  retire(error: RpcError): void {
    this.#retired = error
    if (!this.#isBusy) this.fail(error)
  }

  protected override onStatus(): void {
    // Not at once: this may run inside a call from the handler, which is told when that has returned.
    queueMicrotask(() => this.#close())
  }

  protected override onCancelled(): void {
    this.#close()
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#guarded(() => this.#handler?.closed())
  }

  /** A loop: a chunk can hold thousands of messages. */
  #read(): void {
    if (this.#isReading) return
    this.#isReading = true
    this.#guarded(() => {
      while (this.#mayRead()) {
        const message = this.reader.next()
        if (message !== undefined) this.#deliver(message)
        else {
          if (this.#hasEnded) this.#halfClose()
          break
        }
      }
    })
    this.#isReading = false
  }

  #mayRead(): boolean {
    return !this.isOver && !this.#isBusy && !this.#isFull && !this.#isHalfClosed
  }

  #deliver(message: Buffer): void {
    const pending = this.#handler?.message(decodeRequest(this.#method, message))
    if (!(pending instanceof Promise)) return
    this.#isBusy = true
    pending.then(
      () => {
        this.#isBusy = false
        if (this.#retired !== undefined) this.fail(this.#retired)
        else {
          this.#read()
          this.reader.keep()
        }
      },
      (error: unknown) => this.fail(error),
    )
  }

  #halfClose(): void {
    this.#isHalfClosed = true
    if (this.reader.isEmpty) this.#handler?.halfClosed()
    else this.fail(UNEXPECTED_END)
  }

  #guarded(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.fail(error)
    }
  }
}
