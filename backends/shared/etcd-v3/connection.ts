/**
 * One server: one channel of our own, with npm etcd3's generated clients on it. Of etcd3 only those are used; nothing
 * of its own handling of faults, hosts and tokens takes part (docs/decisions/0008).
 */
import {
  Channel,
  type ChannelCredentials,
  type CallOptions,
  connectivityState,
  type Interceptor,
  InterceptingCall,
  ListenerBuilder,
  RequesterBuilder,
  status as Code,
} from '@grpc/grpc-js'
import { Etcd3, type IOptions } from 'etcd3'
import type { Clock } from '../../../spi/index.ts'
import { ClosableCredentials } from './closable-credentials.ts'
import { RpcError, type RpcStatus } from './rpc-status.ts'

export interface ConnectionSettings {
  readonly credentials: ChannelCredentials
  readonly clock: Clock
  /** What its requests may still take once it is closed, milliseconds. */
  readonly graceMs: number
}

/** Of one request. */
export interface RequestLimits {
  readonly signal: AbortSignal
  /** Milliseconds. */
  readonly timeoutMs: number
  readonly metadata: Readonly<Record<string, string>>
}

/** What etcd3's stream clients give. */
export interface RpcStream<Request, Response> {
  write(request: Request): void
  end(): void
  cancel(): void
  on(event: 'data', listener: (response: Response) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

type FaultPolicy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>

/** What became of one request, seen below etcd3. */
interface Trace {
  readonly heard: () => void
  status?: RpcStatus
  cancel?: () => void
  /** Its end says nothing of the server. */
  cancelled?: boolean
}

const CHANNEL_OPTIONS = {
  // a server that is back is found in a fraction of a session's time to live
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
  // pages and watch events are bounded by what was stored
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  // a channel that is given up must not live on in its successor
  'grpc.use_local_subchannel_pool': 1,
  // the endpoints say where to connect
  'grpc.enable_http_proxy': 0,
}

/** Fails as the request fails, and does nothing about it. */
const NO_POLICY = {
  onSuccess: () => ({ dispose: () => undefined }),
  onFailure: () => ({ dispose: () => undefined }),
  execute: async <T>(run: (context: { signal: AbortSignal }) => T | PromiseLike<T>) => run({ signal: NEVER }),
} as unknown as FaultPolicy

const NEVER = new AbortController().signal

export class Connection {
  readonly endpoint: string
  readonly #clock: Clock
  readonly #graceMs: number
  readonly #credentials: ClosableCredentials
  readonly #channel: Channel
  readonly #etcd: Etcd3
  #closed = false
  /** When the oldest request was sent since the server was heard last. */
  #unansweredSince: number | undefined

  /** @param endpoint `host:port` */
  constructor(endpoint: string, { credentials, clock, graceMs }: ConnectionSettings) {
    this.endpoint = endpoint
    this.#clock = clock
    this.#graceMs = graceMs
    this.#credentials = new ClosableCredentials(credentials)
    this.#channel = new Channel(endpoint, this.#credentials, CHANNEL_OPTIONS)
    this.#etcd = new Etcd3({
      hosts: endpoint,
      grpcOptions: { channelOverride: this.#channel },
      faultHandling: { global: NO_POLICY, host: () => NO_POLICY },
    })
  }

  /** @throws RpcError */
  async request<T>(
    send: (etcd: Etcd3, options: CallOptions) => Promise<T>,
    { signal, timeoutMs, metadata }: RequestLimits,
  ): Promise<T> {
    const until = this.#clock.now() + timeoutMs
    await this.#connected(signal, timeoutMs)
    const trace = this.#trace()
    this.#unansweredSince ??= this.#clock.now()
    const request = send(this.#etcd, { interceptors: [tracer(trace, metadata)] }).catch((error: unknown) => {
      throw trace.status === undefined ? error : new RpcError(trace.status)
    })
    return this.#within(request, signal, until - this.#clock.now(), (why) => {
      trace.cancel?.()
      return new RpcError({ code: Code.DEADLINE_EXCEEDED, details: why })
    })
  }

  /** A stream, with what the server said at its end as an RpcError in its `error` event. */
  async stream<Request, Response>(
    open: (etcd: Etcd3, options: CallOptions) => Promise<RpcStream<Request, Response>>,
    { signal, timeoutMs, metadata }: RequestLimits,
  ): Promise<{ stream: RpcStream<Request, Response>; errorOf: (error: Error) => Error }> {
    await this.#connected(signal, timeoutMs)
    const trace = this.#trace()
    const stream = await open(this.#etcd, { interceptors: [tracer(trace, metadata)] })
    return { stream, errorOf: (error) => (trace.status === undefined ? error : new RpcError(trace.status)) }
  }

  /** Whether it has left requests without any answer for so long, milliseconds. */
  isSilent(forMs: number): boolean {
    return this.#unansweredSince !== undefined && this.#clock.now() - this.#unansweredSince >= forMs
  }

  /** What is under way may still end by itself, in time. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    const isInUse = this.#channel.getConnectivityState(false) === connectivityState.READY
    this.#channel.close()
    this.#credentials.close(isInUse ? this.#graceMs : 0)
  }

  #trace(): Trace {
    return { heard: () => (this.#unansweredSince = undefined) }
  }

  /** Resolves when there is a connection, or none to be had: then the request fails at once, and says why. */
  async #connected(signal: AbortSignal, timeoutMs: number): Promise<void> {
    if (signal.aborted) throw unsent('given up')
    const settled = new Promise<void>((resolve) => {
      this.#onSettled(resolve)
    })
    if (!this.#isSettled()) await this.#within(settled, signal, timeoutMs, (why) => unsent(`no connection: ${why}`))
    if (this.#closed) throw unsent('the connection was given up')
  }

  #isSettled(): boolean {
    if (this.#closed) return true
    const state = this.#state()
    return state !== connectivityState.CONNECTING && state !== connectivityState.IDLE
  }

  #onSettled(done: () => void): void {
    if (this.#isSettled()) {
      done()
      return
    }
    this.#channel.watchConnectivityState(this.#state(), Infinity, () => this.#onSettled(done))
  }

  #state(): connectivityState {
    return this.#channel.getConnectivityState(true)
  }

  /** Rejects with `giveUp`'s error on abort and after the time. */
  #within<T>(work: Promise<T>, signal: AbortSignal, timeoutMs: number, giveUp: (why: string) => Error): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (why: string) => {
        reject(giveUp(why))
        settle()
      }
      const timer = this.#clock.setTimeout(() => end(`no answer within ${Math.round(timeoutMs)} ms`), timeoutMs)
      const onAbort = () => end('given up')
      const settle = () => {
        timer[Symbol.dispose]()
        signal.removeEventListener('abort', onAbort)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      work.then(resolve, reject).finally(settle)
      if (signal.aborted) onAbort()
    })
  }
}

