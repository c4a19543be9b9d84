/**
 * Keeps the one session of a locator alive, says when it is lost before anybody else can profit from it, and replaces
 * it.
 *
 * unopened ─open─▶ live: connected ⇄ suspended ─deadline, or the store's word─▶ lost ─reopened─▶ live …; any ─▶ closed
 *
 * - connected → suspended: an attempt to renew has failed or is overdue; back with the first that succeeds.
 * - live → lost: whoever notices first that the deadline has passed (the timer, a renewal's reply, a call that needs
 *   the session), or that the store knows the session no more. From the deadline on no acknowledgement counts.
 * - On loss, at once and in this order: the incarnation is over, all dependants abort their signals, their listeners
 *   are called; when those are done the session's own hear of it. Meanwhile a new one is opened, however long that
 *   takes.
 */
import { CoordinationError, type OpOptions, type Session, type SessionListener } from '../../spi/index.ts'
import { sleep } from '../../spi/helpers/backoff.ts'
import { closedError } from './calls.ts'
import { type Deferred, deferred } from './deferred.ts'
import type { Call } from './driver.ts'
import type { LiveSession, SessionDependant, Sessions } from './kernel.ts'
import { Lease } from './lease.ts'
import { ListenerQueue } from './listener-queue.ts'
import type { KernelCore } from './make-kernel.ts'

/** Renewals are sent, and the first is given up, after this part of the ttl. */
const RENEWAL_PART = 1 / 3
/** Those that follow a failure have half of the time that is left, down to this part of the ttl. */
const SHORTEST_PART = 1 / 20
/** Sessions opened together shall not be renewed together: up to this part of the wait is left out. */
const JITTER = 0.2
/** Ending the session on closing is a courtesy to others. Milliseconds. */
const LONGEST_FAREWELL_MS = 2_000

export class SessionKeeper implements Sessions {
  readonly #core: KernelCore
  readonly #listeners: ListenerQueue<SessionListener>
  readonly #dependants = new Set<SessionDependant>()
  readonly #end = new AbortController()
  /** The present incarnation. */
  #live: Lease | undefined
  /** The present one, or the last before it. */
  #latest: Lease | undefined
  #alarm: Disposable | undefined
  /** Who waits for the next incarnation. */
  #next: Deferred<LiveSession> = deferred()
  /** What has been told to session listeners, in its order. */
  #told: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined

  constructor(core: KernelCore) {
    this.#core = core
    this.#listeners = new ListenerQueue({ logger: core.context.logger, what: 'session listener' })
  }

  /** @throws CoordinationError CONNECTION, TIMEOUT, AUTHENTICATION, AUTHORIZATION, CONFIG; CLOSED */
  async open(options?: OpOptions): Promise<void> {
    const lease = await this.#core.calls.repeat({ what: 'open a session' }, options, (call) => this.#ask(call))
    if (this.#end.signal.aborted) {
      this.#endInStore(lease)
      throw this.#closedError()
    }
    this.#begin(lease)
  }

