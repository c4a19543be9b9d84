/**
 * What the four services of one PluginLocator share: the driver and the one way to call it, the one session, the
 * follows, and how listeners are run.
 */
import type {
  Capabilities,
  CoordinationError,
  Effect,
  OpOptions,
  PluginContext,
  ReadOptions,
  Session,
} from '../../spi/index.ts'
import type { Call, Follow, FollowSink, ReadCall, SessionGrant, StoreDriver } from './driver.ts'

export interface Kernel {
  readonly context: PluginContext
  readonly capabilities: Capabilities
  readonly driver: StoreDriver
  /** Aborts as the first step of closing. */
  readonly closing: AbortSignal
  readonly calls: Calls
  /** For what closing itself still has to ask of the store: ended by time limits only, not by `closing`. */
  readonly farewells: Calls
  readonly sessions: Sessions
  /** Runs a promise that nobody waits for; a failure is logged with what it was, unless we are closing. */
  inBackground(what: string, task: Promise<unknown>): void
}

/** The one way to the driver. */
export interface Calls {
  /**
   * Runs `attempt` until it succeeds, is refused, or the time is up: what failed without effect for want of a
   * connection is tried again after a random pause. Rejects at once, whatever the driver does, with `signal.reason` on
   * abort, CLOSED on closing, and at the end of `timeoutMs` (default: the session timeout) with TIMEOUT – or CONNECTION
   * if the attempt that ended last was told that there is no server, and nothing is known to have been sent.
   * @param about names the call in messages, and the key, group or service concerned.
   */
  run<T>(about: About, options: OpOptions | undefined, attempt: (call: Call) => Promise<T>): Promise<T>

  /** The same for something that may safely be done twice: also repeated if its effect is unknown. */
  repeat<T>(about: About, options: OpOptions | undefined, attempt: (call: Call) => Promise<T>): Promise<T>

  /**
   * A read: repeated, with the consistency asked for, by default the strongest there is.
   * @throws CoordinationError UNSUPPORTED if `linearizable` is asked for and `capabilities.linearizableReads` is false.
   */
  read<T>(about: About, options: ReadOptions | undefined, attempt: (call: ReadCall) => Promise<T>): Promise<T>

  /**
   * Runs work of several calls under one limit; nothing of it is repeated. An end by abort, closing or time is reported
   * as `progress` says at that moment; the work itself goes on until it heeds its signal.
   */
  steps<T>(
    about: About,
    options: OpOptions | undefined,
    work: (call: Call, progress: Progress) => Promise<T>,
  ): Promise<T>

  /**
   * Waits for something that is not a call to the store, under the same rules. Without a default time limit.
   */
  wait<T>(about: About, options: OpOptions | undefined, event: Promise<T>): Promise<T>
}

/** Kept true by the work that it is given to. */
export interface Progress {
  /** What the work may have done so far, as far as is known. At first `none`. */
  effect: Effect
  /** What the store said last, if it was an error. */
  lastError: CoordinationError | undefined
}

export interface About {
  /** `put`, `join`: the name in the SPI. */
  readonly what: string
  readonly key?: string
}

/** The session of the locator, over all its incarnations. */
export interface Sessions {
  /** For users: after a loss the next one. */
  readonly current: Session
  /** The present incarnation if it has not reached its deadline, by the clock at this moment. */
  readonly live: LiveSession | undefined
  /** The present incarnation, or the next one when it is there. Rejects CLOSED; else waits as long as it takes. */
  next(): Promise<LiveSession>
  /** What memberships and candidacies hang on; called in the order of registration. */
  addDependant(dependant: SessionDependant): Disposable
  /** The store refused a call because the session is over. */
  reportGone(session: LiveSession): void
}

export interface LiveSession extends SessionGrant {
  /** The value of `clock.now()` up to which it surely holds; moves with each renewal. */
  readonly deadline: number
  /** Aborts when it is over, before anything of it can be another's. */
  readonly over: AbortSignal
  /** false from the deadline on, computed. */
  readonly holds: boolean
}

export interface SessionDependant {
  /**
   * The session is over. Synchronously marks everything as lost and aborts its signals – all dependants' before any
   * listener runs – and returns what then tells the listeners; the session's own listeners are told after that.
   */
  sessionLost(session: LiveSession, reason: 'session-lost' | 'deadline'): () => Promise<void>
}

/** Shares one follow of the store among all who follow the same thing. */
export interface SharedFollow<T> {
  /** Everything there is, merged, up to date at each look; undefined before the first reset. */
  readonly all: ReadonlyMap<string, T> | undefined
  /**
   * `sink` is told from now on; a late-comer gets a reset with what is known, before `join` returns. That may be older
   * than what has been acknowledged to others by then. The follow ends with the last one.
   */
  join(sink: FollowSink<T>): Follow
}
