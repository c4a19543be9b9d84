/**
 * The JSON gateway over WebSockets, for clients – browsers – that cannot send a body while they read its answer: what
 * comes as messages is the body of a POST to the same path, and each line of the answer is a message. The rules are
 * those of etcd's gateway, grpc-websocket-proxy: a token may come as a subprotocol (`Bearer, TOKEN`) or a cookie.
 */
import { type ClientRequest, createServer, type IncomingMessage, request as sendRequest, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { type WebSocket, WebSocketServer } from 'ws'
import { innerConnection } from '../transport/inner-connection.ts'
import type { HttpHandler } from '../transport/transport.ts'

export interface WebSocketsOptions {
  /** Serves the requests. */
  readonly handler: HttpHandler
  /** Whether a request may be taken at all; one that may not is answered by whoever else serves it. */
  readonly isAdmitted: (request: IncomingMessage) => boolean
  /** Of one message from the client, bytes. */
  readonly maxMessageBytes: number
}

const PATHS = '/v3/'
const TOKEN_PROTOCOL = 'Bearer'
const TOKEN_COOKIE = /(?:^|;\s*)token=([^;]*)/
/** From this many unsent bytes on no more of the answer is read. */
const FULL_BYTES = 256 * 1024
const LINE_END = Buffer.from('\n')
const CLOSED = { normally: 1000, byError: 1011 }

export class WebSockets {
  readonly #options: WebSocketsOptions
  readonly #webSockets: WebSocketServer
  readonly #server: Server

  constructor(options: WebSocketsOptions) {
    this.#options = options
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxMessageBytes,
      handleProtocols: (protocols) => protocols.has(TOKEN_PROTOCOL) && TOKEN_PROTOCOL,
    })
    // a call may last as long as it likes
    this.#server = createServer({ requestTimeout: 0, headersTimeout: 0 }, options.handler)
  }

  /** Takes the connection over. @returns false if the request asks for something else: then nothing was done. */
  take(request: IncomingMessage, connection: Duplex, head: Buffer): boolean {
    const { method, headers, url = '' } = request
    const isOurs = method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && url.startsWith(PATHS)
    if (!isOurs || !this.#options.isAdmitted(request)) return false
    this.#webSockets.handleUpgrade(request, connection, head, (socket) => this.#serve(request, socket))
    return true
  }

  #serve(request: IncomingMessage, socket: WebSocket): void {
    const [near, far] = innerConnection()
    const { remoteAddress, remotePort } = request.socket
    const { encrypted } = request.socket as Partial<TLSSocket>
    this.#server.emit('connection', Object.assign(far, { remoteAddress, remotePort, encrypted }))
    const call = sendRequest({
      createConnection: () => near,
      method: 'POST',
      path: request.url,
      headers: headersOf(request),
    })
    bridge(socket, call)
  }
}

/** Those that grpc-websocket-proxy hands on. */
function headersOf({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  const { host = '', origin, referer } = headers
  const authorization = authorizationOf(headers)
  return {
    host,
    connection: 'close',
    'transfer-encoding': 'chunked',
    ...(origin !== undefined && { origin }),
    ...(referer !== undefined && { referer }),
    ...(authorization !== undefined && { authorization }),
  }
}

function authorizationOf({ cookie = '', ...headers }: IncomingMessage['headers']): string | undefined {
  const [, fromCookie] = TOKEN_COOKIE.exec(cookie) ?? []
  if (fromCookie !== undefined) return `${TOKEN_PROTOCOL} ${fromCookie}`
  const [, token] = headers['sec-websocket-protocol']?.split(`${TOKEN_PROTOCOL},`) ?? []
  return token === undefined ? undefined : `${TOKEN_PROTOCOL} ${token.trim()}`
}

/** Back-pressure both ways: who does not take is not read from. */
function bridge(socket: WebSocket, call: ClientRequest): void {
  call.flushHeaders()
  socket.on('message', (message: Buffer) => {
    // what comes when the answer has been given is nobody's, but for the client's goodbye
    if (!call.destroyed && !call.write(Buffer.concat([message, LINE_END]))) socket.pause()
  })
  call.on('drain', () => socket.resume())
  call.once('close', () => socket.resume())
  // ws itself ends a connection on which something is wrong
  socket.on('error', () => undefined)
  socket.once('close', () => call.destroy())
  call.on('response', (response: IncomingMessage) => answer(socket, response))
  call.on('error', () => socket.close(CLOSED.byError))
}

function answer(socket: WebSocket, response: IncomingMessage): void {
  const onSent = (): void => {
    if (socket.bufferedAmount < FULL_BYTES) response.resume()
  }
  const send = (line: Buffer): void => {
    if (line.length > 0) socket.send(line, { binary: false }, onSent)
    if (socket.bufferedAmount >= FULL_BYTES) response.pause()
  }
  let begun: Buffer[] = []
  response.on('data', (chunk: Buffer) => {
    let start = 0
    for (let end = chunk.indexOf(LINE_END); end !== -1; end = chunk.indexOf(LINE_END, start)) {
      send(Buffer.concat([...begun, chunk.subarray(start, end)]))
      begun = []
      start = end + 1
    }
    begun.push(chunk.subarray(start))
  })
  response.on('end', () => {
    send(Buffer.concat(begun))
    socket.close(CLOSED.normally)
  })
}
