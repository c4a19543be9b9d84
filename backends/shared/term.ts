/** One incarnation of ours in a seat: a term of a leader, one life of a member. */
import { CoordinationError, type ErrorCode, type FencingToken, type LossReason } from '../../spi/index.ts'
import { deferred } from './deferred.ts'
import type { Seated } from './driver.ts'
import type { LiveSession } from './kernel.ts'

export class Term {
  readonly id: string
  readonly token: FencingToken
  readonly data: Uint8Array
  /** Names the incarnation in the store, as the token does. */
  readonly nonce: string
  readonly session: LiveSession
  readonly #over = new AbortController()
  readonly #ended = deferred<LossReason>()

  constructor(seated: Seated, session: LiveSession) {
    this.id = seated.id
    this.token = seated.token
    this.data = seated.data
    this.nonce = seated.nonce
    this.session = session
  }

  /** Aborts when it ends, before anybody else can have the seat. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** Computed from clock and deadline. */
  get held(): boolean {
    return !this.#over.signal.aborted && this.session.holds
  }

  /** Resolves when it has ended and all listeners have been told so. */
  get ended(): Promise<LossReason> {
    return this.#ended.promise
  }

  /** Aborts the signal. */
  end(reason: Error): void {
    this.#over.abort(reason)
  }

  told(reason: LossReason): void {
    this.#ended.resolve(reason)
  }
}

/** What the signal's reason says. */
export function lossError(what: string, reason: LossReason, code: ErrorCode, backend: string): CoordinationError {
  const why: Record<LossReason, string> = {
    resigned: 'it was given up',
    'session-lost': 'the store has ended the session',
    deadline: 'no renewal of the session was acknowledged before its deadline',
    evicted: 'its record was removed or taken over',
    closed: 'the client is closed',
  }
  return new CoordinationError(code, `${what} is over (${reason}): ${why[reason]}`, { backend })
}
