/**
 * Runs listeners by the rules of spi/listener-registry.ts: each on its own, one call at a time, none after its removal,
 * and what one throws hurts nobody. States coalesce; events are never skipped.
 *
 * A listener may wait, within its call, for something that tells an event to itself (`resign()` in `onElected`). The
 * chain of calls that a piece of code runs in is known from its asynchronous context; an event told from within a
 * listener's own call does not queue up behind that call, which would wait for ever, but runs inside it, after the
 * events that were there before. So whoever tells events does it in the context of the call that caused them.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger } from '../../spi/index.ts'

/** What a listener is called with. */
export type Deliver<L> = (listener: L) => void | Promise<void>

export interface ListenerQueueOptions {
  readonly logger: Logger
  /** Names the listeners in the log: `listener of group brokers`. */
  readonly what: string
}

interface Job<L> {
  /** Of a state. undefined: an event. */
  readonly key: string | undefined
  readonly deliver: Deliver<L>
  /** The calls that the event was told in. */
  readonly within: readonly Frame[]
  readonly settle: () => void
}

/** The calls of one listener. It outlives removal, so that a listener that comes back is still called serially. */
interface Lane<L> {
  readonly listener: L
  jobs: Job<L>[]
  running: Promise<void> | undefined
  draining: boolean
}

/** One call of a listener, while it runs. */
interface Frame {
  readonly lane: object
  active: boolean
  /** Runs the events that were told from within. */
  nested: Promise<void> | undefined
}

const NOWHERE: readonly Frame[] = []

/** Of all queues: a call may pass through several. */
const frames = new AsyncLocalStorage<readonly Frame[]>()

export class ListenerQueue<L extends object> {
  readonly #logger: Logger
  readonly #what: string
  readonly #listening = new Set<L>()
  readonly #lanes = new WeakMap<L, Lane<L>>()

  constructor({ logger, what }: ListenerQueueOptions) {
    this.#logger = logger
    this.#what = what
  }

  has(listener: L): boolean {
    return this.#listening.has(listener)
  }

  /** Does nothing if it is there. */
  add(listener: L): void {
    this.#listening.add(listener)
    if (this.#lanes.has(listener)) return
    this.#lanes.set(listener, { listener, jobs: [], running: undefined, draining: false })
  }

  /**
   * What waits for the listener is dropped. Once resolved it never runs again; from within its own call it resolves at
   * once, and that call is the last one.
   */
  async remove(listener: L): Promise<void> {
    const lane = this.#lanes.get(listener)
    if (!this.#listening.delete(listener) || lane === undefined) return
    for (const job of lane.jobs.splice(0)) job.settle()
    if (activeFrame(lane) === undefined) await lane.running
  }

  /** Shows a state to all: it takes the place of one of the same key that has not been shown yet. */
  state(key: string, deliver: Deliver<L>): void {
    for (const listener of this.#listening) this.stateFor(listener, key, deliver)
  }

  /** Shows a state to one. */
  stateFor(listener: L, key: string, deliver: Deliver<L>): void {
    const lane = this.#laneOf(listener)
    if (lane === undefined) return
    // to the end, not into the old one's place: a state does not overtake the events that led to it
    lane.jobs = lane.jobs.filter((job) => job.key !== key)
    lane.jobs.push({ key, deliver, within: NOWHERE, settle: () => undefined })
    this.#start(lane)
  }

  /** Tells an event to all. Resolves when every listener's call has settled; failures are logged. */
  async event(deliver: Deliver<L>): Promise<void> {
    await Promise.all([...this.#listening].map((listener) => this.#tell(listener, deliver)))
  }

  /** Removes all. Once resolved none of them runs again. */
  async close(): Promise<void> {
    await Promise.all([...this.#listening].map((listener) => this.remove(listener)))
  }

  #laneOf(listener: L): Lane<L> | undefined {
    return this.#listening.has(listener) ? this.#lanes.get(listener) : undefined
  }

  #tell(listener: L, deliver: Deliver<L>): Promise<void> {
    const lane = this.#laneOf(listener)
    if (lane === undefined) return Promise.resolve()
    const told = new Promise<void>((settle) => {
      lane.jobs.push({ key: undefined, deliver, within: frames.getStore() ?? NOWHERE, settle })
    })
    const frame = activeFrame(lane)
    if (frame === undefined) this.#start(lane)
    else frame.nested ??= this.#drainNested(lane, frame)
    return told
  }

  #start(lane: Lane<L>): void {
    if (lane.draining) return
    lane.draining = true
    // a moment later: the teller's own work is done by then, and states that come together are one
    queueMicrotask(() => {
      this.#drain(lane).catch((error: unknown) => this.#report(error))
    })
  }

  async #drain(lane: Lane<L>): Promise<void> {
    for (let job = lane.jobs.shift(); job !== undefined; job = lane.jobs.shift()) {
      lane.running = this.#call(lane, job)
      await lane.running
    }
    lane.running = undefined
    lane.draining = false
  }

  /** Only the events: a state can wait until the call that is going on has ended. */
  async #drainNested(lane: Lane<L>, frame: Frame): Promise<void> {
    for (;;) {
      const next = lane.jobs.findIndex((job) => job.key === undefined)
      const [job] = next === -1 ? [] : lane.jobs.splice(next, 1)
      if (job === undefined) break
      await this.#call(lane, job)
    }
    frame.nested = undefined
  }

  async #call(lane: Lane<L>, job: Job<L>): Promise<void> {
    const frame: Frame = { lane, active: true, nested: undefined }
    try {
      await frames.run([...job.within, frame], async () => job.deliver(lane.listener))
    } catch (error) {
      this.#report(error)
    }
    // what was told from within may still run
    while (frame.nested !== undefined) await frame.nested
    frame.active = false
    job.settle()
  }

  #report(cause: unknown): void {
    this.#logger.error(`a ${this.#what} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** The innermost call of the lane's listener that the caller runs in. */
function activeFrame(lane: object): Frame | undefined {
  return frames.getStore()?.findLast((frame) => frame.lane === lane && frame.active)
}
