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
import type { About, Calls, Progress } from './kernel.ts'
import { onAbort } from './on-abort.ts'

export interface CallsOptions {
  readonly context: Pick<PluginContext, 'clock' | 'random' | 'sessionTimeoutMs'>
  readonly capabilities: Pick<Capabilities, 'backend' | 'linearizableReads'>
  /** Ends all calls. */
  readonly closing: AbortSignal
}

/** What one call may do again, and what can have become of it. */
interface Kind {
  retries(error: CoordinationError): boolean
  /** Of an attempt whose outcome is not known. */
  readonly effect: Effect
  /** The caller may do the same once more whatever became of it. */
  readonly repeatable: boolean
}

const ONCE: Kind = { retries: ({ effect }) => effect === 'none', effect: 'unknown', repeatable: false }
const REPEATABLE: Kind = { retries: () => true, effect: 'unknown', repeatable: true }
const READ: Kind = { retries: () => true, effect: 'none', repeatable: true }

const WORTH_RETRYING: ReadonlySet<string> = new Set(['CONNECTION', 'TIMEOUT', 'OVERLOADED'])

export function makeCalls(options: CallsOptions): Calls {
  const call = <T>(about: About, kind: Kind, given: OpOptions | undefined, attempt: (call: Call) => Promise<T>) =>
    limited(options, about, given, kind.repeatable, (one, progress) =>
      repeated(options, about, kind, one, progress, attempt),
    )
  return {
    run: (about, given, attempt) => call(about, ONCE, given, attempt),
    repeat: (about, given, attempt) => call(about, REPEATABLE, given, attempt),
    read: async <T>(about: About, given: ReadOptions | undefined, attempt: (call: ReadCall) => Promise<T>) => {
      const consistency = consistencyOf(options.capabilities, given)
      return call(about, READ, given, (one) => attempt({ signal: one.signal, timeoutMs: one.timeoutMs, consistency }))
    },
    steps: (about, given, work) => limited(options, about, given, false, work),
    wait: <T>(about: About, given: OpOptions | undefined, event: Promise<T>) => {
      // whatever ends the wait first, the event's own failure is nobody else's
      event.catch(() => undefined)
      return limited(options, about, { timeoutMs: Infinity, ...given }, true, () => event)
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

/** Ends with the work, or before it on abort, on closing and at the time limit: then as the progress says. */
async function limited<T>(
  { context, capabilities, closing }: CallsOptions,
  about: About,
  { signal: caller, timeoutMs = context.sessionTimeoutMs }: OpOptions = {},
  repeatable: boolean,
  work: (call: Call, progress: Progress) => Promise<T>,
): Promise<T> {
  const { backend } = capabilities
  if (caller?.aborted === true) throw reasonOf(caller)
  if (closing.aborted) throw closedError(backend, { effect: 'none' })
  if (!(timeoutMs >= 0)) {
    throw new CoordinationError('INVALID_ARGUMENT', `timeoutMs must not be ${timeoutMs}`, { backend })
  }
  const progress: Progress = { effect: 'none', lastError: undefined }
  const end = new AbortController()
  const call = callUntil(context.clock.now() + timeoutMs, context, end.signal)
  const onTime = () => end.abort(timeoutError({ about, timeoutMs, backend, repeatable, progress }))
  const ends = [onAbort(closing, () => end.abort(closedError(backend, { effect: progress.effect })))]
  if (caller !== undefined) ends.push(onAbort(caller, () => end.abort(caller.reason)))
  if (timeoutMs !== Infinity) ends.push(context.clock.setTimeout(onTime, timeoutMs))
  try {
    // the race is won at once, also against work that does not heed its signal
    return await new Promise<T>((resolve, reject) => {
      end.signal.addEventListener('abort', () => reject(reasonOf(end.signal)), { once: true })
      work(call, progress).then(resolve, reject)
    })
  } finally {
    for (const disposable of ends) disposable[Symbol.dispose]()
  }
}

/** Its `timeoutMs` is what is left at each look; of a call without a limit, what a single attempt may take. */
function callUntil(until: number, { clock, sessionTimeoutMs }: CallsOptions['context'], signal: AbortSignal): Call {
  return {
    signal,
    get timeoutMs() {
      return until === Infinity ? sessionTimeoutMs : Math.max(1, until - clock.now())
    },
  }
}

async function repeated<T>(
  { context, capabilities }: CallsOptions,
  about: About,
  kind: Kind,
  call: Call,
  progress: Progress,
  attempt: (call: Call) => Promise<T>,
): Promise<T> {
  for (let retry = 1; ; retry++) {
    const before = progress.effect
    try {
      progress.effect = kind.effect
      return await attempt({ signal: call.signal, timeoutMs: call.timeoutMs })
    } catch (thrown) {
      const error = asCoordinationError(thrown, capabilities.backend, about)
      if (!WORTH_RETRYING.has(error.code) || !kind.retries(error)) throw error
      progress.lastError = error
      if (error.effect === 'none') progress.effect = before
    }
    await sleep(context.clock, backoffMs(retry, context.random), call.signal)
  }
}

interface Ended {
  readonly about: About
  readonly timeoutMs: number
  readonly backend: string
  readonly repeatable: boolean
  readonly progress: Progress
}

/**
 * CONNECTION if the last attempt that has ended found nobody to ask, and nothing may have been done; else TIMEOUT. The
 * attempt that is under way says nothing: servers that refuse us, and servers that are silent, are told apart at
 * whatever moment the time is up.
 */
function timeoutError({ about, timeoutMs, backend, repeatable, progress }: Ended): CoordinationError {
  const { effect, lastError } = progress
  const message = `${named(about)}: no answer within ${timeoutMs} ms`
  return new CoordinationError(
    lastError?.code === 'CONNECTION' && effect === 'none' ? 'CONNECTION' : 'TIMEOUT',
    lastError === undefined ? message : `${message}; the last one was: ${lastError.message}`,
    {
      backend,
      effect,
      ...(repeatable && { retriable: true }),
      ...(lastError !== undefined && { cause: lastError }),
      ...keyOf(about),
    },
  )
}

function consistencyOf(
  { backend, linearizableReads }: CallsOptions['capabilities'],
  options: ReadOptions | undefined,
): ReadCall['consistency'] {
  const consistency = options?.consistency
  if (consistency === 'linearizable' && !linearizableReads) {
    throw new CoordinationError('UNSUPPORTED', `the ${backend} backend has no linearizable reads`, { backend })
  }
  return consistency ?? (linearizableReads ? 'linearizable' : 'sequential')
}

function named({ what, key }: About): string {
  return key === undefined ? what : `${what} ${JSON.stringify(key)}`
}

function keyOf({ key }: About): { readonly key?: string } {
  return key === undefined ? {} : { key }
}
