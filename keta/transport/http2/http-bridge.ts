/**
 * Serves a request that is HTTP and not gRPC: hands it on, inside the process, to the HTTP/1.1 server that serves such
 * requests anyway, and passes the answer back. It costs more than gRPC does, and it is rare.
 */
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import { innerConnection } from '../inner-connection.ts'
import { encodeHeaders } from './hpack/hpack-encoder.ts'
import type { RequestHead } from './request-head.ts'
import type { Http2Stream, StreamReceiver } from './stream.ts'

/** What HTTP/2 has no use for, or says by itself. */
const OF_HTTP1 = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])
/** From this many unsent bytes on no more of the answer is read. */
const FULL_BYTES = 64 * 1024

export class HttpBridge implements StreamReceiver {
  readonly #stream: Http2Stream
  readonly #request: ClientRequest
  #response: IncomingMessage | undefined

  /** @param serve is handed a connection on which one HTTP/1.1 request comes. */
  constructor(stream: Http2Stream, head: RequestHead, serve: (connection: Duplex) => void) {
    this.#stream = stream
    const [near, far] = innerConnection()
    serve(far)
    this.#request = request({
      createConnection: () => near,
      method: head.method,
      path: head.path,
      headers: headersOf(head),
    })
    this.#request.on('response', (response) => this.#answer(response))
    this.#request.on('error', () => {
      this.#stream.reset('INTERNAL_ERROR')
    })
  }

  data(bytes: Buffer, start: number, end: number): void {
    // The client may send more when this has been taken.
    this.#request.write(Buffer.from(bytes.subarray(start, end)), () => this.#stream.consumed(end - start))
  }

  bodyEnd(): void {
    this.#request.end()
  }

  sent(): void {
    if (this.#stream.unsent < FULL_BYTES) this.#response?.resume()
  }

  closed(): void {
    this.#request.destroy()
  }

  #answer(response: IncomingMessage): void {
    this.#response = response
    this.#stream.sendHeaders(encodeHeaders(fieldsOf(response)))
    response.on('data', (chunk: Buffer) => {
      this.#stream.sendBytes(chunk)
      if (this.#stream.unsent >= FULL_BYTES) response.pause()
    })
    response.on('end', () => this.#stream.end())
    response.on('error', () => {
      this.#stream.reset('INTERNAL_ERROR')
    })
  }
}

function headersOf({ authority, contentLength, fields }: RequestHead): IncomingHttpHeaders {
  // Without a prototype, whose names are names of headers too.
  const headers = Object.create(null) as Record<string, string | string[]>
  headers['connection'] = 'close'
  if (authority !== undefined) headers['host'] = authority
  if (contentLength === undefined) headers['transfer-encoding'] = 'chunked'
  for (const { name, value } of fields) {
    if (name.startsWith(':') || name === 'te' || (name === 'host' && authority !== undefined)) continue
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else headers[name] = [before, value].flat()
  }
  return headers
}

function* fieldsOf({ statusCode = 500, rawHeaders }: IncomingMessage): Iterable<readonly [string, string]> {
  yield [':status', String(statusCode)]
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? ''
    if (!OF_HTTP1.has(name)) yield [name, rawHeaders[index + 1] ?? '']
  }
}
