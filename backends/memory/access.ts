/** How a driver reaches a store: here, or over a connection. */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { CoordinationError, type Clock } from '../../spi/index.ts'
import { reasonOf } from '../../spi/helpers/backoff.ts'
import { closedError } from '../shared/calls.ts'
import type { Call } from '../shared/driver.ts'
import type { Args, Operation, Result } from './operations.ts'
import { BACKEND, Store } from './store.ts'
import { StoreHost, type Told, type WatchQuery } from './store-host.ts'

export interface StoreAccess {
  /** Of the store behind it; constant. */
  readonly persistent: boolean
  readonly multiProcess: boolean
  /** Rejects with CoordinationError, the effect told truthfully. */
  ask<O extends Operation>(operation: O, args: Args<O>, call: Call): Promise<Result<O>>
  /**
   * Tells of all changes from the revision `from` on. Ends only by rejecting: with CompactedError if they are
   * forgotten, with CoordinationError if the connection broke, or on abort.
   */
  watch(query: WatchQuery, from: number, told: Told, signal: AbortSignal): Promise<never>
  /** Never rejects. */
  close(): Promise<void>
}

/** The stores of this process: clients meet by naming the same one. They live as long as the process. */
const stores = new Map<string, StoreHost>()

export function storeOfThisProcess(name: string, clock: Clock): StoreAccess {
  const host = stores.get(name) ?? new StoreHost(new Store())
  stores.set(name, host)
  return new DirectAccess(host, clock)
}

export class DirectAccess implements StoreAccess {
  readonly persistent = false
  readonly multiProcess = false
  readonly #host: StoreHost
  readonly #clock: Clock
  readonly #closing = new AbortController()

  constructor(host: StoreHost, clock: Clock) {
    this.#host = host
    this.#clock = clock
  }

  async ask<O extends Operation>(operation: O, args: Args<O>, call: Call): Promise<Result<O>> {
    // as if it were sent: copied, in a turn of its own, and other things happen meanwhile
    const sent = structuredClone(args)
    await turnOfTheLoop()
    const gone = this.#closing.signal.aborted || call.signal.aborted
    if (gone) throw new CoordinationError('CLOSED', 'given up before it was sent', { backend: BACKEND, effect: 'none' })
    return this.#host.run(operation, sent, this.#clock)
  }

  async watch(query: WatchQuery, from: number, told: Told, signal: AbortSignal): Promise<never> {
    const end = AbortSignal.any([signal, this.#closing.signal])
    using _watch = this.#host.watch(query, from, told)
    return await new Promise<never>((_resolve, reject) => {
      const stop = () => reject(reasonOf(end))
      if (end.aborted) stop()
      else end.addEventListener('abort', stop, { once: true })
    })
  }

  async close(): Promise<void> {
    this.#closing.abort(closedError(BACKEND))
  }
}
