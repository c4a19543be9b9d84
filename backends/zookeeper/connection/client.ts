/**
 * A ZooKeeper session over however many connections, one after the other: whenever one ends, the next server is tried,
 * and the session goes on there if it has not ended meanwhile. What is asked while there is no connection waits for the
 * next one. Nothing is sent twice.
 */
import { CoordinationError, type PluginContext, type Secret } from '../../../spi/index.ts'
import { backoffMs, reasonOf, sleep } from '../../../spi/helpers/backoff.ts'
import { onAbort } from '../../shared/on-abort.ts'
import { deferred } from '../../shared/deferred.ts'
import type { Call } from '../../shared/driver.ts'
import { ERR } from '../protocol/codes.ts'
import { closeSession, type Operation } from '../protocol/operations.ts'
import type { Connection, Reply } from './connection.ts'
import { BACKEND, errorOf, sessionLost, SilentServerError } from './errors.ts'
import { NO_SESSION, type SessionKey, shakeHands } from './handshake.ts'
import type { Endpoint, Tls } from './socket.ts'

export interface ClientSettings {
  readonly endpoints: readonly Endpoint[]
  readonly tls: Tls
  /** `user:password`. */
  readonly digest: Secret | undefined
  readonly context: Pick<PluginContext, 'clock' | 'random' | 'logger'>
}

export interface ClientOptions extends ClientSettings {
  /** Of the session, milliseconds; the server may grant another. */
  readonly timeoutMs: number
  /** How long it may take until something is granted: a third of it for each server. Milliseconds. */
  readonly patienceMs: number
  /** When the session has expired: a new one is begun, or the client ends. */
  readonly reopens: boolean
  /** Told the transaction number of every answer. */
  readonly saw: (zxid: bigint) => void
}

export interface ClientListener {
  /** There is a connection, or another one: watches that were set on the last one are gone. */
  connected?(): void
  changed?(path: string): void
  /** Once, at its end: it was closed, or a server said that the session is over. */
  over?(): void
}

/** What a server has answered; an error is one of those that say what was found. */
export type Answer<T> =
  | { readonly zxid: bigint; readonly ok: true; readonly value: T }
  | { readonly zxid: bigint; readonly ok: false; readonly error: number }

/** When something was sent, by the two clocks. Milliseconds. */
export interface Moment {
  readonly steady: number
  readonly clock: number
}

/** Waits for a connection. */
interface Waiting {
  readonly connected: (connection: Connection) => void
  readonly failed: (error: Error) => void
}

interface Request extends Waiting {
  readonly operation: Operation<unknown>
  sent: boolean
  readonly answered: (reply: Reply) => void
}

/** A server that is silent is left after this part of the session's time: the next one must still be reached. */
const SILENCE_PART = 1 / 3
/** ZooKeeper takes no longer requests (`jute.maxbuffer`); some room is left for what servers add. Bytes. */
export const LONGEST_REQUEST = 0xfffff - 1024

export class ZkClient {
  readonly #options: ClientOptions
  readonly #listeners = new Set<ClientListener>()
  readonly #waiting = new Set<Waiting>()
  readonly #end = new AbortController()
  #key: SessionKey = NO_SESSION
  #timeoutMs: number
  #lastZxid = 0n
  #connection: Connection | undefined
  #established: Moment
  #next: number
  #refusals = 0
  #closing: NodeJS.Timeout | undefined

  constructor(options: ClientOptions) {
    this.#options = options
    this.#timeoutMs = options.timeoutMs
    this.#established = this.now()
    // not all clients on the first server
    this.#next = Math.floor(options.context.random() * options.endpoints.length)
  }

  /** Begins to connect. */
  start(): void {
    this.#run().catch((error: unknown) => this.#finish(error as Error))
  }

