/**
 * The front of the server: listens, speaks TLS, tells gRPC from HTTP/1.1, and hands every connection to whoever speaks
 * its protocol. HTTP/2 is somebody else's; the front knows no gRPC.
 */
import type { Server, Socket } from 'node:net'
import type { HttpHandler, ListenAddress, UpgradeHandler } from '../transport.ts'
import { bind, portOf } from './bind.ts'
import { HttpServer } from './http-server.ts'
import { connectionLimit, FRONT_LIMITS, type FrontLimits } from './limits.ts'
import { SecureServer } from './secure-server.ts'
import type { Admission, ServerTls } from './server-tls.ts'
import { sniff, Undecided } from './undecided.ts'

export interface FrontOptions {
  /** Takes over an HTTP/2 connection that may carry gRPC; nothing of it has been consumed. */
  readonly onHttp2: (socket: Socket, address: ListenAddress, admission: Admission) => void
  /** Needed for addresses that are `secure`. */
  readonly tls?: ServerTls | undefined
  readonly http?: HttpHandler | undefined
  readonly upgrade?: UpgradeHandler | undefined
  readonly onDefect: (error: unknown, request: string) => void
  /** Connections are refused because there are so many. Not called again before there was room. */
  readonly onFull?: ((connections: number) => void) | undefined
  readonly limits?: Partial<FrontLimits> | undefined
}

export class Front {
  readonly #options: FrontOptions
  readonly #limits: FrontLimits
  /** For requests on HTTP/2 connections that are not gRPC too. */
  readonly http: HttpServer
  readonly #undecided: Undecided
  readonly #sockets = new Set<Socket>()
  readonly #servers: Server[] = []
  #isFull = false

  constructor(options: FrontOptions) {
    this.#options = options
    this.#limits = { ...FRONT_LIMITS, connections: connectionLimit(), ...options.limits }
    const { http: handler, upgrade, onDefect } = options
    this.http = new HttpServer({ handler, upgrade, onDefect, limits: this.#limits })
    this.#undecided = new Undecided(this.#limits)
  }

  /** That are open, whatever they speak. */
  get connections(): number {
    return this.#sockets.size
  }

  /** As `Transport.listen`. Of one address there may be two, of which one is `secure`: both are served there. */
  async listen(addresses: readonly ListenAddress[]): Promise<readonly ListenAddress[]> {
    const endpoints = new Map<string, Endpoint>()
    const bound: ListenAddress[] = []
    try {
      for (const address of addresses) {
        const { host, port } = address
        const same = port === 0 ? undefined : endpoints.get(`${host} ${port}`)
        const endpoint = same ?? (await this.#bind(host, port))
        if (port !== 0) endpoints.set(`${host} ${port}`, endpoint)
        this.#open(endpoint, address)
        bound.push({ ...address, port: endpoint.port })
      }
    } catch (error) {
      this.stopListening()
      throw error
    }
    return bound
  }

  /** Whoever connects now is refused, and so is who has connected and said nothing. */
  stopListening(): void {
    for (const server of this.#servers) server.close()
    this.#undecided.destroy()
  }

  /** Ends every connection. */
  destroy(): void {
    this.stopListening()
    for (const socket of this.#sockets) socket.destroy()
  }

  async #bind(host: string, port: number): Promise<Endpoint> {
    const endpoint: Endpoint = { port, plain: undefined, secure: undefined }
    const servers = await bind(host, port, (socket) => this.#accept(socket, endpoint))
    this.#servers.push(...servers)
    endpoint.port = portOf(servers) ?? port
    return endpoint
  }

  #open(endpoint: Endpoint, address: ListenAddress): void {
    if (address.secure !== true) {
      endpoint.plain = address
      return
    }
    const { tls } = this.#options
    if (tls === undefined) throw new Error(`there is no certificate for ${address.host}:${address.port}`)
    endpoint.secure = new SecureServer({
      tls,
      onSecure: (socket, protocol, admission) => this.#handOver(socket, protocol, address, admission),
    })
  }

  #accept(socket: Socket, endpoint: Endpoint): void {
    const isFull = this.#sockets.size >= this.#limits.connections
    if (isFull && !this.#isFull) this.#options.onFull?.(this.#sockets.size)
    this.#isFull = isFull
    if (isFull) {
      socket.destroy()
      return
    }
    // Whoever takes it over learns of the end from its own listeners.
    socket.on('error', () => undefined)
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    const { plain, secure } = endpoint
    let isShakingHands = false
    const shakeHands = (): void => {
      isShakingHands = true
      secure?.serve(socket)
    }
    const onLate = (): void => {
      if (isShakingHands) secure?.tellLate(socket)
    }
    if (!this.#undecided.add(socket, onLate)) return
    if (plain === undefined) {
      shakeHands()
      return
    }
    sniff(socket, (protocol) => {
      if (protocol === 'tls') {
        if (secure === undefined) socket.destroy()
        else shakeHands()
      } else this.#handOver(socket, protocol, plain, {})
    })
  }

  #handOver(socket: Socket, protocol: 'http1' | 'http2', address: ListenAddress, admission: Admission): void {
    this.#undecided.remove(socket)
    const { traffic } = address
    if (protocol === 'http2') {
      if (traffic === 'http') this.http.serveHttp2(socket)
      else this.#options.onHttp2(socket, address, admission)
    } else if (traffic === 'grpc') socket.destroy()
    else this.http.serveHttp1(socket)
  }
}

/** A port that is bound, and what is spoken there. */
interface Endpoint {
  port: number
  plain: ListenAddress | undefined
  secure: SecureServer | undefined
}
