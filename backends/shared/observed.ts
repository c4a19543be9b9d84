/**
 * Something that listeners are told the states of – a key, or the children of a namespace – through one follow of the
 * store that they share.
 *
 * Whoever comes while the follow is already there cannot be served from what it has told: that may be older than what
 * the caller has been acknowledged, and older still changes may be on their way. So a late-comer starts from a
 * linearizable read, and is told what further reads show, one after each change that the follow tells, until a read and
 * the follow agree; from then on the follow alone will do.
 */
import type { OpOptions } from '../../spi/index.ts'
import { asCoordinationError } from './calls.ts'
import type { Follow } from './driver.ts'
import type { About, Kernel } from './kernel.ts'
import { ListenerQueue } from './listener-queue.ts'

/** What is observed. S is what listeners see, T what a read shows. */
export interface Subject<L, S, T> {
  readonly about: About
  /** Follows the store. `onChange`: what listeners see may be another now. */
  follow(onChange: () => void, onFailure: (error: Error) => void): Follow
  /** As the follow has told last. */
  current(): S
  /** Linearizable, however long it takes. */
  read(): Promise<T>
  shown(truth: T): S
  /** Whether what was read is certainly what the follow has told last. */
  agrees(truth: T): boolean
  same(a: S, b: S): boolean
  deliver(listener: L, state: S): void | Promise<void>
}

interface Registration<S> {
  /** What to show at the next call. */
  latest: () => S
  /** What the listener knows: was shown, or was there when it came. */
  known: { readonly state: S } | undefined
  /** Fed by reads, not yet by the follow. */
  catchingUp: boolean
  /** Resolves when it is active. */
  ready: Promise<void>
  /** Calls of `add` that wait for it. */
  waiting: number
}

export class Observed<L extends object, S, T> {
  readonly #kernel: Kernel
  readonly #subject: Subject<L, S, T>
  readonly #onEmpty: () => void
  readonly #queue: ListenerQueue<L>
  readonly #registrations = new Map<L, Registration<S>>()
  #follow: Follow | undefined
  #failure: Error | undefined
  /** Changes that the follow has told. */
  #changes = 0
  readonly #wake: (() => void)[] = []
  /** A read that has not begun yet. */
  #upcoming: Promise<T> | undefined

  /** @param onEmpty the last listener has left. */
  constructor(kernel: Kernel, subject: Subject<L, S, T>, onEmpty: () => void) {
    this.#kernel = kernel
    this.#subject = subject
    this.#onEmpty = onEmpty
    this.#queue = new ListenerQueue({ logger: kernel.context.logger, what: named(subject.about) })
  }

