/**
 * Serves one streaming call over HTTP: JSON objects in, one line of JSON out for each answer. Back-pressure both ways:
 * a request is read when the one before has been dealt with and the client takes its answers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

import type { RpcError, ServerStream, StreamHandler, StreamMethod } from '../../transport/transport.ts'
import { answerJson, chunksOf, failureOf, firstValue, hasGone, requestOf, type Served } from './exchange.ts'
import type { GatewayCall } from './gateway-call.ts'
import type { JsonValues } from './json-values.ts'
import { errorJson, httpCodeOf } from './status.ts'
import { refuse } from './unary-exchange.ts'

/** From this many unsent bytes on the stream is full, as one over gRPC. It drains to nothing before it takes more. */
const FULL_BYTES = 256 * 1024

export class StreamExchange implements ServerStream<unknown> {
  readonly #served: Served<StreamMethod<never, unknown>>
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #handler: StreamHandler<never> | undefined
  #over = false
  #full = false
  #resume: (() => void) | undefined

  constructor(served: Served<StreamMethod<never, unknown>>, request: IncomingMessage, response: ServerResponse) {
    this.#served = served
    this.#request = request
    this.#response = response
  }

  /** Resolves when nothing more is read of the request; the answers may go on. Rejects for a defect only. */
  async serve(values: JsonValues, call: GatewayCall): Promise<void> {
    this.#response.once('close', () => this.#close())
    this.#response.on('drain', () => this.#drained())
    try {
      call.onDeadline((error) => this.fail(error))
      if (this.#served.description.methodKind === 'server_streaming') await this.#serveOne(values, call)
      else await this.#serveAll(values, call)
    } catch (error) {
      if (hasGone(this.#request)) return
      this.fail(failureOf(error, this.#served.onDefect, 'Failed to decode request: '))
    }
  }

  send(response: unknown): boolean {
    if (this.#over) return false
    try {
      const json = answerJson(this.#served, this.#served.method.encode(response))
      this.#begin(200)
      this.#response.write(`{"result":${json}}\n`)
      this.#full = this.#response.writableLength >= FULL_BYTES
    } catch (error) {
      this.fail(error)
    }
    return !this.#full && !this.#over
  }

  end(): void {
    if (this.#over) return
    this.#response.end()
    this.#closeLater()
  }

  fail(reason: unknown): void {
    if (this.#over) return
    const error: RpcError = failureOf(reason, this.#served.onDefect)
    this.#begin(httpCodeOf(error))
    this.#response.end(`{"error":${errorJson(error)}}\n`)
    this.#closeLater()
  }

  /** One request, which is read before there is a stream: what is wrong with it is answered as to a unary call. */
  async #serveOne(values: JsonValues, call: GatewayCall): Promise<void> {
    let request: never
    try {
      request = requestOf(this.#served, await firstValue(this.#request, values))
    } catch (error) {
      if (this.#over || hasGone(this.#request)) return
      refuse(this.#response, failureOf(error, this.#served.onDefect))
      this.#closeLater()
      return
    }
    if (this.#over) return
    this.#handler = this.#served.method.open(this, call)
    await this.#handler.message(request)
    if (!this.#isOver()) this.#handler.halfClosed()
  }

  async #serveAll(values: JsonValues, call: GatewayCall): Promise<void> {
    this.#handler = this.#served.method.open(this, call)
    for await (const chunk of chunksOf(this.#request)) {
      values.push(chunk)
      for (let value = values.next(); value !== undefined && !this.#isOver(); value = values.next()) {
        await this.#message(value)
      }
      if (this.#isOver()) return
    }
    const last = values.last()
    if (last !== undefined) await this.#message(last)
    if (!this.#isOver()) this.#handler.halfClosed()
  }

  async #message(value: Buffer): Promise<void> {
    if (this.#over) return
    await this.#handler?.message(requestOf(this.#served, value))
    if (!this.#full || this.#isOver()) return
    await new Promise<void>((resolve) => {
      this.#resume = resolve
    })
  }

  /** Asked again after something was waited for. */
  #isOver(): boolean {
    return this.#over
  }

  #begin(code: number): void {
    if (this.#response.headersSent) return
    this.#response.writeHead(code, {
      'Content-Type': 'application/json',
      ...(code === 200 && { 'Grpc-Metadata-Content-Type': 'application/grpc' }),
    })
  }

  #drained(): void {
    if (!this.#full) return
    this.#full = false
    this.#resume?.()
    this.#guarded(() => this.#handler?.drained())
  }

  /** Not at once: this may run inside a call from the handler, which is told when that has returned. */
  #closeLater(): void {
    this.#over = true
    // What the client still sends is nobody's.
    this.#request.resume()
    queueMicrotask(() => this.#tellEnd())
  }

  #close(): void {
    if (this.#over) return
    this.#over = true
    this.#tellEnd()
  }

  #tellEnd(): void {
    this.#resume?.()
    this.#guarded(() => this.#handler?.closed())
  }

  #guarded(action: () => void): void {
    try {
      action()
    } catch (error) {
      if (this.#over) this.#served.onDefect(error)
      else this.fail(error)
    }
  }
}
