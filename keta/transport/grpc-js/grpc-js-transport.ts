/**
 * Serves a table of services over gRPC, with @grpc/grpc-js. It gets its connections from the front, and its calls are
 * taken over at the interceptor interface (`wire-call.ts`): of grpc-js only HTTP/2 framing and deadlines are used.
 */
import { type ConnectionInjector, Server, ServerCredentials, type ServerOptions } from '@grpc/grpc-js'

import { closeCalls, type OpenCall, STOPPING } from '../closing.ts'
import { Front } from '../front/front.ts'
import {
  CONNECTION_RULES,
  type ListenAddress,
  type Method,
  type RpcError,
  type Transport,
  type TransportOptions,
} from '../transport.ts'
import { Admissions } from './admissions.ts'
import { AnswerBacklogs } from './answer-backlog.ts'
import { divertRequests } from './divert.ts'
import { methodsByPath, unknownMethod } from '../method-table.ts'
import { StreamCall } from './stream-call.ts'
import { UnaryCall } from './unary-call.ts'
import { ServedCall, WireCall } from './wire-call.ts'

export function createGrpcJsTransport(options: TransportOptions): Transport {
  return new GrpcJsTransport(options)
}

class GrpcJsTransport implements Transport {
  readonly #options: TransportOptions
  readonly #methods: ReadonlyMap<string, Method>
  readonly #server: Server
  readonly #front: Front
  readonly #backlogs = new AnswerBacklogs()
  readonly #admissions = new Admissions()
  readonly #open = new Map<WireCall, StreamCall | undefined>()
  #closing: Promise<void> | undefined

  constructor(options: TransportOptions) {
    this.#options = options
    this.#methods = methodsByPath(options.services)
    this.#server = new Server(this.#serverOptions())
    for (const path of this.#methods.keys()) this.#server.register(...passThrough(path))
    routeUnknownPaths(this.#server)
    const onlyGrpc = this.#injector()
    const mixed = this.#injector()
    divertRequests(this.#server, (...request) => this.#front.http.serveStream(...request))
    this.#front = new Front({
      onHttp2: (socket, { traffic }, admission) => {
        this.#admissions.add(socket, admission)
        const injector = traffic === 'grpc' ? onlyGrpc : mixed
        injector.injectConnection(socket)
      },
      tls: options.tls,
      onFull: options.onFull,
      http: options.http,
      upgrade: options.upgrade,
      onDefect: options.onDefect,
      limits: options.frontLimits,
    })
  }

  async listen(addresses: readonly ListenAddress[]): Promise<readonly ListenAddress[]> {
    try {
      return await this.#front.listen(addresses)
    } catch (error) {
      this.#server.forceShutdown()
      this.#front.destroy()
      throw error
    }
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs)
    return this.#closing
  }

  async #close(graceMs: number): Promise<void> {
    this.#front.stopListening()
    const answered = this.#front.http.drain()
    const drained = new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve())
    })
    await closeCalls({
      graceMs,
      calls: () => this.#calls(),
      drained: Promise.all([drained, answered]),
      cut: () => {
        this.#server.forceShutdown()
        this.#front.destroy()
      },
    })
  }

  *#calls(): Iterable<OpenCall> {
    for (const [wire, stream] of this.#open) {
      const retire = stream && { retire: (error: RpcError) => stream.retire(error) }
      yield { waits: wire.waits, fail: (error) => wire.fail(error), ...retire }
    }
  }

  /** TLS, where it is spoken, is the front's: what comes here is plain. */
  #injector(): ConnectionInjector {
    return this.#server.createConnectionInjector(ServerCredentials.createInsecure())
  }

  /** Of pings that come too often grpc-js takes no notice. */
  #serverOptions(): ServerOptions {
    const { streams, keepaliveMs, keepaliveTimeoutMs } = { ...CONNECTION_RULES, ...this.#options.rules }
    return {
      'grpc.max_receive_message_length': this.#options.maxRequestBytes,
      'grpc.max_send_message_length': -1,
      'grpc.max_concurrent_streams': streams,
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
      'grpc.enable_channelz': 0,
      interceptors: [
        (descriptor, call) => {
          const wire: WireCall = new WireCall(call, this.#admissions, () => this.#open.delete(wire))
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
