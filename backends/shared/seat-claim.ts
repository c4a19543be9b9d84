/**
 * One id of ours that wants a seat, and holds on to it: a member of a group, a candidate for a leadership. It runs by
 * itself until it is given up.
 *
 * seeking ─the seat is ours, the session holds─▶ seated ─session over, or evicted; listeners told─▶ seeking | ended
 * seeking, seated ─giveUp─▶ leaving (signal aborted, listeners told, seat emptied) ─the store has said so─▶ ended
 *
 * - Seeking: waits for a session, tries the seat, and while another has it waits for news of the seat.
 * - A request whose reply was lost is repeated under the same nonce until the store says who has the seat. If that is
 *   known only after the session's deadline it is no win: the seat goes with the session.
 * - Evicted: the store has told of us in the seat and then of something else, or of a later incarnation. What it told
 *   before it knew of us proves nothing; if it never tells of us it is asked.
 */
import { randomUUID } from 'node:crypto'
import {
  type CoordinationError,
  type FencingToken,
  isCoordinationError,
  type LossReason,
  type OpOptions,
} from '../../spi/index.ts'
import { reasonOf, sleep } from '../../spi/helpers/backoff.ts'
import type { Claim, ClaimOptions, Finding } from './claim-options.ts'
import { type Deferred, deferred } from './deferred.ts'
import type { Seated } from './driver.ts'
import type { Kernel, LiveSession } from './kernel.ts'
import type { Claimant, SeatWatch } from './seat-watch.ts'
import { lossError, Term } from './term.ts'
import { untilKnown } from './until-known.ts'