  /** Ends it. Never rejects; bounded in time. Afterwards no listener runs. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  get current(): Session {
    if (this.#latest !== undefined) return this.#latest
    throw new CoordinationError('NOT_INITIALIZED', 'there is no session yet', {
      backend: this.#core.capabilities.backend,
    })
  }

  get live(): LiveSession | undefined {
    return this.#live?.holds === true ? this.#live : undefined
  }

  async next(): Promise<LiveSession> {
    if (this.#end.signal.aborted) throw this.#closedError()
    if (this.#live !== undefined && !this.#isOverdue(this.#live)) return this.#live
    return this.#next.promise
  }

  addDependant(dependant: SessionDependant): Disposable {
    this.#dependants.add(dependant)
    return {
      [Symbol.dispose]: () => {
        this.#dependants.delete(dependant)
      },
    }
  }

  reportGone(session: LiveSession): void {
    if (this.#live?.id === session.id) this.#lose(this.#live, 'session-lost')
  }

  async #ask(call: Call): Promise<Lease> {
    const { context, driver, capabilities } = this.#core
    const { granularityMs } = capabilities.session
    const sentAt = context.clock.now()
    const grant = await driver.openSession(context.sessionTimeoutMs, call)
    const lease = new Lease({ clock: context.clock, granularityMs, sentAt, grant, listeners: this.#registry })
    try {
      const { backend } = capabilities
      if (lease.deadline <= sentAt) {
        const message = `a session of ${grant.ttlMs} ms is shorter than what the ${backend} backend cannot tell apart`
        throw new CoordinationError('CONFIG', message, { backend })
      }
      if ((await this.#isFresh(lease, call)) && !call.signal.aborted && lease.holds) return lease
      throw new CoordinationError('TIMEOUT', 'the session was over before it was granted', { backend, effect: 'none' })
    } catch (error) {
      this.#endInStore(lease)
      throw error
    }
  }

  /** If opening has taken a good part of its time it is renewed before anybody relies on it. */
  async #isFresh(lease: Lease, call: Call): Promise<boolean> {
    const sentAt = this.#core.context.clock.now()
    if (sentAt - lease.sentAt < lease.ttlMs * RENEWAL_PART) return true
    const grant = await this.#core.driver.renewSession(lease.id, call)
    if (grant !== undefined) lease.renewed(sentAt, grant)
    return grant !== undefined
  }

  #begin(lease: Lease): void {
    this.#live = lease
    this.#latest = lease
    this.#watchDeadline(lease)
    this.#core.inBackground('renewing the session', this.#renewWhileLive(lease))
    const waiting = this.#next
    this.#next = deferred()
    waiting.resolve(lease)
  }

  async #renewWhileLive(lease: Lease): Promise<void> {
    const { context, farewells } = this.#core
    const { clock, random } = context
    const interval = () => lease.ttlMs * RENEWAL_PART
    const isOver = () => lease.over.aborted
    while (!isOver()) {
      try {
        await sleep(clock, lease.sentAt + interval() * (1 - JITTER * random()) - clock.now(), lease.over)
        const options = { signal: lease.over, timeoutMs: this.#attemptMs(lease) }
        await farewells.repeat({ what: 'renew the session' }, options, (call) => this.#renew(lease, call))
      } catch (error) {
        if (isOver()) return
        this.#suspend(lease, error)
        // a refusal comes at once: not in a loop
        await sleep(clock, (interval() * random()) / 4, lease.over).catch(() => undefined)
      }
    }
  }

  /** Not all of what is left for one request: a connection may swallow it, and the next one be good. */
  #attemptMs(lease: Lease): number {
    const left = lease.deadline - this.#core.context.clock.now()
    return Math.min(lease.ttlMs * RENEWAL_PART, Math.max(left / 2, lease.ttlMs * SHORTEST_PART))
  }

  async #renew(lease: Lease, call: Call): Promise<void> {
    if (this.#isOverdue(lease)) return
    const sentAt = this.#core.context.clock.now()
    let grant
    try {
      grant = await this.#core.driver.renewSession(lease.id, call)
    } catch (error) {
      if (!this.#isOverdue(lease)) this.#suspend(lease, error)
      throw error
    }
    // what was acknowledged too late may be another's already
    if (this.#isOverdue(lease)) return
    if (grant === undefined) {
      this.#lose(lease, 'session-lost')
      return
    }
    lease.renewed(sentAt, grant)
    this.#watchDeadline(lease)
    if (lease.contact('connected')) this.#tell((listener) => listener.onResumed?.())
  }

  #suspend(lease: Lease, cause: unknown): void {
    if (!lease.contact('suspended')) return
    this.#core.context.logger.warn(`the session is suspended: ${messageOf(cause)}`, { session: lease.id })
    this.#tell((listener) => listener.onSuspended?.())
  }

  #watchDeadline(lease: Lease): void {
    const { clock } = this.#core.context
    this.#alarm?.[Symbol.dispose]()
    this.#alarm = clock.setTimeout(() => {
      // timers may be early by what their clock is coarser than ours
      if (!this.#isOverdue(lease)) this.#watchDeadline(lease)
    }, lease.deadline - clock.now())
  }

  /** Not live any more, if need be from this moment on. */
  #isOverdue(lease: Lease): boolean {
    if (!lease.over.aborted && !lease.holds) this.#lose(lease, 'deadline')
    return lease.over.aborted
  }

  #lose(lease: Lease, reason: 'session-lost' | 'deadline'): void {
    if (this.#live !== lease) return
    const { backend } = this.#core.capabilities
    const why = reason === 'deadline' ? 'no renewal was acknowledged before its deadline' : 'the store has ended it'
    this.#live = undefined
    this.#alarm?.[Symbol.dispose]()
    lease.end('lost', new CoordinationError('SESSION_LOST', `the session is lost: ${why}`, { backend }))
    const tellers = [...this.#dependants].map((dependant) => dependant.sessionLost(lease, reason))
    const dependants = Promise.all(tellers.map((tell) => tell()))
    this.#told = this.#told.then(() => dependants).then(() => undefined)
    this.#tell((listener) => listener.onLost?.())
    this.#core.context.logger.warn(`the session is lost: ${why}`, { session: lease.id })
    if (reason === 'deadline') this.#endInStore(lease)
    this.#core.inBackground('opening a new session', this.#reopen())
  }

  async #reopen(): Promise<void> {
    const { context, farewells } = this.#core
    const { signal } = this.#end
    const isClosed = () => signal.aborted
    while (!isClosed()) {
      try {
        const lease = await farewells.repeat({ what: 'open a session' }, { signal }, (call) => this.#ask(call))
        this.#begin(lease)
        this.#tell((listener) => listener.onReestablished?.(lease))
        return
      } catch (error) {
        if (isClosed()) return
        context.logger.warn(`no new session yet: ${messageOf(error)}`)
        const pauseMs = context.sessionTimeoutMs * RENEWAL_PART * context.random()
        await sleep(context.clock, pauseMs, signal).catch(() => undefined)
      }
    }
  }

  /** So that others need not wait for its end. */
  #endInStore(lease: Lease): void {
    const { farewells, driver, context } = this.#core
    farewells
      .repeat({ what: 'end a session' }, { timeoutMs: lease.ttlMs }, (call) => driver.endSession(lease.id, call))
      .catch((error: unknown) => context.logger.debug(`a session ends by itself: ${messageOf(error)}`))
  }

  async #close(): Promise<void> {
    const { context, driver, farewells } = this.#core
    const lease = this.#live
    const closed = this.#closedError()
    this.#end.abort(closed)
    this.#live = undefined
    this.#alarm?.[Symbol.dispose]()
    this.#latest?.end('closed', closed)
    this.#next.reject(closed)
    await this.#listeners.close()
    if (lease === undefined) return
    const timeoutMs = Math.min(lease.ttlMs, LONGEST_FAREWELL_MS)
    try {
      await farewells.repeat({ what: 'end the session' }, { timeoutMs }, (call) => driver.endSession(lease.id, call))
    } catch (error) {
      context.logger.warn(`the session ends by itself, ${lease.ttlMs} ms from now: ${messageOf(error)}`)
    }
  }

  readonly #registry: Pick<Session, 'addListener' | 'removeListener'> = {
    addListener: (listener) => {
      if (!this.#end.signal.aborted) this.#listeners.add(listener)
    },
    removeListener: (listener) => {
      this.#listeners.remove(listener).catch(() => undefined)
    },
  }

  #tell(deliver: (listener: SessionListener) => void): void {
    this.#told = this.#told.then(() => this.#listeners.event(deliver))
  }

  #closedError(): CoordinationError {
    return closedError(this.#core.capabilities.backend)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
