/**
 * What group membership and leader election have in common: claims to seats, a watch on the seats, listeners who see
 * their state, and the end of all that with the session or on closing.
 */
import { CoordinationError, type ListenOptions, type LossReason, type OpOptions } from '../../spi/index.ts'
import { reasonOf } from '../../spi/helpers/backoff.ts'
import type { Follow, FollowSink, Seat, Seated } from './driver.ts'
import { inTime } from './in-time.ts'
import type { Kernel, LiveSession } from './kernel.ts'
import { ListenerQueue } from './listener-queue.ts'
import type { Claim, ClaimHost } from './claim-options.ts'
import type { SeatClaim } from './seat-claim.ts'
import { SeatWatch } from './seat-watch.ts'
import { Service } from './service.ts'
import type { Term } from './term.ts'

export interface SeatServiceOptions<L, S> {
  /** `group "brokers"`. */
  readonly what: string
  readonly open: (sink: FollowSink<Seated>) => Follow
  readonly seatOf: (name: string) => Seat
  /** What listeners are shown. */
  readonly present: (all: ReadonlyMap<string, Seated>) => S
  readonly isSame: (a: S, b: S) => boolean
  readonly show: (listener: L, state: S) => void | Promise<void>
}

/** Of the time that closing may take, what the listeners get; the rest is for the store. */
const LISTENERS_PART = 3 / 4
/** Leaving the seats on closing is a courtesy to others. Milliseconds. */
const LONGEST_FAREWELL_MS = 2_000

export abstract class SeatService<L extends object, S> extends Service implements ClaimHost {
  protected readonly claims = new Map<string, SeatClaim>()
  protected readonly watch: SeatWatch
  protected readonly queue: ListenerQueue<L>
  readonly #options: SeatServiceOptions<L, S>
  /** What each listener has seen last; those that are missing have nothing to compare with. */
  readonly #shown = new WeakMap<L, { readonly state: S }>()
  /** Whose adding is complete. */
  readonly #shownTo = new WeakSet<L>()
  readonly #dependence: Disposable

  constructor(kernel: Kernel, options: SeatServiceOptions<L, S>) {
    super(kernel)
    this.#options = options
    this.queue = new ListenerQueue<L>({ logger: kernel.context.logger, what: `listener of ${options.what}` })
    this.watch = new SeatWatch({
      kernel: this.kernel,
      open: options.open,
      seatOf: options.seatOf,
      changed: () => this.queue.state('state', (listener) => this.#show(listener)),
    })
    this.#dependence = kernel.sessions.addDependant({
      sessionLost: (session, reason) => this.#sessionLost(session, reason),
    })
  }

  /** Hears of own wins and losses at once, of states from the time that they are followed. */
  async addListener(listener: L, options: ListenOptions = {}): Promise<void> {
    this.assertOpen()
    refuseAborted(options)
    const { signal, timeoutMs = this.kernel.context.sessionTimeoutMs } = options
    const isNew = !this.queue.has(listener)
    if (isNew) this.#shownTo.delete(listener)
    this.queue.add(listener)
    try {
      const about = { what: 'addListener', key: this.#options.what }
      await this.kernel.calls.wait(about, { timeoutMs, ...(signal !== undefined && { signal }) }, this.watch.openAnew())
    } catch (error) {
      if (isNew) await this.queue.remove(listener)
      throw error
    }
    if (this.#shownTo.has(listener) || !this.queue.has(listener)) return
    this.#shownTo.add(listener)
    if (options.initial === true) {
      this.#shown.delete(listener)
      this.queue.stateFor(listener, 'state', (one) => this.#show(one))
    } else {
      this.#shown.set(listener, { state: this.#options.present(this.watch.all) })
    }
  }

  async removeListener(listener: L): Promise<void> {
    this.assertOpen()
    await this.queue.remove(listener)
  }

  abstract seated(claim: Claim, term: Term, first: boolean): Promise<void>
  abstract lost(claim: Claim, term: Term, reason: LossReason): Promise<void>

  ended(claim: Claim): void {
    if (this.claims.get(claim.id) === claim) this.claims.delete(claim.id)
  }

  protected override async release(): Promise<void> {
    const { context } = this.kernel
    const { what } = this.#options
    const claims = [...this.claims.values()]
    const told = Promise.allSettled(claims.map((claim) => claim.giveUp('closed')))
    await inTime(context, `telling the listeners of ${what}`, told, context.sessionTimeoutMs * LISTENERS_PART)
    const released = Promise.allSettled(claims.map((claim) => claim.released()))
    const farewellMs = Math.min(context.sessionTimeoutMs, LONGEST_FAREWELL_MS)
    await inTime(context, `leaving the seats of ${what}`, released, farewellMs)
    this.#dependence[Symbol.dispose]()
    this.watch.close()
    await this.queue.close()
  }

  /** Gives a claim up: the listeners take the time they need, then the store has the call's. */
  protected async giveUp(what: string, claim: SeatClaim, options: OpOptions): Promise<void> {
    const { signal, timeoutMs = this.kernel.context.sessionTimeoutMs } = options
    const about = { what, key: claim.id }
    const abort = signal === undefined ? {} : { signal }
    await this.kernel.calls.wait(about, abort, claim.giveUp('resigned'))
    await this.kernel.calls.wait(about, { ...abort, timeoutMs }, claim.released())
  }

  /** Starts a claim. One of the same id that is on its way out is waited for, another is a conflict. */
  protected async begin(
    about: { readonly what: string; readonly key: string },
    options: OpOptions,
    make: () => SeatClaim,
    conflict: () => Error,
  ): Promise<SeatClaim> {
    const { signal, timeoutMs = this.kernel.context.sessionTimeoutMs } = options
    for (let old = this.claims.get(about.key); old !== undefined; old = this.claims.get(about.key)) {
      if (!old.leaving) throw conflict()
      const wait = { timeoutMs, ...(signal !== undefined && { signal }) }
      const gone = old.released().catch((error: unknown) => {
        // with its session, which is as well
        if (this.claims.get(about.key) === old) throw error
      })
      await this.kernel.calls.wait(about, wait, gone)
    }
    // in the same breath as the look: two at once must not both find room
    const claim = make()
    this.claims.set(about.key, claim)
    claim.start()
    return claim
  }

  protected error(
    code: ConstructorParameters<typeof CoordinationError>[0],
    message: string,
    key: string,
  ): CoordinationError {
    return new CoordinationError(code, message, { backend: this.capabilities.backend, key })
  }

  #sessionLost(session: LiveSession, reason: 'session-lost' | 'deadline'): () => Promise<void> {
    const tellers = [...this.claims.values()].flatMap((claim) => claim.sessionLost(session, reason) ?? [])
    return async () => {
      await Promise.all(tellers.map((tell) => tell()))
    }
  }

  /** The state at the time of the call, unless the listener has seen it. */
  #show(listener: L): void | Promise<void> {
    if (!this.#shownTo.has(listener)) return undefined
    const { present, isSame, show } = this.#options
    const state = present(this.watch.all)
    const seen = this.#shown.get(listener)
    if (seen !== undefined && isSame(seen.state, state)) return undefined
    this.#shown.set(listener, { state })
    return show(listener, state)
  }
}

/** What is aborted before it starts sends nothing. */
export function refuseAborted({ signal }: OpOptions): void {
  if (signal?.aborted === true) throw reasonOf(signal)
}
