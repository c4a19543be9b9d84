/**
 * Serves HTTP requests that are not gRPC: those of connections, which it is handed with what has been read of them put
 * back, and single ones that came on the HTTP/2 connections of another server.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import {
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { HttpHandler, UpgradeHandler } from '../transport.ts'
import type { FrontLimits } from './limits.ts'

export interface HttpServerOptions {
  readonly handler: HttpHandler | undefined
  readonly upgrade: UpgradeHandler | undefined
  readonly limits: FrontLimits
  readonly onDefect: (error: unknown, request: string) => void
}

/** Requests of one HTTP/2 connection that are open at once, as many as Go's servers allow. */
const HTTP2_REQUESTS = 250

export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #http1: Server
  readonly #http2: Http2Server
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #serving = new Set<ServerResponse>()
  /** Of each HTTP/1.1 connection. */
  readonly #lastResponse = new WeakMap<Duplex, ServerResponse>()
  #draining = false
  #drained: (() => void) | undefined

  constructor(options: HttpServerOptions) {
    this.#options = options
    const { headerBytes, headerMs, requestMs, idleMs, checkMs } = options.limits
    this.#http1 = createServer(
      {
        maxHeaderSize: headerBytes,
        headersTimeout: headerMs,
        requestTimeout: requestMs,
        keepAliveTimeout: idleMs,
        connectionsCheckingInterval: checkMs,
      },
      (request, response) => {
        this.#lastResponse.set(request.socket, response)
        this.#serve(request, response)
      },
    )
    const { upgrade } = options
    if (upgrade !== undefined) {
      this.#http1.on('upgrade', (request, socket, head) => this.#upgrade(upgrade, request, socket, head))
    }
    // Its connections come from elsewhere. It looks after its time limits only once it takes itself for listening.
    this.#http1.emit('listening')
    this.#http2 = createHttp2Server({ settings: { maxConcurrentStreams: HTTP2_REQUESTS } }, (request, response) =>
      this.#serve(request as unknown as IncomingMessage, response as unknown as ServerResponse),
    )
    this.#http2.on('session', (session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
  }

  /** Serves whatever comes on an HTTP/1.1 connection. */
  serveHttp1(socket: Duplex): void {
    // A client may end its side after the request.
    socket.allowHalfOpen = true
    this.#http1.emit('connection', socket)
  }

  /** Serves whatever comes on an HTTP/2 connection, all of it as plain HTTP. */
  serveHttp2(socket: Socket): void {
    this.#http2.emit('connection', socket)
  }

  /** Serves one request of another server's HTTP/2 connection; the arguments of the session's event `stream`. */
  serveStream(stream: ServerHttp2Stream, ...headers: readonly unknown[]): void {
    this.#http2.emit('stream', stream, ...headers)
  }

  /** Ends idle connections, and others with the answer in hand. Resolves when there are none in hand any more. */
  drain(): Promise<void> {
    this.#draining = true
    // Ends idle connections. It was never bound, which is the error that it gives.
    this.#http1.close(() => undefined)
    for (const session of this.#sessions) session.close()
    if (this.#serving.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#drained = resolve
    })
  }

  /** Node's server has let go of the connection. */
  #upgrade(handler: UpgradeHandler, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const before = this.#lastResponse.get(socket)
    if (before?.closed === false) {
      // What has been said to the end is sent to the end; for the rest nobody is left.
      if (before.writableEnded) before.once('close', () => this.#upgrade(handler, request, socket, head))
      else socket.destroy()
      return
    }
    try {
      if (!handler(request, socket, head)) this.#serveAnyway(request, socket, head)
    } catch (error) {
      this.#options.onDefect(error, nameOf(request))
      socket.destroy()
    }
  }

  #serveAnyway(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (socket.destroyed) return
    socket.unshift(Buffer.concat([headWithoutUpgrade(request), head]))
    // of the time between requests; it has ended with this one
    request.socket.setTimeout(0)
    this.serveHttp1(socket)
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    if (this.#draining) response.shouldKeepAlive = false
    this.#serving.add(response)
    response.once('close', () => {
      this.#serving.delete(response)
      if (this.#serving.size === 0) this.#drained?.()
    })
    try {
      if (this.#options.handler === undefined) notFound(request, response)
      else this.#options.handler(request, response)
    } catch (error) {
      this.#options.onDefect(error, nameOf(request))
      if (response.headersSent) response.destroy()
      else response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' }).end('internal error\n')
    }
  }
}

/** Of requests to change the protocol. */
const OF_UPGRADES = new Set(['connection', 'upgrade', 'http2-settings'])

/** The request's head as it would be had it not asked for another protocol. */
function headWithoutUpgrade({ method = '', url = '', httpVersion, rawHeaders, headers }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!OF_UPGRADES.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[index + 1] ?? ''}`)
  }
  const isLast = /(?:^|,)\s*close\s*(?:,|$)/i.test(headers.connection ?? '')
  if (isLast) lines.push('connection: close')
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

/** Without the query, which may hold what is nobody's business. */
function nameOf({ method = '', url = '' }: IncomingMessage): string {
  return `HTTP ${method} ${url.split('?', 1)[0] ?? ''}`
}

/** What Go's servers answer. */
function notFound(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n')
}
