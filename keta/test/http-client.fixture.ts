/** Bare HTTP/1.1 requests, as curl would make them. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'

export interface HttpRequest {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

export interface Streamed {
  readonly isWhole: (body: string) => boolean
  /** Milliseconds. */
  readonly quietMs: number
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 })
  readonly #host: string
  readonly #port: number

  /** @param endpoint 'host:port' */
  constructor(endpoint: string) {
    const colon = endpoint.lastIndexOf(':')
    this.#host = endpoint.slice(0, colon)
    this.#port = Number(endpoint.slice(colon + 1))
  }

  /**
   * @param streamed of an answer that does not end: it is given as far as it has come once `isWhole` says so and, lest
   *   there is more than that, nothing has come for `quietMs`
   */
  send({ method, path, headers = {}, body }: HttpRequest, streamed?: Streamed): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      // Node gives no length of its own to the body of a GET.
      const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }
      const options = {
        host: this.#host,
        port: this.#port,
        path,
        agent: this.#agent,
        headers: { ...length, ...headers },
      }
      const sent = request({ ...options, method: method ?? (body === undefined ? 'GET' : 'POST') }, (response) => {
        const chunks: Buffer[] = []
        const text = (): string => Buffer.concat(chunks).toString('utf8')
        const settle = (): void => {
          const { statusCode: status = 0 } = response
          resolve({ status, headers: response.headers, body: text() })
        }
        let quiet: NodeJS.Timeout | undefined
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          clearTimeout(quiet)
          if (streamed?.isWhole(text()) !== true) return
          quiet = setTimeout(() => {
            settle()
            sent.destroy()
          }, streamed.quietMs)
        })
        response.on('close', () => clearTimeout(quiet))
        response.on('end', settle)
        response.on('error', () => settle())
      })
      sent.on('error', (cause) => {
        reject(new Error(`${this.#host}:${this.#port} ${method ?? ''} ${path}: ${cause.message}`, { cause }))
      })
      sent.end(body)
    })
  }

  /** POST of an object; the answer's object. @throws for another status than 200 */
  async call(
    path: string,
    message: object,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Record<string, unknown>> {
    const { status, body } = await this.send({ path, body: JSON.stringify(message), ...(headers && { headers }) })
    if (status !== 200) throw new Error(`${path}: ${status} ${body}`)
    return JSON.parse(body) as Record<string, unknown>
  }

  close(): void {
    this.#agent.destroy()
  }
}
