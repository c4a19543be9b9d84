/**
 * The one way to the driver: every call ends at its time limit, on abort and on closing, whatever the driver does; what
 * failed for want of a connection is tried again; and what is said of the effect is true.
 */
import {
  type Capabilities,
  CoordinationError,
  type Effect,
  isCoordinationError,
  type OpOptions,
  type PluginContext,
  type ReadOptions,
} from '../../spi/index.ts'
import { backoffMs, reasonOf, sleep } from '../../spi/helpers/backoff.ts'
import type { Call, ReadCall } from './driver.ts'
import type { About, Calls } from './kernel.ts'

export interface CallsOptions {
  readonly context: Pick<PluginContext, 'clock' | 'random' | 'sessionTimeoutMs'>
  readonly capabilities: Pick<Capabilities, 'backend'>
  /** Ends all calls, with its reason. */
  readonly closing: AbortSignal
}

/** What one call may do again, and what can have become of it. */
interface Kind {
  readonly retries: (error: CoordinationError) => boolean
  /** Of an attempt whose outcome is not known. */
  readonly effect: Effect
  /** Also with an unknown effect the caller may do the same once more. */
  readonly repeatable: boolean
}

const ONCE: Kind = { retries: (error) => error.effect === 'none', effect: 'unknown', repeatable: false }
const REPEATABLE: Kind = { retries: () => true, effect: 'unknown', repeatable: true }
const READ: Kind = { retries: () => true, effect: 'none', repeatable: true }
/** Not a call: it fails when its event does. */
const WAIT: Kind = { ...READ, retries: () => false }

const WORTH_RETRYING = new Set(['CONNECTION', 'TIMEOUT', 'OVERLOADED'])

export function makeCalls(options: CallsOptions): Calls {
  const call = <T>(about: About, kind: Kind, given: OpOptions | undefined, attempt: (call: Call) => Promise<T>) =>
    new RunningCall<T>(options, about, kind, given ?? {}).run(attempt)
  return {
    run: (about, given, attempt) => call(about, ONCE, given, attempt),
    repeat: (about, given, attempt) => call(about, REPEATABLE, given, attempt),
    read: <T>(about: About, given: ReadOptions | undefined, attempt: (call: ReadCall) => Promise<T>) => {
      const consistency = given?.consistency ?? 'linearizable'
      return call(about, READ, given, (one) => attempt({ ...one, consistency }))
    },
    wait: <T>(about: About, given: OpOptions | undefined, event: Promise<T>) => {
      // whatever ends the wait first, the event's own failure is nobody else's
      event.catch(() => undefined)
      return call(about, WAIT, { timeoutMs: Infinity, ...given }, async () => event)
    },
  }
}

/** What a driver threw that is not of the contract is a fault of the driver. */
export function asCoordinationError(error: unknown, backend: string, about: About): CoordinationError {
  if (isCoordinationError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new CoordinationError('INTERNAL', `${named(about)}: ${message}`, { backend, cause: error, ...keyOf(about) })
}

export function closedError(backend: string, details: { readonly effect?: Effect } = {}): CoordinationError {
  return new CoordinationError('CLOSED', `the ${backend} client is closed`, { backend, ...details })
}

class RunningCall<T> {
  readonly #options: CallsOptions
  readonly #about: About
  readonly #kind: Kind
  readonly #caller: AbortSignal | undefined
  readonly #timeoutMs: number
  /** For the attempts: aborts with whatever ends the call. */
  readonly #end = new AbortController()
  /** An attempt is under way. */
  #pending = false
  #lastError: CoordinationError | undefined

  constructor(options: CallsOptions, about: About, kind: Kind, given: OpOptions) {
    this.#options = options
    this.#about = about
    this.#kind = kind
    this.#caller = given.signal
    this.#timeoutMs = given.timeoutMs ?? options.context.sessionTimeoutMs
  }

  async run(attempt: (call: Call) => Promise<T>): Promise<T> {
    const { closing, context, capabilities } = this.#options
    if (this.#caller?.aborted === true) throw reasonOf(this.#caller)
    if (closing.aborted) throw closedError(capabilities.backend, { effect: 'none' })
    if (!(this.#timeoutMs >= 0)) {
      const message = `timeoutMs must not be ${this.#timeoutMs}`
      throw new CoordinationError('INVALID_ARGUMENT', message, { backend: capabilities.backend })
    }
    const timer =
      this.#timeoutMs === Infinity
        ? undefined
        : context.clock.setTimeout(() => this.#end.abort(this.#timeout()), this.#timeoutMs)
    const onAbort = () => this.#end.abort(this.#caller === undefined ? undefined : reasonOf(this.#caller))
    const onClosing = () => this.#end.abort(closedError(capabilities.backend, { effect: this.#effect() }))
    this.#caller?.addEventListener('abort', onAbort, { once: true })
    closing.addEventListener('abort', onClosing, { once: true })
    try {
      return await this.#untilEnd(this.#attempts(attempt, context.clock.now() + this.#timeoutMs))
    } finally {
      timer?.[Symbol.dispose]()
      this.#caller?.removeEventListener('abort', onAbort)
      closing.removeEventListener('abort', onClosing)
    }
  }

  /** Does not wait for a driver that does not heed its signal. */
  #untilEnd(work: Promise<T>): Promise<T> {
    const { signal } = this.#end
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(reasonOf(signal)), { once: true })
      work.then(resolve, reject)
    })
  }

  async #attempts(attempt: (call: Call) => Promise<T>, until: number): Promise<T> {
    const { clock, random } = this.#options.context
    const { signal } = this.#end
    for (let retry = 1; ; retry++) {
      try {
        this.#pending = true
        return await attempt({ signal, timeoutMs: Math.max(1, until - clock.now()) })
      } catch (thrown) {
        const error = asCoordinationError(thrown, this.#options.capabilities.backend, this.#about)
        if (!WORTH_RETRYING.has(error.code) || !this.#kind.retries(error)) throw error
        this.#lastError = error
        this.#pending = error.effect === 'unknown'
      }
      await sleep(clock, backoffMs(retry, random), signal)
    }
  }

  #effect(): Effect {
    return this.#pending ? this.#kind.effect : 'none'
  }

  /** What the store said last, if nothing is on its way. */
  #timeout(): CoordinationError {
    const { backend } = this.#options.capabilities
    const effect = this.#effect()
    const last = this.#lastError
    const code = last?.code === 'CONNECTION' && effect === 'none' ? 'CONNECTION' : 'TIMEOUT'
    const message = `${named(this.#about)}: no answer within ${this.#timeoutMs} ms`
    return new CoordinationError(code, last === undefined ? message : `${message}; last: ${last.message}`, {
      backend,
      effect,
      ...(this.#kind.repeatable && { retriable: true }),
      ...(last !== undefined && { cause: last }),
      ...keyOf(this.#about),
    })
  }
}

function named({ what, key }: About): string {
  return key === undefined ? what : `${what} ${JSON.stringify(key)}`
}

function keyOf({ key }: About): { readonly key?: string } {
  return key === undefined ? {} : { key }
}