/** Nobody has answered while we connected. A server that refuses us does answer: then the request itself fails so. */
function unsent(details: string): RpcError {
  return new RpcError({ code: Code.DEADLINE_EXCEEDED, details, unsent: true })
}

/**
 * Adds the metadata, takes down how the request ended, and keeps that from etcd3: on what it takes for a fault of the
 * connection it closes the channel under everybody's requests, and with a token that is refused it repeats without end.
 */
function tracer(trace: Trace, metadata: Readonly<Record<string, string>>): Interceptor {
  return (options, nextCall) => {
    const listener = new ListenerBuilder()
      .withOnReceiveMessage((message, next) => {
        trace.heard()
        next(message)
      })
      .withOnReceiveStatus((status, next) => {
        if (trace.cancelled !== true) trace.heard()
        trace.status ??= { code: status.code, details: status.details }
        next(status.code === Code.OK ? status : { ...status, code: Code.FAILED_PRECONDITION, details: 'see the trace' })
      })
      .build()
    const requester = new RequesterBuilder()
      .withStart((given, _listener, next) => {
        for (const [name, value] of Object.entries(metadata)) given.set(name, value)
        next(given, listener)
      })
      .build()
    const call = new InterceptingCall(nextCall(options), requester)
    trace.cancel = () => {
      trace.cancelled = true
      call.cancelWithStatus(Code.CANCELLED, 'given up')
    }
    return call
  }
}
