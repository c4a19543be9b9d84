/**
 * Serves a table of services over gRPC, with @grpc/grpc-js. Calls are taken over at its interceptor interface
 * (`wire-call.ts`), so that of grpc-js only the HTTP/2 framing, the deadlines and the listening sockets are used.
 */
import { Server, ServerCredentials, type ServerOptions } from '@grpc/grpc-js'

import {
  type ListenAddress,
  type Method,
  RpcError,
  STATUS,
  type Transport,
  type TransportOptions,
} from '../transport.ts'
import { AnswerBacklogs } from './answer-backlog.ts'
import { methodsByPath, unknownMethod } from './method-table.ts'
import { StreamCall } from './stream-call.ts'
import { UnaryCall } from './unary-call.ts'
import { ServedCall, WireCall } from './wire-call.ts'

/**
 * Open calls per connection. etcd sets no limit, and its clients put all their watches on one connection; but each open
 * call holds memory here, up to a full stream, so that one connection must not open them without end. Clients wait
 * with further calls at the limit, so it must lie far above what honest ones keep open.
 */
const MAX_CALLS_PER_CONNECTION = 10_000

/**
 * etcd's --grpc-keepalive-interval and --grpc-keepalive-timeout: after 2 h of silence ask whether the client still
 * lives.
 */
const KEEPALIVE_TIME_MS = 7_200_000
const KEEPALIVE_TIMEOUT_MS = 20_000

/** What the last statuses get at `close` to reach their clients, once the grace is over. */
const LAST_WORDS_MS = 100

const STOPPING = new RpcError(STATUS.UNAVAILABLE, 'server is stopping')

export function createGrpcJsTransport(options: TransportOptions): Transport {
  return new GrpcJsTransport(options)
}

class GrpcJsTransport implements Transport {
  readonly #options: TransportOptions
  readonly #methods: ReadonlyMap<string, Method>
  readonly #server: Server
  readonly #backlogs = new AnswerBacklogs()
  readonly #open = new Map<WireCall, StreamCall | undefined>()
  #closing: Promise<void> | undefined

  constructor(options: TransportOptions) {
    this.#options = options
    this.#methods = methodsByPath(options.services)
    this.#server = new Server(this.#serverOptions())
    for (const path of this.#methods.keys()) this.#server.register(...passThrough(path))
    routeUnknownPaths(this.#server)
  }

  async listen(addresses: readonly ListenAddress[]): Promise<readonly ListenAddress[]> {
    const bound: ListenAddress[] = []
    try {
      for (const { host, port } of addresses) bound.push({ host, port: await bind(this.#server, host, port) })
    } catch (error) {
      this.#server.forceShutdown()
      throw error
    }
    return bound
  }

  /**
   * Open streams are ended at once with UNAVAILABLE (after the message in hand): they have no end of their own, and
   * their clients go on elsewhere. The grace is for the calls that are being answered.
   */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs)
    return this.#closing
  }

  async #close(graceMs: number): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve())
    })
    for (const stream of this.#open.values()) stream?.retire(STOPPING)
    await atMost(graceMs, drained)
    for (const wire of this.#open.keys()) wire.fail(STOPPING)
    await atMost(LAST_WORDS_MS, drained)
    this.#server.forceShutdown()
  }

  #serverOptions(): ServerOptions {
    return {
      'grpc.max_receive_message_length': this.#options.maxRequestBytes,
      'grpc.max_send_message_length': -1,
      'grpc.max_concurrent_streams': MAX_CALLS_PER_CONNECTION,
      'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      'grpc.enable_channelz': 0,
      interceptors: [
        (descriptor, call) => {
          const wire: WireCall = new WireCall(call, () => this.#open.delete(wire))
          return new ServedCall(call, () => this.#serve(wire, descriptor.path))
        },
      ],
    }
  }

  #serve(wire: WireCall, path: string): void {
    const method = this.#methods.get(path)
    if (this.#closing !== undefined) refuse(wire, STOPPING)
    else if (method === undefined) refuse(wire, unknownMethod(this.#options.services, path))
    else this.#serveMethod(wire, path, method)
  }

  #serveMethod(wire: WireCall, path: string, method: Method): void {
    const onDefect = (error: unknown): void => {
      this.#options.onDefect(error, path.slice(1))
    }
    if (method.kind === 'unary') {
      this.#open.set(wire, undefined)
      wire.start(new UnaryCall(wire, method, this.#backlogs, onDefect))
    } else {
      const stream = new StreamCall(wire, method, onDefect)
      this.#open.set(wire, stream)
      wire.start(stream)
    }
  }
}

function refuse(wire: WireCall, error: RpcError): void {
  wire.start({
    opened: () => {
      wire.fail(error)
    },
    message: () => undefined,
    halfClosed: () => undefined,
    closed: () => undefined,
    gone: () => undefined,
  })
}

/**
 * What grpc-js is told of a method: bytes in, bytes out, both ways. The interceptor takes every call before its
 * handler.
 */
function passThrough(path: string): Required<Parameters<Server['register']>> {
  const asIs = (bytes: unknown): Buffer => bytes as Buffer
  return [path, () => undefined, asIs, asIs, 'bidi']
}

/**
 * grpc-js answers calls to paths that are not registered by itself, in its own words, and has no hook for them. So
 * its table of handlers is made to know every path. It is not part of the public interface: should it change, the
 * server does not start.
 */
function routeUnknownPaths(server: Server): void {
  const handlers: unknown = Reflect.get(server, 'handlers')
  if (!(handlers instanceof Map)) throw new Error(`grpc-js keeps its handlers elsewhere: found ${typeof handlers}`)
  const known = handlers.get.bind(handlers) as (path: string) => unknown
  handlers.get = (path: string): unknown => {
    const [, func, serialize, deserialize, type] = passThrough(path)
    return known(path) ?? { func, serialize, deserialize, type, path }
  }
}

function bind(server: Server, host: string, port: number): Promise<number> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, boundPort) => {
      if (error === null) resolve(boundPort)
      else reject(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error }))
    })
  })
}

async function atMost(milliseconds: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([promise, timeout])
  clearTimeout(timer)
}
