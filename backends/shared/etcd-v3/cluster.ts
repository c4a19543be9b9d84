/**
 * The servers of one store: requests go to one of them until it fails, then to the next. Who we are – a token for a
 * password – is kept here.
 */
import type { CallOptions, ChannelCredentials } from '@grpc/grpc-js'
import type { Etcd3 } from 'etcd3'
import { CoordinationError, isCoordinationError, type PluginContext, type Secret } from '../../../spi/index.ts'
import type { Call } from '../driver.ts'
import { Connection, type RequestLimits, type RpcStream } from './connection.ts'
import { type Attempt, firstAnswer } from './first-answer.ts'
import { coordinationError, meaningOf, needsNoToken, RpcError, wantsNewToken } from './rpc-status.ts'

export interface ClusterSettings {
  /** Of errors: `etcd`. */
  readonly backend: string
  /** `host:port`, at least one. */
  readonly endpoints: readonly string[]
  readonly credentials: ChannelCredentials
  readonly user: { readonly name: string; readonly password: Secret } | undefined
  /** The longest that one server may take to answer, milliseconds. */
  readonly attemptMs: number
  readonly context: Pick<PluginContext, 'clock' | 'random'>
}

/** What is done on one connection. */
type Work<T> = (connection: Connection, limits: RequestLimits) => Promise<T>
type Send<T> = (etcd: Etcd3, options: CallOptions) => Promise<T>

interface Kind {
  /** May be sent a second time although the first one's outcome is not known. */
  readonly repeatable: boolean
  /** Only a server that knows a leader may answer. */
  readonly quorum: boolean
}

const WRITE: Kind = { repeatable: false, quorum: true }
const READ: Kind = { repeatable: true, quorum: true }
const LOCAL_READ: Kind = { repeatable: true, quorum: false }

export class Cluster {
  readonly backend: string
  readonly #settings: ClusterSettings
  readonly #connections: (Connection | undefined)[]
  #current: number
  #token: Promise<string | undefined> | undefined
  readonly #closing = new AbortController()

  constructor(settings: ClusterSettings) {
    const { endpoints, context } = settings
    this.backend = settings.backend
    this.#settings = settings
    this.#connections = endpoints.map(() => undefined)
    // not all clients on the first server
    this.#current = Math.floor(context.random() * endpoints.length)
  }

  /** A request that is sent at most once to a server that may have done it. @throws CoordinationError */
  write<T>(call: Call, send: Send<T>): Promise<T> {
    return this.#run(WRITE, call, (connection, limits) => connection.request(send, limits))
  }

  /** A request that changes nothing, or the same when it is repeated. @throws CoordinationError */
  read<T>(call: Call, send: Send<T>): Promise<T> {
    return this.#run(READ, call, (connection, limits) => connection.request(send, limits))
  }

  /** A read that any server may answer from what it has. @throws CoordinationError */
  localRead<T>(call: Call, send: Send<T>): Promise<T> {
    return this.#run(LOCAL_READ, call, (connection, limits) => connection.request(send, limits))
  }

  /** One request and its answer on a stream of their own; repeatable. @throws CoordinationError */
  exchange<Q, R>(
    call: Call,
    request: Q,
    open: (etcd: Etcd3, options: CallOptions) => Promise<RpcStream<Q, R>>,
  ): Promise<R> {
    return this.#run(READ, call, (connection, limits) => exchange(connection, limits, request, open))
  }

