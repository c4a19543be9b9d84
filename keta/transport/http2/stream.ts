/** One stream of a connection, as whoever serves its request uses it. */
import { DEFAULT_WINDOW, FRAME } from './frames.ts'
import type { Output } from './output.ts'
import { type ErrorCodeName, ProtocolError } from './protocol-error.ts'
import type { ReceiveBudget, Reservation } from './receive-budget.ts'
import type { SendQueue } from './send-queue.ts'
import type { Sender, SendingStream } from './sender.ts'

/** Serves the request of a stream. After `closed` nothing is called. */
export interface StreamReceiver {
  /** Part of the body, lent. What is dealt with has to be given back with `Http2Stream.consumed`. */
  data(bytes: Buffer, start: number, end: number): void
  /** The body is complete. */
  bodyEnd(): void
  /** Some of what waits has been sent. */
  sent(): void
  /** The stream is over: all is sent and received, or it was reset, or the connection is gone. Called once. */
  closed(): void
}

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly output: Output
  readonly sender: Sender
  readonly budget: ReceiveBudget
  /** HEADERS or DATA have been sent. */
  answered(): void
  /** The answer is complete. */
  ended(stream: Http2Stream): void
  reset(stream: Http2Stream, code: ErrorCodeName): void
}

export class Http2Stream implements SendingStream {
  readonly id: number
  sendWindow: number
  queue: SendQueue | undefined
  receiver: StreamReceiver | undefined
  remoteClosed = false
  localClosed = false
  /** Nothing more can be sent or comes. */
  gone = false
  readonly #owner: StreamOwner
  readonly #contentLength: number | undefined
  #bodyBytes = 0
  #window = DEFAULT_WINDOW
  /** Received and not given back. */
  #held = 0
  #reserved = 0
  /** What has been asked for and not granted. */
  #reservation: Reservation | undefined
  #trailers: Buffer | undefined
  #endWaits = false

  constructor(id: number, owner: StreamOwner, contentLength: number | undefined) {
    this.id = id
    this.#owner = owner
    this.sendWindow = owner.sender.initialWindow
    this.#contentLength = contentLength
  }

  /** What has been sent and not left, in bytes of memory. */
  get unsent(): number {
    return this.queue?.cost ?? 0
  }

  /** @param endStream there is no more than these. */
  sendHeaders(block: Buffer, endStream = false): void {
    if (this.gone) return
    this.#owner.output.headers(this.id, block, endStream)
    this.#owner.answered()
    if (endStream) this.#ended()
  }

  /** One message of gRPC. It must not be changed any more. */
  sendMessage(payload: Uint8Array): void {
    if (this.gone || this.localClosed) return
    this.#owner.sender.message(this, payload)
    this.#owner.answered()
  }

  sendBytes(bytes: Uint8Array): void {
    if (this.gone || this.localClosed) return
    this.#owner.sender.bytes(this, bytes)
    this.#owner.answered()
  }

  /** Ends the answer, after all that waits. */
  end(trailers?: Buffer): void {
    if (this.gone || this.localClosed) return
    this.#trailers = trailers
    this.localClosed = true
    if (this.queue === undefined) this.#sendEnd()
    else this.#endWaits = true
  }

  reset(code: ErrorCodeName): void {
    if (!this.gone) this.#owner.reset(this, code)
  }

  sent(): void {
    this.#owner.answered()
    if (this.queue === undefined && this.#endWaits) this.#sendEnd()
    else this.receiver?.sent()
  }

  /** @throws ProtocolError of the stream, or of the connection. */
  receive(bytes: Buffer, start: number, end: number, flowBytes: number): void {
    this.#window -= flowBytes
    if (this.#window < 0) throw this.#error('FLOW_CONTROL_ERROR', 'more than the window allows')
    this.#bodyBytes += end - start
    if (this.#contentLength !== undefined && this.#bodyBytes > this.#contentLength) {
      throw this.#error('PROTOCOL_ERROR', 'more than the content-length says')
    }
    this.#held += flowBytes
    if (!this.#owner.budget.hold(flowBytes)) throw this.#error('ENHANCE_YOUR_CALM', 'too much that is not complete')
    if (flowBytes > end - start) this.consumed(flowBytes - (end - start))
    if (end > start && !this.localClosed) this.receiver?.data(bytes, start, end)
    else this.consumed(end - start)
  }

  /** @throws ProtocolError of the stream. */
  receiveEnd(): void {
    if (this.#contentLength !== undefined && this.#bodyBytes !== this.#contentLength) {
      throw this.#error('PROTOCOL_ERROR', 'less than the content-length says')
    }
    this.remoteClosed = true
    if (!this.localClosed) this.receiver?.bodyEnd()
  }

  /** What was received has been dealt with: the client may send more. */
  consumed(bytes: number): void {
    if (this.gone) return
    this.#held -= bytes
    this.#owner.budget.hold(-bytes)
    if (this.remoteClosed || this.localClosed) return
    const room = DEFAULT_WINDOW - this.#window - this.#held
    if (room >= DEFAULT_WINDOW / 2) this.#widen(room)
  }

  /** The message that is being received has so many more bytes to come: they are let in when there is room. */
  expect(bytes: number): void {
    const missing = bytes - this.#window
    if (missing <= 0 || this.gone) return
    this.#reservation = {
      bytes: missing,
      granted: () => {
        this.#reservation = undefined
        this.#reserved += missing
        this.#widen(missing)
      },
    }
    this.#owner.budget.reserve(this.#reservation)
  }

  /** What `expect` has let in is dealt with. */
  settled(): void {
    if (this.#reserved > 0) this.#owner.budget.release(this.#reserved)
    this.#reserved = 0
  }

  /** The connection's last word to it. */
  close(): void {
    if (this.gone) return
    this.gone = true
    this.#owner.sender.forget(this)
    this.#owner.budget.hold(-this.#held)
    this.settled()
    if (this.#reservation !== undefined) this.#owner.budget.withdraw(this.#reservation)
    this.receiver?.closed()
  }

  #widen(bytes: number): void {
    this.#window += bytes
    this.#owner.output.number(FRAME.WINDOW_UPDATE, this.id, bytes)
  }

  #sendEnd(): void {
    this.#endWaits = false
    const { output } = this.#owner
    if (this.#trailers === undefined) output.data(this.id, 0, true)
    else output.headers(this.id, this.#trailers, true)
    this.#owner.answered()
    this.#ended()
  }

  #ended(): void {
    this.localClosed = true
    this.#owner.ended(this)
  }

  #error(code: ErrorCodeName, message: string): ProtocolError {
    return new ProtocolError(code, message, this.id)
  }
}
