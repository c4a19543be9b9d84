/** The servers, as one that is asked: reads are repeated on others, writes are sent once. */
import { type Client, errors, type Host, types } from 'cassandra-driver'
import { CoordinationError, type PluginContext } from '../../spi/index.ts'
import { reasonOf } from '../../spi/helpers/backoff.ts'
import { closedError } from '../shared/calls.ts'
import type { Call } from '../shared/driver.ts'
import { onAbort } from '../shared/on-abort.ts'
import { BACKEND } from './capabilities.ts'
import { configFaultOf, makeClient } from './client.ts'
import { faultOf } from './faults.ts'
import { SameHostFirst } from './hosts.ts'
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
const READ_PART = 1 / 4
const WRITE_PART = 1 / 2
const CONNECT_PART = 1 / 4
const SHORTEST_MS = 250
const SUSPECT_PART = 2
/** Closing: how long a connection that was being opened may take to be noticed and closed. */
const SWEEP_MS = 100

export class Cluster {
  readonly settings: Settings
  readonly #context: PluginContext
  readonly #client: Client
  readonly #hosts: SameHostFirst
  #closed = false

  private constructor(settings: Settings, context: PluginContext) {
    this.settings = settings
    this.#context = context
    this.#hosts = new SameHostFirst({
      keyspace: settings.keyspace,
      localDataCenter: settings.localDataCenter,
      suspectMs: context.sessionTimeoutMs * SUSPECT_PART,
      now: () => performance.now(),
    })
    this.#client = makeClient(settings, context, this.#hosts, this.#part(CONNECT_PART, Infinity))
  }

  /** @throws CoordinationError CONNECTION, TIMEOUT, AUTHENTICATION, AUTHORIZATION, CONFIG */
  static async open(settings: Settings, context: PluginContext, call: Call): Promise<Cluster> {
    const cluster = new Cluster(settings, context)
    const connecting = cluster.#client.connect()
    try {
      await within(context, connecting, call)
      // after all servers were lost the client makes itself new hosts, and leaves the old ones trying
      cluster.#client.hosts.on('remove', closeHost)
      return cluster
    } catch (error) {
      // a client that is still connecting cannot be closed; it has connected, or given up, before long
      connecting.then(
        () => cluster.close(),
        () => undefined,
      )
      throw configFaultOf(error) ?? cluster.#fault(error)
    }
  }

  get localDataCenter(): string | undefined {
    return this.#hosts.localDataCenter
  }

  /** What may be asked again, of another server, as long as there is time. @throws CoordinationError */
  async read(statement: Statement, agreement: Agreement, call: Call): Promise<types.ResultSet> {
    const consistency = this.#consistency(agreement)
    const until = performance.now() + call.timeoutMs
    for (;;) {
      const left = until - performance.now()
      try {
        return await this.#execute(statement, consistency, this.#part(READ_PART, left), call)
      } catch (error) {
        const isWorthAsking = error instanceof CoordinationError && error.code === 'TIMEOUT'
        if (!isWorthAsking || until - performance.now() < SHORTEST_MS || call.signal.aborted || this.#closed) throw error
      }
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
      this.#client.batch(queries, {
        prepare: true,
        logged: true,
        isIdempotent: false,
        consistency: plain,
        serialConsistency: serial,
        readTimeout,
      }),
    )
  }

  /** A statement of the schema, at one server, which waits until the others know. @throws CoordinationError */
  async define(query: string): Promise<void> {
    await this.#watched(this.#client.execute(query, [], { prepare: false, readTimeout: 10_000 }))
  }

  /** Bounded in time; never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#client.shutdown().catch(() => undefined)
    this.#sweep(performance.now() + this.#part(CONNECT_PART, Infinity) + SWEEP_MS)
  }

  /** A connection that was being opened to find the servers again is not closed with the others. */
  #sweep(until: number): void {
    const state = this.#client.getState()
    for (const host of state.getConnectedHosts()) {
      if (state.getOpenConnections(host) > 0) closeHost(host)
    }
    if (performance.now() < until) setTimeout(() => this.#sweep(until), SWEEP_MS).unref()
  }

  async #execute(
    { query, params }: Statement,
    consistency: types.consistencies,
    readTimeout: number,
    call: Call,
  ): Promise<types.ResultSet> {
    this.#assertOpen(call)
    return this.#watched(
      this.#client.execute(query, [...params], {
        prepare: true,
        isIdempotent: false,
        autoPage: false,
        fetchSize: 0,
        consistency,
        serialConsistency: this.settings.consistency.serial,
        readTimeout,
      }),
    )
  }

  #consistency(agreement: Agreement): types.consistencies {
    if (agreement === 'one') return types.consistencies.localOne
    return agreement === 'serial' ? this.settings.consistency.serial : this.settings.consistency.plain
  }

  #assertOpen({ signal }: Call): void {
    if (this.#closed) throw closedError(BACKEND, { effect: 'none' })
    if (signal.aborted) throw new CoordinationError('CLOSED', 'given up', { backend: BACKEND, effect: 'none' })
  }

  /** Learns from an answer, or from its absence, whom to ask. */
  async #watched(work: Promise<types.ResultSet>): Promise<types.ResultSet> {
    try {
      const result = await work
      this.#hosts.acquit(result.info.queriedHost)
      return result
    } catch (error) {
      const { coordinator } = error as { readonly coordinator?: string }
      if (error instanceof errors.OperationTimedOutError && coordinator !== undefined) this.#hosts.suspect(coordinator)
      throw this.#closed ? closedError(BACKEND, { effect: 'unknown' }) : this.#fault(error)
    }
  }

  #fault(error: unknown): CoordinationError {
    return faultOf(error, () => this.#hosts.hasSuspects)
  }

  #part(part: number, left: number): number {
    const share = Math.max(SHORTEST_MS, this.#context.sessionTimeoutMs * part)
    return Math.max(1, Math.round(Math.min(share, left)))
  }
}

/** The library's types leave this out. */
function closeHost(host: Host): void {
  ;(host as unknown as { shutdown(): Promise<void> }).shutdown().catch(() => undefined)
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
