/** Serves one unary call: reads its request, runs the method, sends the answer. */
import type { UnaryMethod } from '../transport.ts'
import type { AnswerBacklogs } from './answer-backlog.ts'
import { decodeRequest, failureOf, NO_REQUEST, type OnDefect } from '../failures.ts'
import type { WireCall, WireListener } from './wire-call.ts'

export class UnaryCall implements WireListener {
  readonly #wire: WireCall
  readonly #method: UnaryMethod<unknown, unknown>
  readonly #backlogs: AnswerBacklogs
  readonly #onDefect: OnDefect
  #peer = ''
  #answerBytes = 0

  constructor(wire: WireCall, method: UnaryMethod<unknown, unknown>, backlogs: AnswerBacklogs, onDefect: OnDefect) {
    this.#wire = wire
    this.#method = method
    this.#backlogs = backlogs
    this.#onDefect = onDefect
  }

  opened(): void {
    this.#peer = this.#wire.peer
    this.#backlogs.whenRoom(this.#peer, () => this.#wire.read())
  }

  /** The end of the request stream is not waited for: there can be no second message. */
  message(bytes: Buffer): void {
    // Again: thousands of calls may have been opened before the first of them was answered.
    this.#backlogs.whenRoom(this.#peer, () => {
      if (!this.#wire.closed) this.#handle(bytes)
    })
  }

  halfClosed(): void {
    this.#wire.fail(NO_REQUEST)
  }

  closed(): void {
    // A method that runs is not interrupted: its effects may be in the log already.
  }

  gone(): void {
    if (this.#answerBytes > 0) this.#backlogs.taken(this.#peer, this.#answerBytes)
  }

  #handle(bytes: Buffer): void {
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

  #answer(response: unknown): void {
    if (this.#wire.closed) return
    try {
      const answer = this.#method.encode(response)
      this.#answerBytes = answer.length
      if (answer.length > 0) this.#backlogs.answered(this.#peer, answer.length)
      this.#wire.send(answer, () => undefined)
      this.#wire.end()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#wire.fail(failureOf(error, this.#onDefect))
  }
}
