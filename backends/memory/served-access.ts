/**
 * The way to a served store, through reconnects. There is one connection, made when it is needed: whoever calls tries
 * again after a pause (backends/shared), so nothing here does.
 */
import { isCoordinationError, type PluginContext, type Secret } from '../../spi/index.ts'
import { closedError } from '../shared/calls.ts'
import type { Call } from '../shared/driver.ts'
import type { StoreAccess } from './access.ts'
import type { Args, Operation, Result } from './operations.ts'
import { ServedConnection } from './served-connection.ts'
import { BACKEND } from './store.ts'
import type { Told, WatchQuery } from './store-host.ts'

export interface ServedOptions {
  /** `host:port`, tried in turn. */
  readonly endpoints: readonly string[]
  readonly password: Secret | undefined
}

/** Resolves when the store has welcomed us. @throws CoordinationError CONNECTION, TIMEOUT, AUTHENTICATION */
export async function connectServed(
  options: ServedOptions,
  context: PluginContext,
  { signal }: Pick<Call, 'signal'>,
): Promise<ServedAccess> {
  const access = new ServedAccess(options, context)
  const giveUp = () => access.shut()
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    await access.start()
    return access
  } catch (error) {
    access.shut()
    throw error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

export class ServedAccess implements StoreAccess {
  readonly multiProcess = true
  readonly #options: ServedOptions
  readonly #context: PluginContext
  #connection: ServedConnection | undefined
  #connecting: Promise<ServedConnection> | undefined
  /** The endpoint to be tried next. */
  #turn = 0
  #persistent = false
  #shut = false

  constructor(options: ServedOptions, context: PluginContext) {
    this.#options = options
    this.#context = context
  }

  /** Of the store that welcomed us last. */
  get persistent(): boolean {
    return this.#persistent
  }

  async start(): Promise<void> {
    await this.#connected()
  }

  async ask<O extends Operation>(operation: O, args: Args<O>, call: Call): Promise<Result<O>> {
    const { clock } = this.#context
    const until = clock.now() + call.timeoutMs
    const connection = await this.#connected()
    return connection.ask(operation, args, { ...call, timeoutMs: Math.max(1, until - clock.now()) })
  }

  async watch(query: WatchQuery, from: number, told: Told, signal: AbortSignal): Promise<never> {
    const connection = await this.#connected()
    return connection.watch(query, from, told, signal)
  }

  /** How many connections there are to the store, from all clients. */
  async connections(call: Call): Promise<number> {
    return (await this.#connected()).connections(call)
  }

  async close(): Promise<void> {
    this.shut()
  }

  shut(): void {
    this.#shut = true
    this.#connection?.close()
  }

  async #connected(): Promise<ServedConnection> {
    if (this.#connection?.isOpen === true && this.#connecting === undefined) return this.#connection
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  async #connect(): Promise<ServedConnection> {
    const { endpoints, password } = this.#options
    const { clock, sessionTimeoutMs } = this.#context
    let last: unknown = closedError(BACKEND, { effect: 'none' })
    for (let tried = 0; tried < endpoints.length && !this.#shut; tried++) {
      const endpoint = endpoints[this.#turn % endpoints.length] ?? ''
      const options = { endpoint, password: password?.reveal(), clock, silenceMs: sessionTimeoutMs }
      const connection = new ServedConnection(options)
      this.#connection = connection
      try {
        const { persistent } = await connection.greet()
        this.#persistent = persistent
        return connection
      } catch (error) {
        if (!isCoordinationError(error, 'CONNECTION') && !isCoordinationError(error, 'TIMEOUT')) throw error
        last = error
        this.#turn++
      }
    }
    throw last
  }
}
