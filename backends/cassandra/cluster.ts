/** The servers, as one that is asked: reads are repeated on others, writes are sent once. */
import { type Client, errors, types } from 'cassandra-driver'
import { CoordinationError, isCoordinationError, type PluginContext } from '../../spi/index.ts'
import { backoffMs, reasonOf, sleep } from '../../spi/helpers/backoff.ts'
import { closedError } from '../shared/calls.ts'
import type { Call } from '../shared/driver.ts'
import { onAbort } from '../shared/on-abort.ts'
import { BACKEND } from './capabilities.ts'
import { configFaultOf, makeClient, takeCare } from './client.ts'
import { faultOf } from './faults.ts'
import { SameHostFirst, Suspects } from './hosts.ts'
import type { Settings } from './settings.ts'

export interface Statement {
  readonly query: string
  readonly params: readonly unknown[]
}

/**
 * How what is read must agree with what others have written: `serial`, all that was decided before; `plain`, all that
 * was acknowledged; `one`, what one server knows.
 */
export type Agreement = 'plain' | 'serial' | 'one'

/** Parts of the session timeout: of one attempt to read, to write, to connect, and of a suspicion. */
const READ_PART = 1 / 3
const WRITE_PART = 1 / 2
const CONNECT_PART = 1 / 3
const SHORTEST_MS = 250
const SUSPECT_PART = 2
/** Session timeouts for another client to connect, step by step: nobody waits for it, and a slow network takes long. */
const REPLACE_PARTS = 5
const DEFINITION_MS = 10_000

/** A client of the library, and what is needed to end it. */
interface Connected {
  readonly client: Client
  readonly hosts: SameHostFirst
  readonly close: () => Promise<void>
  /** It learns no more of the servers: another one must take its place. */
  isLost: boolean
}

export class Cluster {
  readonly settings: Settings
  readonly #context: PluginContext
  readonly #suspects: Suspects
  readonly #closing = new AbortController()
  /** What is asked. */
  #connected: Connected | undefined
  /** All that is not closed, and all that is being connected. */
  readonly #open = new Set<Connected>()
  readonly #connecting = new Set<Promise<unknown>>()
  #isReplacing = false

  private constructor(settings: Settings, context: PluginContext) {
    this.settings = settings
    this.#context = context
    this.#suspects = new Suspects(context.sessionTimeoutMs * SUSPECT_PART, () => performance.now())
  }

  /** @throws CoordinationError CONNECTION, TIMEOUT, AUTHENTICATION, AUTHORIZATION, CONFIG */
  static async open(settings: Settings, context: PluginContext, call: Call): Promise<Cluster> {
    const cluster = new Cluster(settings, context)
    cluster.#connected = await cluster.#connect(call)
    cluster.#replaceIfLost()
    return cluster
  }

  get localDataCenter(): string | undefined {
    return this.#connected?.hosts.localDataCenter
  }

