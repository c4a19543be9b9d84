/** Serves one unary call: reads its request, runs the method, sends the answer. */
import { decodeRequest, NO_REQUEST } from '../failures.ts'
import { RpcError, STATUS, type UnaryMethod } from '../transport.ts'
import { type CallHost, type CallOptions, GrpcCall } from './grpc-call.ts'
import type { Waiter } from './streams.ts'

const HALF_A_REQUEST = new RpcError(STATUS.UNKNOWN, 'unexpected EOF')

export class UnaryCall extends GrpcCall implements Waiter {
  readonly #method: UnaryMethod<unknown, unknown>
  #hasRequest = false
  #hasEnded = false
  #isPending = false
  #isOrphan = false

  constructor(host: CallHost, options: CallOptions, method: UnaryMethod<unknown, unknown>) {
    super(host, options)
    this.#method = method
  }

  /** The end of the request is not waited for: there can be no second message. */
  data(bytes: Buffer, start: number, end: number): void {
    if (this.#hasRequest || this.isOver) {
      this.stream.consumed(end - start)
      return
    }
    this.reader.push(bytes, start, end)
    this.#read()
  }

  bodyEnd(): void {
    this.#hasEnded = true
    if (!this.#hasRequest) this.#read()
  }

  sent(): void {
    // There is one message to send, and it has been handed over.
  }

  roomMade(): void {
    this.#read()
  }

  protected override onStatus(): void {
    this.streams.stopWaiting(this)
  }

  /** A method that runs is not interrupted: its effects may be in the log already. */
  protected override onCancelled(): void {
    this.streams.stopWaiting(this)
    if (!this.#isPending) return
    this.#isOrphan = true
    this.streams.orphaned()
  }

  /** Nothing is taken in while the client does not take its answers: what it has sent stays within its windows. */
  #read(): void {
    if (this.streams.hasRoom) this.#readMessage()
    else this.streams.waitForRoom(this)
    if (this.#hasRequest || this.isOver) this.reader.discard()
    else this.reader.keep()
  }

  #readMessage(): void {
    try {
      const message = this.reader.next()
      if (message !== undefined) {
        this.#hasRequest = true
        this.#handle(message)
      } else if (this.#hasEnded) this.fail(this.reader.isWithinMessage ? HALF_A_REQUEST : NO_REQUEST)
    } catch (error) {
      this.fail(error)
    }
  }

  #handle(message: Buffer): void {
    if (this.isOver) return
    try {
      const response = this.#method.handle(decodeRequest(this.#method, message), this)
      if (response instanceof Promise) this.#await(response)
      else this.#answer(response)
    } catch (error) {
      this.fail(error)
    }
  }

  #await(response: Promise<unknown>): void {
    this.#isPending = true
    response.then(
      (value) => {
        this.#settled()
        this.#answer(value)
      },
      (error: unknown) => {
        this.#settled()
        this.fail(error)
      },
    )
  }

  #settled(): void {
    this.#isPending = false
    if (this.#isOrphan) this.streams.orphanDone()
  }

  #answer(response: unknown): void {
    if (this.isOver) return
    try {
      this.sendMessage(this.#method.encode(response))
      this.succeed()
    } catch (error) {
      this.fail(error)
    }
  }
}
