/** Serves one unary call: reads its request, runs the method, sends the answer. */
import { RpcError, STATUS, type UnaryMethod } from '../transport.ts'
import { decodeRequest, failureOf, type OnDefect } from './failures.ts'
import type { WireCall, WireListener } from './wire-call.ts'

export class UnaryCall implements WireListener {
  readonly #wire: WireCall
  readonly #method: UnaryMethod<unknown, unknown>
  readonly #onDefect: OnDefect

  constructor(wire: WireCall, method: UnaryMethod<unknown, unknown>, onDefect: OnDefect) {
    this.#wire = wire
    this.#method = method
    this.#onDefect = onDefect
  }

  opened(): void {
    this.#wire.read()
  }

  /** The end of the request stream is not waited for: there can be no second message. */
  message(bytes: Buffer): void {
    try {
      const request = decodeRequest(this.#method, bytes)
      const response = this.#method.handle(request, this.#wire)
      if (response instanceof Promise)
        response.then(
          (value) => this.#answer(value),
          (error: unknown) => this.#fail(error),
        )
      else this.#answer(response)
    } catch (error) {
      this.#fail(error)
    }
  }

  halfClosed(): void {
    this.#wire.fail(new RpcError(STATUS.INTERNAL, 'unexpected EOF'))
  }

  closed(): void {
    // A method that runs is not interrupted: its effects may be in the log already.
  }

  #answer(response: unknown): void {
    if (this.#wire.closed) return
    try {
      this.#wire.send(this.#method.encode(response), () => undefined)
      this.#wire.end()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#wire.fail(failureOf(error, this.#onDefect))
  }
}