  /** What may be asked again, of another server, as long as there is time. @throws CoordinationError */
  async read(statement: Statement, agreement: Agreement, call: Call): Promise<types.ResultSet> {
    const consistency = this.#consistency(agreement)
    const until = performance.now() + call.timeoutMs
    for (let attempt = 1; ; attempt++) {
      const left = until - performance.now()
      try {
        return await this.#execute(statement, consistency, this.#part(READ_PART, left), call)
      } catch (error) {
        // one that was sent, and had no answer
        const isWorthAsking = isCoordinationError(error, 'TIMEOUT') && error.effect === 'unknown'
        if (!isWorthAsking || until - performance.now() < SHORTEST_MS || call.signal.aborted) throw error
      }
      await sleep(this.#context.clock, backoffMs(attempt, this.#context.random), call.signal)
    }
  }

  /** One conditional write, or a plain one. @throws CoordinationError with the effect that it may have had. */
  async write(statement: Statement, call: Call): Promise<types.ResultSet> {
    return this.#execute(statement, this.settings.consistency.plain, this.#part(WRITE_PART, call.timeoutMs), call)
  }

  /** Conditional writes to one partition in one step. @throws CoordinationError as {@link write}. */
  async batch(statements: readonly Statement[], call: Call): Promise<types.ResultSet> {
    this.#assertOpen(call)
    const { plain, serial } = this.settings.consistency
    const readTimeout = this.#part(WRITE_PART, call.timeoutMs)
    const queries = statements.map(({ query, params }) => ({ query, params: [...params] }))
    return this.#watched(
      this.#client().batch(queries, {
        prepare: true,
        logged: true,
        isIdempotent: false,
        consistency: plain,
        serialConsistency: serial,
        readTimeout,
      }),
      readTimeout,
    )
  }

  /** A statement of the schema, at one server, which waits until the others know. @throws CoordinationError */
  async define(query: string): Promise<void> {
    const options = { prepare: false, readTimeout: DEFINITION_MS }
    await this.#watched(this.#client().execute(query, [], options), 2 * DEFINITION_MS)
  }

  /** Bounded in time; never rejects. */
  async close(): Promise<void> {
    this.#closing.abort(closedError(BACKEND))
    await Promise.all([...this.#open].map((one) => one.close()))
    await Promise.allSettled(this.#connecting)
  }

  async #connect(call: Call): Promise<Connected> {
    const { keyspace, localDataCenter } = this.settings
    const hosts = new SameHostFirst({ keyspace, localDataCenter, suspects: this.#suspects })
    const client = makeClient(this.settings, this.#context, hosts, this.#part(CONNECT_PART, Infinity))
    const connected: Connected = {
      client,
      hosts,
      close: async () => {
        this.#open.delete(connected)
        await client.shutdown().catch(() => undefined)
        closeRest()
      },
      isLost: false,
    }
    const onLost = () => {
      connected.isLost = true
      this.#replaceIfLost()
    }
    const closeRest = takeCare(client, { onLost })
    const connecting = client.connect()
    const settled = connecting.catch(() => undefined).finally(() => this.#connecting.delete(settled))
    this.#connecting.add(settled)
    try {
      await within(this.#context, connecting, call)
      this.#open.add(connected)
      return connected
    } catch (error) {
      // a client that is still connecting cannot be shut down; it has connected, or given up, before long
      closeRest()
      settled.then(connected.close, () => undefined)
      throw configFaultOf(error) ?? this.#fault(error)
    }
  }

  /** Until there is another one the old one goes on, as far as it reaches any server. */
  #replaceIfLost(): void {
    const lost = this.#connected
    if (lost?.isLost !== true || this.#isReplacing || this.#closing.signal.aborted) return
    this.#isReplacing = true
    this.#replacement()
      .then((next) => this.#use(next, lost))
      .catch((error: unknown) => this.#context.logger.debug(`no other connection: ${String(error)}`))
      .finally(() => {
        this.#isReplacing = false
        this.#replaceIfLost()
      })
      .catch(() => undefined)
  }

  async #use(next: Connected, lost: Connected): Promise<void> {
    if (this.#closing.signal.aborted) {
      await next.close()
      return
    }
    this.#connected = next
    // what the old one is waiting for may still be answered
    setTimeout(
      () => {
        lost.close().catch(() => undefined)
      },
      this.#part(WRITE_PART, Infinity),
    ).unref()
  }

  async #replacement(): Promise<Connected> {
    const { signal } = this.#closing
    const { clock, random, sessionTimeoutMs } = this.#context
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#connect({ signal, timeoutMs: REPLACE_PARTS * sessionTimeoutMs })
      } catch (error) {
        if (signal.aborted) throw error
      }
      await sleep(clock, backoffMs(attempt, random), signal)
    }
  }

  async #execute(
    { query, params }: Statement,
    consistency: types.consistencies,
    readTimeout: number,
    call: Call,
  ): Promise<types.ResultSet> {
    this.#assertOpen(call)
    return this.#watched(
      this.#client().execute(query, [...params], {
        prepare: true,
        isIdempotent: false,
        autoPage: false,
        fetchSize: 0,
        consistency,
        serialConsistency: this.settings.consistency.serial,
        readTimeout,
      }),
      readTimeout,
    )
  }

  #consistency(agreement: Agreement): types.consistencies {
    if (agreement === 'one') return types.consistencies.localOne
    return agreement === 'serial' ? this.settings.consistency.serial : this.settings.consistency.plain
  }

  #client(): Client {
    if (this.#connected === undefined) throw closedError(BACKEND, { effect: 'none' })
    return this.#connected.client
  }

  #assertOpen({ signal }: Call): void {
    if (this.#closing.signal.aborted) throw closedError(BACKEND, { effect: 'none' })
    if (signal.aborted) throw new CoordinationError('CLOSED', 'given up', { backend: BACKEND, effect: 'none' })
  }

  /** Learns from an answer, or from its absence, whom to ask. */
  async #watched(work: Promise<types.ResultSet>, limitMs: number): Promise<types.ResultSet> {
    try {
      const result = await this.#bounded(work, limitMs + this.#part(CONNECT_PART, Infinity))
      this.#suspects.acquit(result.info.queriedHost)
      return result
    } catch (error) {
      const { coordinator } = error as { readonly coordinator?: string }
      if (error instanceof errors.OperationTimedOutError && coordinator !== undefined)
        this.#suspects.suspect(coordinator)
      throw this.#closing.signal.aborted ? closedError(BACKEND, { effect: 'unknown' }) : this.#fault(error)
    }
  }

  /** The library has limits for what it sends, and none for what it waits for before. */
  #bounded<T>(work: Promise<T>, limitMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const message = `no answer within ${limitMs} ms, and no failure either`
        reject(new CoordinationError('TIMEOUT', message, { backend: BACKEND, effect: 'unknown' }))
      }, limitMs)
      work.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }

  #fault(error: unknown): CoordinationError {
    return faultOf(error, () => this.#suspects.any)
  }

  #part(part: number, left: number): number {
    const share = Math.max(SHORTEST_MS, this.#context.sessionTimeoutMs * part)
    return Math.max(1, Math.round(Math.min(share, left)))
  }
}

/** @throws CoordinationError TIMEOUT; or the signal's reason. */
async function within(context: PluginContext, work: Promise<unknown>, { signal, timeoutMs }: Call): Promise<void> {
  const ends: Disposable[] = []
  try {
    await new Promise<unknown>((resolve, reject) => {
      const late = () => {
        const message = `not connected within ${Math.round(timeoutMs)} ms`
        reject(new CoordinationError('TIMEOUT', message, { backend: BACKEND, effect: 'none' }))
      }
      ends.push(context.clock.setTimeout(late, timeoutMs))
      ends.push(onAbort(signal, () => reject(reasonOf(signal))))
      work.then(resolve, reject)
    })
  } finally {
    for (const end of ends) end[Symbol.dispose]()
  }
}