  /** A stream that ends when its server knows no leader any more. @throws CoordinationError */
  stream<Q, R>(
    call: Call,
    open: (etcd: Etcd3, options: CallOptions) => Promise<RpcStream<Q, R>>,
  ): Promise<ServerStream<Q, R>> {
    return this.#run(READ, call, async (connection, limits) => {
      const { stream, errorOf } = await connection.stream(open, limits)
      // another server was faster
      if (limits.signal.aborted) stream.cancel()
      return {
        stream,
        errorOf: (error: Error) =>
          coordinationError(errorOf(error), { endpoint: connection.endpoint, backend: this.backend }),
        ping: (limits: Call) => this.#ping(connection, limits),
        leave: () => this.#leave(connection),
      }
    })
  }

  /** The token was refused: the next request gets another. */
  forgetToken(): void {
    this.#token = undefined
  }

  close(): void {
    this.#closing.abort()
    for (const connection of this.#connections) connection?.close()
  }

  #run<T>(kind: Kind, call: Call, work: Work<T>): Promise<T> {
    return kind.repeatable ? this.#askAll(kind, call, work) : this.#once(kind, call, work)
  }

  /** Sent again only if it was not sent at all, or refused. */
  async #once<T>(kind: Kind, call: Call, work: Work<T>): Promise<T> {
    const { clock } = this.#settings.context
    const until = clock.now() + call.timeoutMs
    const servers = this.#connections.length
    for (let left = Math.max(2, servers) - 1; ; left--) {
      const time = until - clock.now()
      // some time is left to find out what became of it, from another server
      const timeoutMs = servers > 1 ? time / 2 : time
      try {
        return await this.#attempt(kind, { signal: call.signal, timeoutMs }, work).answer
      } catch (error) {
        const again = isTrouble(error) && error.effect === 'none' && !call.signal.aborted
        if (!again || left === 0 || clock.now() >= until) throw error
      }
    }
  }

  #askAll<T>(kind: Kind, { signal, timeoutMs }: Call, work: Work<T>): Promise<T> {
    return firstAnswer({
      clock: this.#settings.context.clock,
      servers: this.#connections.length,
      timeoutMs: Math.min(timeoutMs, this.#settings.attemptMs),
      signal,
      ask: (signal, timeoutMs) => this.#attempt(kind, { signal, timeoutMs }, work),
      isWorthAnother: isTrouble,
    })
  }

  #attempt<T>(kind: Kind, { signal, timeoutMs }: Call, work: Work<T>): Attempt<T> {
    const connection = this.#connect()
    const limited = { signal, timeoutMs: Math.min(timeoutMs, this.#settings.attemptMs) }
    const answer = this.#authenticated(connection, limited, kind, work).catch((thrown: unknown) => {
      const error = coordinationError(thrown, { endpoint: connection.endpoint, backend: this.backend })
      if (isTrouble(error) && !signal.aborted) this.#leave(connection)
      throw error
    })
    return { answer, pass: () => this.#leave(connection) }
  }

  async #authenticated<T>(connection: Connection, call: Call, kind: Kind, work: Work<T>): Promise<T> {
    const limits = async (): Promise<RequestLimits> => {
      const token = await this.#tokenFrom(connection, call)
      return { ...call, metadata: { ...(kind.quorum && { hasleader: 'true' }), ...(token !== undefined && { token }) } }
    }
    const first = await limits()
    try {
      return await work(connection, first)
    } catch (error) {
      if (!(error instanceof RpcError && wantsNewToken(error.status))) throw error
      this.forgetToken()
      return work(connection, await limits())
    }
  }

  /** One for all requests and servers; asked for once however many wait for it. */
  #tokenFrom(connection: Connection, call: Call): Promise<string | undefined> {
    const { user } = this.#settings
    if (user === undefined) return Promise.resolve(undefined)
    if (this.#token !== undefined) return this.#token
    const credentials = { name: user.name, password: user.password.reveal() }
    // not the caller's signal: others wait for the same token
    const limits = { signal: this.#closing.signal, timeoutMs: call.timeoutMs, metadata: {} }
    const token = connection
      .request((etcd, options) => etcd.auth.authenticate(credentials, options), limits)
      .then(
        (answer) => answer.token,
        (error: unknown) => {
          if (error instanceof RpcError && needsNoToken(error.status)) return undefined
          if (this.#token === token) this.#token = undefined
          throw asUnsent(error)
        },
      )
    this.#token = token
    return token
  }

  /** A refusal is an answer too, so it needs neither token nor permission. */
  async #ping(connection: Connection, limits: Call): Promise<boolean> {
    const nothing = { key: Buffer.from([0]), serializable: true, count_only: true }
    try {
      await connection.request((etcd, options) => etcd.kv.range(nothing, options), { ...limits, metadata: {} })
    } catch (error) {
      return !isTrouble(coordinationError(error, { endpoint: connection.endpoint, backend: this.backend }))
    }
    return true
  }

  #connect(): Connection {
    if (this.#closing.signal.aborted) {
      throw new CoordinationError('CLOSED', `the ${this.backend} client is closed`, {
        backend: this.backend,
        effect: 'none',
      })
    }
    const { endpoints, credentials, context, attemptMs } = this.#settings
    const settings = { credentials, clock: context.clock, graceMs: attemptMs }
    const connection = this.#connections[this.#current] ?? new Connection(endpoints[this.#current] ?? '', settings)
    this.#connections[this.#current] = connection
    return connection
  }

  /** Asks the next server from now on. A connection that has swallowed requests for long is not used again. */
  #leave(connection: Connection): void {
    const index = this.#connections.indexOf(connection)
    if (index === -1) return
    if (index === this.#current) this.#current = (index + 1) % this.#connections.length
    if (!connection.isSilent(this.#settings.attemptMs / 2)) return
    this.#connections[index] = undefined
    connection.close()
  }
}

export interface ServerStream<Q, R> {
  readonly stream: RpcStream<Q, R>
  /** What an `error` event means. */
  errorOf(error: Error): CoordinationError
  /** Whether the server still answers on this connection. */
  ping(limits: Call): Promise<boolean>
  /** The server cannot serve us: the next one is asked from now on. */
  leave(): void
}

/** Another server may do better. */
export function isTrouble(error: unknown): error is CoordinationError {
  return isCoordinationError(error, 'CONNECTION') || isCoordinationError(error, 'TIMEOUT')
}

/** The request that the token was for has not been sent, whatever became of the token's. */
function asUnsent(error: unknown): unknown {
  if (!(error instanceof RpcError) || meaningOf(error.status).effect === 'none') return error
  const { code, details } = error.status
  return new RpcError({ code, details, unsent: true })
}

function exchange<Q, R>(
  connection: Connection,
  limits: RequestLimits,
  request: Q,
  open: (etcd: Etcd3, options: CallOptions) => Promise<RpcStream<Q, R>>,
): Promise<R> {
  let cancel: (() => void) | undefined
  const send = async (etcd: Etcd3, options: CallOptions): Promise<R> => {
    const stream = await open(etcd, options)
    cancel = () => stream.cancel()
    return new Promise<R>((resolve, reject) => {
      stream.on('data', resolve)
      stream.on('error', reject)
      stream.on('end', () => reject(new Error('the stream ended without an answer')))
      stream.write(request)
    })
  }
  return connection.request(send, limits).finally(() => cancel?.())
}
