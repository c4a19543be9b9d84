/** The handle of a term that a broker is given: what it may know, and nothing of how it is kept. */
import { CoordinationError, type FencingToken, type Leadership, type OpOptions } from '../../spi/index.ts'
import { reasonOf } from '../../spi/helpers/backoff.ts'
import type { Term } from './term.ts'

export interface LeadershipOptions {
  readonly service: string
  readonly backend: string
  readonly verify: (options: OpOptions | undefined) => Promise<boolean>
  readonly resign: () => Promise<void>
}

export class LeadershipHandle implements Leadership {
  readonly service: string
  readonly candidate: string
  readonly token: FencingToken
  readonly data: Uint8Array
  readonly signal: AbortSignal
  readonly #term: Term
  readonly #options: LeadershipOptions

  constructor(term: Term, options: LeadershipOptions) {
    this.service = options.service
    this.candidate = term.id
    this.token = term.token
    this.data = new Uint8Array(term.data)
    this.signal = term.signal
    this.#term = term
    this.#options = options
  }

  get held(): boolean {
    return this.#term.held
  }

  assertHeld(): void {
    if (this.#term.held) return
    if (this.signal.aborted) throw reasonOf(this.signal)
    const message = `the leadership of ${JSON.stringify(this.candidate)} is past its deadline`
    throw new CoordinationError('LEADERSHIP_LOST', message, { backend: this.#options.backend, key: this.service })
  }

  verify(options?: OpOptions): Promise<boolean> {
    return this.#options.verify(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#options.resign()
  }
}