/** Who was evicted waits before it tries again, longer each time: the evictor needs the seat empty for a moment. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_PART = 1 / 2

export class SeatClaim implements Claim, Claimant {
  readonly id: string
  readonly name: string
  readonly #options: ClaimOptions
  readonly #kernel: Kernel
  readonly #watch: SeatWatch
  /** Aborts when it is given up. */
  readonly #stop = new AbortController()
  readonly #first = deferred<Finding>()
  #found = false
  #data: Uint8Array
  #term: Term | undefined
  #seated: Deferred<Term> = deferred()
  /** Of the present attempt. */
  #nonce = ''
  #session: LiveSession | undefined
  /** What was last taken with it. */
  #token: FencingToken | undefined
  #seatedAt = 0
  /** The follow has told of the present attempt in the seat. */
  #seen = false
  #news: Deferred<void> = deferred()
  #newsCount = 0
  #evictions = 0
  #left: Promise<void> | undefined
  #released: Promise<void> | undefined

  constructor(options: ClaimOptions) {
    this.id = options.id
    this.name = options.name
    this.#options = options
    this.#kernel = options.kernel
    this.#watch = options.watch
    this.#data = options.data
  }

  start(): void {
    this.#watch.add(this)
    this.#kernel.inBackground(this.#what, this.#run())
  }

  /** The incarnation that has not ended; ask it whether it is held. */
  get term(): Term | undefined {
    return this.#term
  }

  get leaving(): boolean {
    return this.#left !== undefined
  }

  /** Rejects if the store refuses, or with what it is given up with before. */
  get first(): Promise<Finding> {
    return this.#first.promise
  }

  /** The present term, or the next; rejects when there will be none. */
  nextTerm(): Promise<Term> {
    return this.#term?.held === true ? Promise.resolve(this.#term) : this.#seated.promise
  }

  /** What the next incarnation is seated with. */
  set data(data: Uint8Array) {
    this.#data = data
  }

  /**
   * Ends it: resolves when the listeners have been told; then the seat is emptied, see {@link released}.
   * @param quietly if nobody was ever told of it.
   */
  giveUp(reason: 'resigned' | 'closed', { quietly = false } = {}): Promise<void> {
    this.#left ??= this.#leave(reason, quietly)
    return this.#left
  }

  /** After giveUp: resolves when the store has let go of it. Asked again after a refusal it tries again. */
  released(): Promise<void> {
    this.#released ??= this.#release()
    return this.#released
  }

  /** Asks the store whether this incarnation is in the seat; if not it has been evicted. */
  async verify(term: Term, options?: OpOptions): Promise<boolean> {
    const { calls, driver } = this.#kernel
    const about = { what: 'verify', key: this.id }
    const seated = await calls.read(about, { ...options, consistency: 'linearizable' }, (call) =>
      driver.readSeat(this.#options.seat, call),
    )
    if (seated?.nonce === term.nonce && seated.token === term.token) return term.held
    this.evicted(term)
    return false
  }

  evicted(term: Term): void {
    if (this.#term !== term) return
    const { clock, sessionTimeoutMs } = this.#kernel.context
    this.#evictions = clock.now() - this.#seatedAt < sessionTimeoutMs ? this.#evictions + 1 : 1
    this.#inBackground(this.#end(term, 'evicted')())
  }

  /** The first half of SessionDependant.sessionLost. */
  sessionLost(session: LiveSession, reason: 'session-lost' | 'deadline'): (() => Promise<void>) | undefined {
    const term = this.#term
    return term?.session.id === session.id ? this.#end(term, reason) : undefined
  }

  seatTold(state: Seated | undefined): void {
    this.#newsCount++
    const news = this.#news
    this.#news = deferred()
    news.resolve()
    if (state !== undefined && state.nonce === this.#nonce) {
      this.#seen = true
      return
    }
    const term = this.#term
    if (term === undefined) return
    if (this.#seen || (state !== undefined && state.token > term.token)) this.evicted(term)
  }

  watchFailed(error: Error): void {
    const news = this.#news
    this.#news = deferred()
    news.reject(error)
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        // early, so that it tells of us; that it failed is said by the wait that needs it
        this.#watch.open().catch(() => undefined)
        const session = await this.#wait(this.#kernel.sessions.next())
        const term = await this.#obtain(session)
        if (term === undefined) continue
        const reason = await term.ended
        this.#watch.disown(term.nonce)
        if (!this.#options.returns) {
          this.#finish(this.#overError(reason))
          return
        }
        if (reason === 'evicted') await this.#pause()
      } catch (error) {
        if (!(await this.#goesOn(error))) return
      }
    }
  }

  /** @returns undefined if the session ended meanwhile. */
  async #obtain(session: LiveSession): Promise<Term | undefined> {
    const { id, seat } = this.#options
    const nonce = randomUUID()
    const signal = AbortSignal.any([this.#stop.signal, session.over])
    this.#watch.own(nonce)
    this.#session = session
    this.#nonce = nonce
    this.#token = undefined
    this.#seen = false
    try {
      for (;;) {
        const newsBefore = this.#newsCount
        const about = { what: 'take a seat', key: id }
        const holder = { id, session: session.id, nonce, data: this.#data }
        const found = await untilKnown(this.#kernel, about, signal, (call) =>
          this.#kernel.driver.takeSeat(seat, holder, call),
        )
        // whatever was to be done with it, the other way to the end of the wait has been taken
        signal.throwIfAborted()
        if (found.nonce === nonce) return this.#sit(found, session)
        if (this.#mayEvict(found, session)) await this.#empty(found.token, signal)
        else await this.#vacancy(found, newsBefore, signal)
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#watch.disown(nonce)
      if (isCoordinationError(error, 'SESSION_LOST') && !session.over.aborted) {
        this.#kernel.sessions.reportGone(session)
      }
      if (session.over.aborted && !this.#stop.signal.aborted) return undefined
      throw error
    }
  }

  #mayEvict(holder: Seated, session: LiveSession): boolean {
    // a ghost of ours, or one that should be evicted
    if (holder.session === session.id && !this.#watch.owns(holder.nonce)) return true
    return !this.#found && this.#options.evicts(holder)
  }

  /** Waits for the seat to be empty, or ours, by news that is later than `found`. */
  async #vacancy(found: Seated, newsBefore: number, signal: AbortSignal): Promise<void> {
    this.#find({ holder: found })
    await this.#kernel.farewells.wait({ what: 'follow', key: this.id }, { signal }, this.#watch.open())
    const isFree = () => {
      const state = this.#watch.all.get(this.name)
      return this.#newsCount > newsBefore && (state === undefined || state.nonce === this.#nonce)
    }
    while (!isFree()) {
      await this.#kernel.farewells.wait({ what: 'wait for a seat', key: this.id }, { signal }, this.#news.promise)
    }
  }

  /** @returns undefined if it was found too late. */
  #sit(found: Seated, session: LiveSession): Term | undefined {
    const toldOtherwise = this.#seen && this.#watch.all.get(this.name)?.nonce !== found.nonce
    if (!session.holds || toldOtherwise) {
      this.#watch.disown(found.nonce)
      return undefined
    }
    const term = new Term(found, session)
    const isFirst = !this.#found
    this.#term = term
    this.#token = term.token
    this.#seatedAt = this.#kernel.context.clock.now()
    const told = this.#options.host.seated(this, term, isFirst)
    this.#find({ term, told })
    this.#seated.resolve(term)
    this.#seated = deferred()
    this.#inBackground(this.#confirm(term))
    return term
  }

  /** The follow must tell of us soon; if not, it may have passed over our being there and gone again. */
  async #confirm(term: Term): Promise<void> {
    const { clock, sessionTimeoutMs } = this.#kernel.context
    const { maxLagMs } = this.#kernel.capabilities.notifications
    const pauseMs = Math.min(maxLagMs, sessionTimeoutMs / 2)
    const isDoubtful = () => !this.#seen && this.#term === term
    while (isDoubtful()) {
      try {
        await sleep(clock, pauseMs, term.signal)
        if (!isDoubtful() || (await this.verify(term))) return
      } catch (error) {
        if (term.signal.aborted || this.#kernel.closing.aborted) return
        if (!isCoordinationError(error) || !error.retriable) throw error
      }
    }
  }

  #find(finding: Finding): void {
    this.#found = true
    this.#first.resolve(finding)
  }

  /** Synchronously over; the result then tells the listeners. */
  #end(term: Term, reason: LossReason, quietly = false): () => Promise<void> {
    this.#term = undefined
    term.end(this.#overError(reason))
    return async () => {
      if (!quietly) await this.#options.host.lost(this, term, reason)
      term.told(reason)
    }
  }

  async #leave(reason: 'resigned' | 'closed', quietly: boolean): Promise<void> {
    const over = this.#overError(reason)
    this.#stop.abort(over)
    this.#first.reject(over)
    this.#seated.reject(over)
    const term = this.#term
    try {
      // of a term that is past its deadline the listeners must not hear that it was given up
      if (term !== undefined) await this.#end(term, term.held ? reason : 'deadline', quietly)()
    } finally {
      this.#inBackground(this.released())
    }
  }

  async #release(): Promise<void> {
    const session = this.#session
    try {
      // a seat goes with its session
      if (session?.over.aborted === false) await this.#vacate(session.over)
    } catch (error) {
      if (session?.over.aborted === true) this.#finish(reasonOf(session.over))
      else this.#released = undefined
      throw error
    }
    this.#finish(this.#overError('resigned'))
  }

  /** Empties the seat if it is, or turns out to be, ours. */
  async #vacate(signal: AbortSignal): Promise<void> {
    const { driver } = this.#kernel
    const { seat, id } = this.#options
    let token = this.#token
    await untilKnown(this.#kernel, { what: 'leave a seat', key: id }, signal, async (call) => {
      if (token === undefined) {
        const found = await driver.readSeat(seat, { ...call, consistency: 'linearizable' })
        if (found?.nonce !== this.#nonce) return
        token = found.token
      }
      await driver.emptySeat(seat, token, call)
    })
  }

  async #empty(token: Seated['token'], signal: AbortSignal): Promise<void> {
    const { seat, id } = this.#options
    await untilKnown(this.#kernel, { what: 'evict', key: id }, signal, (call) =>
      this.#kernel.driver.emptySeat(seat, token, call),
    )
  }

  #finish(reason: Error): void {
    this.#stop.abort(reason)
    this.#first.reject(reason)
    this.#seated.reject(reason)
    this.#watch.remove(this)
    this.#watch.disown(this.#nonce)
    this.#options.host.ended(this)
  }

  /** After a refusal by the store: fatal at first, later a reason to try again more slowly. */
  async #goesOn(error: unknown): Promise<boolean> {
    const { context, closing } = this.#kernel
    if (this.#stop.signal.aborted || closing.aborted) return false
    if (!this.#found) {
      this.#first.reject(error instanceof Error ? error : new Error(String(error)))
      this.#finish(this.#overError('resigned'))
      return false
    }
    context.logger.error(`${this.#what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    return this.#sleep(context.sessionTimeoutMs * (1 + context.random()) * LONGEST_PAUSE_PART)
  }

  async #pause(): Promise<void> {
    const { random, sessionTimeoutMs } = this.#kernel.context
    const bound = Math.min(
      sessionTimeoutMs * LONGEST_PAUSE_PART,
      FIRST_PAUSE_MS * 2 ** Math.min(this.#evictions - 1, 16),
    )
    await this.#sleep(bound * (0.5 + random() / 2))
  }

  /** @returns false if it was given up meanwhile. */
  async #sleep(ms: number): Promise<boolean> {
    await sleep(this.#kernel.context.clock, ms, this.#stop.signal).catch(() => undefined)
    return !this.#stop.signal.aborted
  }

  #wait<T>(event: Promise<T>): Promise<T> {
    return this.#kernel.farewells.wait({ what: this.#what }, { signal: this.#stop.signal }, event)
  }

  /** Of what ends with us. */
  #inBackground(task: Promise<unknown>): void {
    const wanted = task.catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error
    })
    this.#kernel.inBackground(this.#what, wanted)
  }

  get #what(): string {
    return `${this.#options.seat.kind} ${JSON.stringify(this.id)}`
  }

  #overError(reason: LossReason): CoordinationError {
    return lossError(this.#what, reason, this.#options.code, this.#kernel.capabilities.backend)
  }
}
