/**
 * The seam between the services and whatever carries their messages. A service is a table of methods; a transport takes
 * the table and serves it. Services see bytes, metadata and streams, never a gRPC library; a transport sees no service.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FrontLimits } from './front/limits.ts'
import type { ServerTls } from './front/server-tls.ts'

/** gRPC status codes that this server answers with. */
export const STATUS = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const

export type StatusCode = (typeof STATUS)[keyof typeof STATUS]

/**
 * The error a client receives. Anything else that a handler throws is a defect: logged, and answered INTERNAL without
 * its text.
 */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly status: StatusCode
  constructor(status: StatusCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.status = status
  }
}

/** What is known of a call besides its messages. */
export interface Call {
  /** Value of a request metadata entry (lower-case name), the first if there are several. */
  metadata(name: string): string | undefined
  /** Address of the client, for logs. */
  readonly peer: string
  /** What the client has proved to be: only over TLS, and only where client certificates are asked for and verified. */
  readonly certificate?: ClientCertificate | undefined
  /** The client has proved by its certificate that it is another node of this cluster. */
  readonly isNode?: boolean
  /**
   * For a unary method that waits for something that may never come: calls back once when the call is over, answered
   * or not; at once if it is. `Transport.close` gives such a call no grace.
   */
  onClosed(listener: () => void): void
}

/** A client certificate that was verified against the authorities which this server trusts. */
export interface ClientCertificate {
  /** CN of its subject; empty if it has none. */
  readonly commonName: string
}

/**
 * One request, one answer. `decode` throws for bytes that are not the message (answered INTERNAL, as grpc-go does);
 * an RpcError that it throws is answered as it is.
 */
export interface UnaryMethod<Request, Response> {
  readonly kind: 'unary'
  decode(bytes: Uint8Array): Request
  handle(request: Request, call: Call): Response | Promise<Response>
  encode(response: Response): Uint8Array
}

/** Client streams requests, server streams answers, independently of each other. */
export interface StreamMethod<Request, Response> {
  readonly kind: 'stream'
  decode(bytes: Uint8Array): Request
  open(stream: ServerStream<Response>, call: Call): StreamHandler<Request>
  encode(response: Response): Uint8Array
}

/** The transport's side of an open stream, as a handler uses it. */
export interface ServerStream<Response> {
  /**
   * Takes the message, unless the stream is over. False: the client is not keeping up; send nothing more that can
   * wait until `drained`.
   */
  send(response: Response): boolean
  /** Ends the stream with OK. */
  end(): void
  /** Ends the stream with an error; anything but an RpcError is a defect, as if the handler had thrown it. */
  fail(error: unknown): void
}

/** The service's side of an open stream. The transport calls these one at a time, and none after `closed`. */
export interface StreamHandler<Request> {
  /**
   * One request. The transport reads no further request while the returned promise is pending, or while the client
   * does not take answers.
   */
  message(request: Request): void | Promise<void>
  /** The client will send nothing more (it may still want answers). */
  halfClosed(): void
  /** The client can take more answers. */
  drained(): void
  /** The stream is over, for whatever reason. Called exactly once. */
  closed(): void
}

export type Method = UnaryMethod<never, unknown> | StreamMethod<never, unknown>

/** Full service name ("etcdserverpb.KV") → method name ("Put") → method. */
export type ServiceTable = ReadonlyMap<string, ReadonlyMap<string, Method>>

/** Keeps the table's element type while each method keeps its own message types. */
export function unary<Request, Response>(method: Omit<UnaryMethod<Request, Response>, 'kind'>): Method {
  return { kind: 'unary', ...method } as Method
}

export function stream<Request, Response>(method: Omit<StreamMethod<Request, Response>, 'kind'>): Method {
  return { kind: 'stream', ...method } as Method
}

export interface Transport {
  /**
   * Binds and serves; resolves to the bound addresses when every one is open. Rejects, with nothing left bound, if
   * one cannot be.
   */
  listen(addresses: readonly ListenAddress[]): Promise<readonly ListenAddress[]>
  /**
   * Refuses new calls, ends open streams (after the message in hand) and waiting unary calls with UNAVAILABLE, gives
   * the other unary calls `graceMs` to finish, then ends them too. Idempotent.
   */
  close(graceMs: number): Promise<void>
}

export interface ListenAddress {
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  /** TLS is spoken, with what `tls` of the options gives. */
  readonly secure?: boolean
  /** What is served: both unless it says otherwise. */
  readonly traffic?: 'grpc' | 'http'
}

/**
 * Serves one HTTP request, whatever its path. A request may have come over HTTP/2; then the two objects are those of
 * Node's compatibility interface for it: the same members, but the host is `headers[':authority']`.
 * What it throws is a defect, answered 500 without its text.
 */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void

/**
 * Takes over the connection of an HTTP/1.1 request that asks for another protocol (WebSocket), or returns false and
 * leaves it alone: then it is served as if it had not asked. Many a client asks for h2c with every request.
 */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean

/** What one connection may ask for, and what is asked of it. The names in brackets are etcd's flags. */
export interface ConnectionRules {
  /** Calls that are open at once, those included that were given up and still run (max-concurrent-streams). */
  readonly streams: number
  /** Between two pings of a client that is answered nothing meanwhile (grpc-keepalive-min-time). Not with grpc-js. */
  readonly pingMinMs: number
  /** After so much silence the client is asked whether it lives (grpc-keepalive-interval). */
  readonly keepaliveMs: number
  /** Within this time it has to answer (grpc-keepalive-timeout). */
  readonly keepaliveTimeoutMs: number
}

/**
 * etcd's, but for the calls: it sets no limit, and its clients put all their watches on one connection. Each open call
 * holds memory, so there is one; it lies far above what honest clients keep open, who wait when they reach it.
 */
export const CONNECTION_RULES: ConnectionRules = {
  streams: 10_000,
  pingMinMs: 5_000,
  keepaliveMs: 7_200_000,
  keepaliveTimeoutMs: 20_000,
}

export interface TransportOptions {
  readonly services: ServiceTable
  /** Largest request message in bytes; a larger one is answered RESOURCE_EXHAUSTED with grpc-go's text. */
  readonly maxRequestBytes: number
  /** Called for defects (handlers that threw something other than RpcError). */
  readonly onDefect: (error: unknown, method: string) => void
  /** Serves what is HTTP and not gRPC, on the same addresses. Without it every path is answered 404. */
  readonly http?: HttpHandler
  /** Needed for addresses that are `secure`. */
  readonly tls?: ServerTls
  /** Told that connections are refused because there are so many; not again before there was room. */
  readonly onFull?: (connections: number) => void
  /** Where they are to differ from `CONNECTION_RULES`. */
  readonly rules?: Partial<ConnectionRules>
  /** Where they are to differ from `FRONT_LIMITS`. */
  readonly frontLimits?: Partial<FrontLimits>
  /** Without it every request to change the protocol is served as if it had not asked. */
  readonly upgrade?: UpgradeHandler
}
