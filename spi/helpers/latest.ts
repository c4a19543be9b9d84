/** Listeners as `for await` loops. */
import type { KeySetChangeListener, ListenerRegistry, ValueChangeListener } from '../listener-registry.ts'
import type { Entry } from '../values.ts'
import { isCoordinationError } from '../errors.ts'
import { reasonOf } from './backoff.ts'

export interface IterateOptions {
  readonly signal?: AbortSignal
}

/**
 * The value of a key, now and whenever it has changed; undefined while there is none. A slow loop skips to the latest:
 * nothing queues up. Leaving the loop unsubscribes.
 * @throws `signal.reason` on abort; CoordinationError CLOSED when the registry closes; INVALID_KEY.
 */
export function values(
  registry: ListenerRegistry,
  key: string,
  options: IterateOptions = {},
): AsyncIterable<Entry | undefined> {
  return latest<Entry | undefined>(registry, options, {
    same: (a, b) => a?.version === b?.version,
    subscribe(deliver) {
      const listener: ValueChangeListener = { valueChanged: (_text, entry) => deliver(entry) }
      return {
        added: registry.addValueChangeListener(key, listener, { ...options, initial: true }),
        remove: () => registry.removeValueChangeListener(key, listener),
      }
    },
  })
}

/** The same for the names of a namespace's children. */
export function keySets(
  registry: ListenerRegistry,
  namespace: string,
  options: IterateOptions = {},
): AsyncIterable<ReadonlySet<string>> {
  return latest<ReadonlySet<string>>(registry, options, {
    same: (a, b) => a.size === b.size && [...a].every((name) => b.has(name)),
    subscribe(deliver) {
      const listener: KeySetChangeListener = { keySetChanged: (names) => deliver(names) }
      return {
        added: registry.addKeySetChangeListener(namespace, listener, { ...options, initial: true }),
        remove: () => registry.removeKeySetChangeListener(namespace, listener),
      }
    },
  })
}

interface Subscription {
  readonly added: Promise<void>
  remove(): Promise<void>
}

interface Source<T> {
  /** Whether a state need not be shown to who has seen the other: states between the two may have been skipped. */
  same(a: T, b: T): boolean
  subscribe(deliver: (state: T) => void): Subscription
}

function latest<T>(registry: ListenerRegistry, { signal }: IterateOptions, source: Source<T>): AsyncIterable<T> {
  const ends = signal === undefined ? [registry.closing] : [signal, registry.closing]
  return { [Symbol.asyncIterator]: () => new LatestIterator(source, ends) }
}

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void
  reject(error: unknown): void
}

const DONE = { done: true, value: undefined } as const

/**
 * By hand rather than an async generator, whose `return()` waits for a pending `next()`: for a change that may never
 * come. One `next()` at a time is answered with the latest state, further ones in turn.
 */
class LatestIterator<T> implements AsyncIterator<T, undefined> {
  readonly #source: Source<T>
  readonly #ends: readonly AbortSignal[]
  readonly #waiters: Waiter<T>[] = []
  #subscription: Subscription | undefined
  #shown: { readonly state: T } | undefined
  #pending: { readonly state: T } | undefined
  #failure: { readonly error: unknown } | undefined
  #finished = false

  constructor(source: Source<T>, ends: readonly AbortSignal[]) {
    this.#source = source
    this.#ends = ends
  }

  next(): Promise<IteratorResult<T, undefined>> {
    this.#start()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      this.#serve()
    })
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#finish()
    this.#serve()
    await this.#unsubscribe()
    return DONE
  }

  #start(): void {
    if (this.#subscription !== undefined || this.#finished) return
    for (const end of this.#ends) {
      if (end.aborted) {
        this.#fail(reasonOf(end))
        return
      }
      end.addEventListener('abort', this.#onEnd, { once: true })
    }
    this.#subscription = this.#source.subscribe((state) => this.#deliver(state))
    this.#subscription.added.catch((error: unknown) => this.#fail(error))
  }

  readonly #onEnd = (event: Event): void => {
    this.#fail(reasonOf(event.target as AbortSignal))
    // a loop that fails never calls return(). What cannot be removed now does nothing any more, and goes at close()
    this.#unsubscribe().catch(() => undefined)
  }

  async #unsubscribe(): Promise<void> {
    const subscription = this.#subscription
    this.#subscription = undefined
    if (subscription === undefined) return
    try {
      // one that is still being added could not be removed yet
      await subscription.added
    } catch {
      return
    }
    try {
      await subscription.remove()
    } catch (error) {
      // a closed registry has removed all its listeners
      if (!isCoordinationError(error, 'CLOSED')) throw error
    }
  }

  #deliver(state: T): void {
    if (this.#finished) return
    const isNews = this.#shown === undefined || !this.#source.same(this.#shown.state, state)
    this.#pending = isNews ? { state } : undefined
    this.#serve()
  }

  #fail(error: unknown): void {
    if (this.#finished) return
    this.#failure = { error }
    this.#finish()
    this.#serve()
  }

  #finish(): void {
    this.#finished = true
    this.#pending = undefined
    for (const end of this.#ends) end.removeEventListener('abort', this.#onEnd)
  }

  #serve(): void {
    for (let waiter = this.#waiters[0]; waiter !== undefined; waiter = this.#waiters[0]) {
      if (this.#failure !== undefined) {
        waiter.reject(this.#failure.error)
        this.#failure = undefined
      } else if (this.#finished) {
        waiter.resolve(DONE)
      } else if (this.#pending !== undefined) {
        this.#shown = this.#pending
        this.#pending = undefined
        waiter.resolve({ done: false, value: this.#shown.state })
      } else {
        return
      }
      this.#waiters.shift()
    }
  }
}
