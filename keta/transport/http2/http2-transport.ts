/** Serves a table of services over gRPC, with an HTTP/2 of our own. It gets its connections from the front. */
import type { Socket } from 'node:net'
import { closeCalls, type OpenCall, STOPPING } from '../closing.ts'
import { Front } from '../front/front.ts'
import type { Admission } from '../front/server-tls.ts'
import { methodsByPath, unknownMethod } from '../method-table.ts'
import {
  type ListenAddress,
  type Method,
  RpcError,
  STATUS,
  type Transport,
  type TransportOptions,
} from '../transport.ts'
import { Http2Connection } from './connection.ts'
import type { CallHost, CallOptions } from './grpc-call.ts'
import { errorHeaders } from './grpc-headers.ts'
import { HttpBridge } from './http-bridge.ts'
import { HTTP2_LIMITS, type Http2Limits } from './limits.ts'
import { isMeantAsGrpc, readOpening } from './opening.ts'
import { Memory } from './memory.ts'
import type { RequestHead } from './request-head.ts'
import { StreamCall } from './stream-call.ts'
import type { Http2Stream, StreamReceiver } from './stream.ts'
import { UnaryCall } from './unary-call.ts'
import { isKnownEncoding } from './unpack.ts'

/** Of a request that has its answer. */
const ANSWERED: StreamReceiver = {
  data: () => undefined,
  bodyEnd: () => undefined,
  sent: () => undefined,
  closed: () => undefined,
}

/** @param limits where they are to differ from `HTTP2_LIMITS`. */
export function createHttp2Transport(options: TransportOptions, limits: Partial<Http2Limits> = {}): Transport {
  return new Http2Transport(options, { ...HTTP2_LIMITS, ...options.rules, ...limits })
}

/** A connection, and what its calls are told of it. */
interface Client extends CallHost {
  readonly servesHttp: boolean
}

class Http2Transport implements Transport {
  readonly #options: TransportOptions
  readonly #limits: Http2Limits
  readonly #methods: ReadonlyMap<string, Method>
  readonly #memory: Memory
  readonly #front: Front
  readonly #connections = new Set<Http2Connection>()
  readonly #calls = new Set<OpenCall>()
  #drained: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(options: TransportOptions, limits: Http2Limits) {
    this.#options = options
    // Any request that is not too large must fit.
    const { heldBytes, memoryBytes } = limits
    this.#limits = { ...limits, heldBytes: Math.max(heldBytes, 2 * options.maxRequestBytes) }
    this.#memory = new Memory(Math.max(memoryBytes, 4 * options.maxRequestBytes))
    this.#methods = methodsByPath(options.services)
    const { tls, http, upgrade, onDefect, onFull, frontLimits } = options
    this.#front = new Front({
      onHttp2: (socket, address, admission) => this.#connect(socket, address, admission),
      tls,
      http,
      upgrade,
      onDefect,
      onFull,
      limits: frontLimits,
    })
  }

  async listen(addresses: readonly ListenAddress[]): Promise<readonly ListenAddress[]> {
    try {
      return await this.#front.listen(addresses)
    } catch (error) {
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
      this.#drained = resolve
      if (this.#connections.size === 0) resolve()
    })
    for (const connection of this.#connections) connection.shutdown()
    await closeCalls({
      graceMs,
      calls: () => this.#calls,
      drained: Promise.all([drained, answered]),
      cut: () => {
        for (const connection of this.#connections) connection.destroy()
        this.#front.destroy()
      },
    })
  }

  #connect(socket: Socket, { traffic }: ListenAddress, admission: Admission): void {
    const { maxRequestBytes, onDefect } = this.#options
    const connection = new Http2Connection(socket, {
      limits: this.#limits,
      memory: this.#memory,
      accept: (stream, head) => this.#accept(client, stream, head),
      onClosed: () => {
        this.#connections.delete(connection)
        if (this.#connections.size === 0) this.#drained?.()
      },
      onDefect: (error) => onDefect(error, 'HTTP/2'),
    })
    const client: Client = {
      streams: connection.streams,
      peer: `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`,
      admission,
      maxRequestBytes,
      servesHttp: traffic !== 'grpc',
      onDefect,
      onOver: (call) => this.#calls.delete(call),
    }
    this.#connections.add(connection)
    if (this.#closing !== undefined) connection.shutdown()
  }

  #accept(client: Client, stream: Http2Stream, head: RequestHead): StreamReceiver {
    if (client.servesHttp && !isMeantAsGrpc(head)) {
      return new HttpBridge(stream, head, (duplex) => this.#front.http.serveHttp1(duplex))
    }
    const opening = readOpening(head)
    if ('error' in opening) return refuse(stream, opening.error, opening.httpStatus)
    if (this.#closing !== undefined) return refuse(stream, STOPPING)
    const method = this.#methods.get(head.path)
    if (method === undefined) return refuse(stream, unknownMethod(this.#options.services, head.path))
    if (!isKnownEncoding(head.encoding)) {
      const text = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(head.encoding)}`
      return refuse(stream, new RpcError(STATUS.UNIMPLEMENTED, text))
    }
    return this.#serve(client, { stream, head, timeoutMs: opening.timeoutMs }, method)
  }

  #serve(client: Client, options: CallOptions, method: Method): StreamReceiver {
    if (method.kind === 'unary') {
      const call = new UnaryCall(client, options, method)
      this.#calls.add(call)
      return call
    }
    const call = new StreamCall(client, options, method)
    this.#calls.add(call)
    call.open()
    return call
  }
}

function refuse(stream: Http2Stream, error: RpcError, httpStatus?: number): StreamReceiver {
  stream.sendHeaders(errorHeaders(error, httpStatus), true)
  return ANSWERED
}
