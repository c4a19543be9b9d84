/**
 * Serves one streaming call, with back-pressure both ways. A request is asked for only when the one before has been
 * dealt with and the client takes its answers; answers that the connection has not taken yet are counted, in bytes.
 */
import type { RpcError, ServerStream, StreamHandler, StreamMethod } from '../transport.ts'
import { decodeRequest, failureOf, type OnDefect } from '../failures.ts'
import type { WireCall, WireListener } from './wire-call.ts'

/**
 * From this many unsent bytes on the stream is full: a few round trips of a fast reader, and cheap for a thousand
 * slow ones.
 */
const FULL_BYTES = 256 * 1024
/**
 * Down to this many the stream drains before it takes more, so that full and empty do not alternate with every message.
 */
const DRAINED_BYTES = 64 * 1024
/** What an unsent message costs besides its bytes: small answers without end must fill the stream too. */
const MESSAGE_OVERHEAD_BYTES = 256

export class StreamCall implements WireListener, ServerStream<unknown> {
  readonly #wire: WireCall
  readonly #method: StreamMethod<unknown, unknown>
  readonly #onDefect: OnDefect
  #handler: StreamHandler<unknown> | undefined
  #unsentBytes = 0
  #full = false
  /** A message has been asked for and has not come. */
  #asked = false
  /** The handler has not finished the last message. */
  #busy = false
  #reading = false
  #halfClosed = false
  #retired: RpcError | undefined

  constructor(wire: WireCall, method: StreamMethod<unknown, unknown>, onDefect: OnDefect) {
    this.#wire = wire
    this.#method = method
    this.#onDefect = onDefect
  }

  opened(): void {
    this.#guarded(() => {
      this.#handler = this.#method.open(this, this.#wire)
    })
    this.#read()
  }

  message(bytes: Buffer): void {
    this.#asked = false
    this.#guarded(() => {
      const pending = this.#handler?.message(decodeRequest(this.#method, bytes))
      if (pending instanceof Promise) this.#await(pending)
    })
    this.#read()
  }

  halfClosed(): void {
    this.#asked = false
    this.#halfClosed = true
    this.#guarded(() => this.#handler?.halfClosed())
  }

  closed(): void {
    this.#guarded(() => this.#handler?.closed())
  }

  gone(): void {
    // What was unsent is counted per stream, and the stream is no more.
  }

  send(response: unknown): boolean {
    if (this.#wire.closed) return false
    this.#guarded(() => {
      const message = this.#method.encode(response)
      const cost = message.length + MESSAGE_OVERHEAD_BYTES
      this.#unsentBytes += cost
      if (this.#unsentBytes >= FULL_BYTES) this.#full = true
      this.#wire.send(message, () => this.#sent(cost))
    })
    return !this.#full && !this.#wire.closed
  }

  end(): void {
    this.#wire.end()
  }

  fail(error: unknown): void {
    this.#wire.fail(failureOf(error, this.#onDefect))
  }

  /** Ends the stream with `error` as soon as the handler is done with the message in hand. */
  retire(error: RpcError): void {
    this.#retired = error
    if (!this.#busy) this.#wire.fail(error)
  }

  #await(pending: Promise<void>): void {
    this.#busy = true
    pending.then(
      () => {
        this.#busy = false
        if (this.#retired !== undefined) this.#wire.fail(this.#retired)
        else this.#read()
      },
      (error: unknown) => this.#wire.fail(failureOf(error, this.#onDefect)),
    )
  }

  #sent(cost: number): void {
    this.#unsentBytes -= cost
    if (!this.#full || this.#unsentBytes > DRAINED_BYTES || this.#wire.closed) return
    this.#full = false
    this.#guarded(() => this.#handler?.drained())
    this.#read()
  }

  /** A loop, because a message that has arrived already comes inside `read()`: a chunk can hold thousands. */
  #read(): void {
    if (this.#reading) return
    this.#reading = true
    while (this.#mayRead()) {
      this.#asked = true
      this.#wire.read()
    }
    this.#reading = false
  }

  #mayRead(): boolean {
    return !this.#wire.closed && !this.#asked && !this.#busy && !this.#full && !this.#halfClosed
  }

  #guarded(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#wire.fail(failureOf(error, this.#onDefect))
    }
  }
}