  async add(listener: L, initial: boolean, options: OpOptions | undefined): Promise<void> {
    const registration = this.#registrations.get(listener) ?? this.#register(listener, initial)
    const { context, calls } = this.#kernel
    registration.waiting++
    try {
      const limits = { timeoutMs: context.sessionTimeoutMs, ...options }
      await calls.wait(this.#subject.about, limits, registration.ready)
    } catch (error) {
      // another call for the same listener may still have the time
      if (registration.waiting === 1 && this.#registrations.get(listener) === registration) await this.remove(listener)
      throw error
    } finally {
      registration.waiting--
    }
  }

  async remove(listener: L): Promise<void> {
    if (!this.#registrations.delete(listener)) return
    if (this.#registrations.size === 0) this.#end()
    await this.#queue.remove(listener)
    // not before: one who comes back while a call is going on must wait for its end
    if (this.#registrations.size === 0) this.#onEmpty()
  }

  async close(): Promise<void> {
    this.#registrations.clear()
    this.#end()
    await this.#queue.close()
  }

  #register(listener: L, initial: boolean): Registration<S> {
    const first = this.#follow === undefined
    const follow = this.#follow ?? this.#start()
    const registration: Registration<S> = {
      latest: () => this.#subject.current(),
      known: undefined,
      catchingUp: true,
      ready: Promise.resolve(),
      waiting: 0,
    }
    this.#registrations.set(listener, registration)
    this.#queue.add(listener)
    const { about } = this.#subject
    const { backend } = this.#kernel.capabilities
    const activated = this.#activate(listener, registration, follow, { first, initial })
    registration.ready = activated.catch((error: unknown) => {
      throw asCoordinationError(error, backend, about)
    })
    registration.ready.catch(() => undefined)
    return registration
  }

  async #activate(
    listener: L,
    registration: Registration<S>,
    { active }: Follow,
    { first, initial }: { readonly first: boolean; readonly initial: boolean },
  ): Promise<void> {
    await active
    // of whoever asked for it, the follow's first state is new enough
    if (first) {
      if (!initial) registration.known = { state: this.#subject.current() }
      this.#caughtUp(listener, registration)
      return
    }
    const seen = this.#changes
    const truth = await this.#readSoon()
    if (this.#failure !== undefined) throw this.#failure
    if (!initial) registration.known = { state: this.#subject.shown(truth) }
    if (this.#take(listener, registration, truth)) return
    const catchingUp = this.#catchUp(listener, registration, seen)
    this.#kernel.inBackground(`catching up with ${named(this.#subject.about)}`, catchingUp)
  }

  async #catchUp(listener: L, registration: Registration<S>, from: number): Promise<void> {
    const isHere = () => this.#registrations.get(listener) === registration
    try {
      for (let seen = from; ; ) {
        if (seen === this.#changes) await this.#nextChange()
        seen = this.#changes
        if (!isHere()) return
        const truth = await this.#readSoon()
        if (this.#take(listener, registration, truth)) return
      }
    } catch (error) {
      if (!isHere()) return
      // better what the follow tells than nothing
      this.#caughtUp(listener, registration)
      throw error
    }
  }

  /** @returns whether no more reads are needed. */
  #take(listener: L, registration: Registration<S>, truth: T): boolean {
    if (this.#subject.agrees(truth)) {
      this.#caughtUp(listener, registration)
      return true
    }
    registration.latest = () => this.#subject.shown(truth)
    this.#offer(listener)
    return false
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake.push(resolve)
    })
  }

  #caughtUp(listener: L, registration: Registration<S>): void {
    registration.catchingUp = false
    registration.latest = () => this.#subject.current()
    this.#offer(listener)
  }

  /** One read for all who ask in the same moment. It begins after the moment of asking. */
  #readSoon(): Promise<T> {
    this.#upcoming ??= Promise.resolve().then(() => {
      this.#upcoming = undefined
      return this.#subject.read()
    })
    return this.#upcoming
  }

  #offer(listener: L): void {
    this.#queue.stateFor(listener, 'state', (one) => {
      const registration = this.#registrations.get(one)
      if (registration === undefined) return
      const state = registration.latest()
      if (registration.known !== undefined && this.#subject.same(registration.known.state, state)) return
      registration.known = { state }
      return this.#subject.deliver(one, state)
    })
  }

  #start(): Follow {
    const follow = this.#subject.follow(
      () => this.#onChange(),
      (error) => this.#onFailure(error),
    )
    this.#follow = follow
    return follow
  }

  #onChange(): void {
    this.#changes++
    for (const [listener, { catchingUp }] of this.#registrations) if (!catchingUp) this.#offer(listener)
    for (const wake of this.#wake.splice(0)) wake()
  }

  #onFailure(error: Error): void {
    const message = `no ${named(this.#subject.about)} will be called any more: ${error.message}`
    this.#kernel.context.logger.error(message, { cause: error })
    this.#failure = error
    this.#registrations.clear()
    this.#end()
    // whoever adds a listener next asks the store again
    this.#onEmpty()
  }

  #end(): void {
    this.#follow?.close()
    this.#follow = undefined
    for (const wake of this.#wake.splice(0)) wake()
  }
}

function named({ what, key = '' }: About): string {
  return `${what} of ${key}`
}