  /** As ZooKeeper's own tools print it. */
  get id(): string {
    return sessionName(this.#key.id)
  }

  /** Granted, milliseconds. */
  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /** When the present connection was asked for: the leader itself has heard of the session since. */
  get established(): Moment {
    return this.#established
  }

  get isOver(): boolean {
    return this.#end.signal.aborted
  }

  listen(listener: ClientListener): void {
    this.#listeners.add(listener)
  }

  now(): Moment {
    return { steady: performance.now(), clock: this.#options.context.clock.now() }
  }

  /**
   * @throws CoordinationError CONNECTION (`unknown` if it is a write that was on its way), TIMEOUT, SESSION_LOST,
   * TOO_LARGE and what servers refuse with; the reason of the call's signal
   */
  send<T>(operation: Operation<T>, call: Call): Promise<Answer<T>> {
    return new Promise((resolve, reject) => {
      if (call.signal.aborted || this.isOver) {
        reject(reasonOf(call.signal.aborted ? call.signal : this.#end.signal))
        return
      }
      const size = operation.payload?.byteLength() ?? 0
      if (size > LONGEST_REQUEST) {
        const message = `a request of ${size} bytes is more than ZooKeeper takes`
        reject(new CoordinationError('TOO_LARGE', message, { backend: BACKEND }))
        return
      }
      const request: Request = {
        operation,
        sent: false,
        connected: (connection) => this.#send(connection, request),
        answered: (reply) => {
          settle()
          try {
            resolve(this.#read(operation, reply))
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)))
          }
        },
        failed: (error) => {
          settle()
          reject(error)
        },
      }
      const settle = () => {
        for (const limit of limits.splice(0)) limit[Symbol.dispose]()
        this.#waiting.delete(request)
      }
      const limits = [
        onAbort(call.signal, () => request.failed(reasonOf(call.signal))),
        this.#options.context.clock.setTimeout(() => request.failed(timeoutOf(request, call)), call.timeoutMs),
      ]
      if (this.#connection === undefined) this.#waiting.add(request)
      else this.#send(this.#connection, request)
    })
  }

  /**
   * Resolves when there is a connection, and so a session; nothing is asked on it.
   * @throws CoordinationError CONNECTION, TIMEOUT, SESSION_LOST; the reason of the call's signal
   */
  async connected({ signal, timeoutMs }: Call): Promise<void> {
    if (this.#connection !== undefined) return
    const { promise, resolve, reject } = deferred<undefined>()
    using _aborted = onAbort(signal, () => reject(reasonOf(signal)))
    using _over = onAbort(this.#end.signal, () => reject(reasonOf(this.#end.signal)))
    using _late = this.#options.context.clock.setTimeout(() => reject(lateError(timeoutMs, 'none')), timeoutMs)
    const waiting: Waiting = { connected: () => resolve(undefined), failed: reject }
    this.#waiting.add(waiting)
    try {
      await promise
    } finally {
      this.#waiting.delete(waiting)
    }
  }

  /** Ends the session, and with it the client. Also if that fails, the session is not kept alive any longer. */
  async close(call: Call): Promise<void> {
    if (this.isOver) return
    if (this.#key === NO_SESSION && this.#connection === undefined) {
      this.destroy()
      return
    }
    if (this.#closing === undefined) {
      this.#closing = setTimeout(() => this.destroy(), this.#timeoutMs)
      this.#closing.unref()
      this.#connection?.fallSilent()
    }
    await this.send(closeSession(), call)
    this.destroy()
  }

  /** Lets go of everything; the session ends by itself. */
  destroy(): void {
    // of a session that somebody has ended the others know no more than that it is over
    this.#finish(this.#options.reopens ? closedError() : sessionLost('none'))
  }

  async #run(): Promise<void> {
    const { signal } = this.#end
    for (let failures = 0; !signal.aborted; ) {
      try {
        const connection = await this.#connect(signal)
        if (connection === undefined) continue
        failures = 0
        await this.#use(connection)
      } catch (error) {
        if (this.isOver) return
        failures++
        this.#failed(error as Error)
        const rounds = Math.floor(failures / this.#options.endpoints.length)
        const { clock, random } = this.#options.context
        if (rounds > 0) await sleep(clock, backoffMs(rounds, random), signal).catch(() => undefined)
      }
    }
  }

  /** @returns undefined if the session turned out to be over. */
  async #connect(signal: AbortSignal): Promise<Connection | undefined> {
    const { endpoints, tls, timeoutMs, patienceMs } = this.#options
    const endpoint = endpoints[this.#next % endpoints.length]
    if (endpoint === undefined) throw new Error('no server is named')
    this.#next++
    const isNew = this.#key === NO_SESSION
    const limitMs = (isNew ? patienceMs : this.#timeoutMs) * SILENCE_PART
    const moment = this.now()
    const hello = { key: this.#key, lastZxid: this.#lastZxid, timeoutMs: Math.ceil(timeoutMs) }
    const { connection, granted } = await shakeHands(endpoint, tls, hello, limitMs, signal)
    if (granted === undefined) {
      connection.end(new Error('the session is over'))
      this.#expire()
      return undefined
    }
    this.#key = granted.key
    this.#timeoutMs = granted.timeoutMs
    this.#established = moment
    this.#refusals = 0
    return connection
  }

  /** Until it ends. */
  #use(connection: Connection): Promise<void> {
    return new Promise((resolve) => {
      const { digest } = this.#options
      this.#connection = connection
      const events = {
        changed: (path: string) => this.#tell((listener) => listener.changed?.(path)),
        ended: (error: Error) => {
          this.#connection = undefined
          this.#options.context.logger.debug(`a connection to ZooKeeper ended: ${error.message}`)
          resolve()
        },
      }
      connection.start(events, this.#timeoutMs * SILENCE_PART)
      if (this.isOver) {
        connection.end(reasonOf(this.#end.signal))
        return
      }
      if (this.#closing !== undefined) connection.fallSilent()
      if (digest !== undefined) {
        connection.authenticate('digest', Buffer.from(digest.reveal()), () => {
          const refused = errorOf(ERR.AUTH_FAILED)
          if (refused !== undefined) this.#finish(refused)
        })
      }
      for (const waiting of [...this.#waiting]) waiting.connected(connection)
      this.#tell((listener) => listener.connected?.())
    })
  }

  #send(connection: Connection, request: Request): void {
    this.#waiting.delete(request)
    request.sent = true
    connection.send(
      request.operation,
      (reply) => request.answered(reply),
      (error) => request.failed(lostOf(request, error)),
    )
  }

  #read<T>(operation: Operation<T>, { zxid, error, bytes }: Reply): Answer<T> {
    if (zxid > this.#lastZxid) this.#lastZxid = zxid
    this.#options.saw(zxid)
    if (error === ERR.OK) return { zxid, ok: true, value: operation.read(bytes) }
    if (error === ERR.SESSION_EXPIRED) this.#expire()
    if (error === ERR.SESSION_MOVED) this.#connection?.end(new Error('the session has gone to another server'))
    const thrown = errorOf(error)
    if (thrown !== undefined) throw thrown
    return { zxid, ok: false, error }
  }

  /** Who waits is told once every server has refused; who hears nothing waits for its own time to be up. */
  #failed(error: Error): void {
    const { endpoints, context } = this.#options
    context.logger.debug(`no connection to ZooKeeper: ${error.message}`)
    this.#refusals = error instanceof SilentServerError ? 0 : this.#refusals + 1
    if (this.#refusals < endpoints.length) return
    this.#refusals = 0
    const refused = { backend: BACKEND, effect: 'none', cause: error } as const
    for (const request of [...this.#waiting]) {
      request.failed(new CoordinationError('CONNECTION', `no server takes us: ${error.message}`, refused))
    }
  }

  #expire(): void {
    if (this.#options.reopens) {
      this.#key = NO_SESSION
      this.#connection?.end(new Error('the session is over'))
      return
    }
    this.#finish(sessionLost('none'))
  }

  #finish(reason: Error): void {
    if (this.isOver) return
    clearTimeout(this.#closing)
    this.#end.abort(reason)
    this.#connection?.end(reason)
    for (const request of [...this.#waiting]) request.failed(reason)
    this.#tell((listener) => listener.over?.())
  }

  #tell(deliver: (listener: ClientListener) => void): void {
    for (const listener of this.#listeners) deliver(listener)
  }
}

/** As ZooKeeper's own tools print it. */
export function sessionName(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`
}

function closedError(): CoordinationError {
  return new CoordinationError('CLOSED', 'the zookeeper client is closed', { backend: BACKEND, effect: 'none' })
}

function timeoutOf({ operation, sent }: Request, { timeoutMs }: Call): CoordinationError {
  return lateError(timeoutMs, sent && operation.writes ? 'unknown' : 'none')
}

function lateError(timeoutMs: number, effect: 'none' | 'unknown'): CoordinationError {
  const message = `no answer of a server within ${Math.round(timeoutMs)} ms`
  return new CoordinationError('TIMEOUT', message, { backend: BACKEND, effect })
}

function lostOf({ operation }: Request, cause: Error): CoordinationError {
  const effect = operation.writes ? 'unknown' : 'none'
  const code = cause instanceof SilentServerError ? 'TIMEOUT' : 'CONNECTION'
  return new CoordinationError(code, `the connection broke: ${cause.message}`, { backend: BACKEND, effect, cause })
}
