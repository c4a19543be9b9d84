/** One incarnation of the session: up to when it surely holds, and that it is over once it is. */
import { type Clock, leaseDeadline, type Session, type SessionListener, type SessionState } from '../../spi/index.ts'
import type { SessionGrant } from './driver.ts'
import type { LiveSession } from './kernel.ts'

export interface LeaseOptions {
  readonly clock: Clock
  /** `capabilities.session.granularityMs`. */
  readonly granularityMs: number
  /** `clock.now()` just before the session was asked for. */
  readonly sentAt: number
  readonly grant: SessionGrant
  /** Where listeners go: they outlive the incarnation. */
  readonly listeners: Pick<Session, 'addListener' | 'removeListener'>
}

export class Lease implements LiveSession, Session {
  readonly id: string
  readonly #clock: Clock
  readonly #granularityMs: number
  readonly #listeners: LeaseOptions['listeners']
  readonly #over = new AbortController()
  #state: SessionState = 'connected'
  #grant: SessionGrant
  #sentAt: number
  #deadline: number

  constructor({ clock, granularityMs, sentAt, grant, listeners }: LeaseOptions) {
    this.id = grant.id
    this.#clock = clock
    this.#granularityMs = granularityMs
    this.#listeners = listeners
    this.#grant = grant
    this.#sentAt = sentAt
    this.#deadline = this.#deadlineOf(sentAt, grant)
  }

  get ttlMs(): number {
    return this.#grant.ttlMs
  }

  get skewMs(): number {
    return this.#grant.skewMs ?? 0
  }

  get deadline(): number {
    return this.#deadline
  }

  get over(): AbortSignal {
    return this.#over.signal
  }

  get holds(): boolean {
    return !this.#over.signal.aborted && this.#clock.now() < this.#deadline
  }

  /** Past its deadline it is lost, also before anybody has had the time to say so. */
  get state(): SessionState {
    return this.holds || this.#over.signal.aborted ? this.#state : 'lost'
  }

  /** When the acknowledged request that the deadline rests on was sent. */
  get sentAt(): number {
    return this.#sentAt
  }

  /** What is acknowledged out of order counts for nothing. */
  renewed(sentAt: number, grant: SessionGrant): void {
    if (sentAt < this.#sentAt) return
    this.#sentAt = sentAt
    this.#grant = grant
    this.#deadline = this.#deadlineOf(sentAt, grant)
  }

  /** @returns whether this is news. */
  contact(state: 'connected' | 'suspended'): boolean {
    if (this.#over.signal.aborted || this.#state === state) return false
    this.#state = state
    return true
  }

  end(state: 'lost' | 'closed', reason: Error): void {
    this.#state = state
    this.#over.abort(reason)
  }

  addListener(listener: SessionListener): void {
    this.#listeners.addListener(listener)
  }

  removeListener(listener: SessionListener): void {
    this.#listeners.removeListener(listener)
  }

  #deadlineOf(sentAt: number, { ttlMs, skewMs = 0 }: SessionGrant): number {
    return leaseDeadline({ sentAt, ttlMs, granularityMs: this.#granularityMs, skewMs })
  }
}
