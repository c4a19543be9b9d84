/**
 * The JSON gateway: every method of etcd's API as POST on a path of its own, as grpc-gateway v2 offers it in etcd.
 */
import type { DescMethod } from '@bufbuild/protobuf'
import type { IncomingMessage, ServerResponse } from 'node:http'

import { type Method, RpcError, type ServiceTable, STATUS } from '../../transport/transport.ts'
import { GatewayCall } from './gateway-call.ts'
import { JsonValues } from './json-values.ts'
import { GATEWAY_ROUTES } from './routes.ts'
import { StreamExchange } from './stream-exchange.ts'
import { refuse, serveUnary } from './unary-exchange.ts'

export interface GatewayOptions {
  readonly services: ServiceTable
  /** Largest request message in bytes, as it would be over gRPC. */
  readonly maxRequestBytes: number
  /** Called for defects: whatever a method throws that is not an RpcError. */
  readonly onDefect: (error: unknown, method: string) => void
}

/** How much longer than its message a request may be in JSON: base64 takes 4 bytes for 3, escapes up to 6 for 1. */
export const JSON_PER_MESSAGE = 4

const STOPPING = new RpcError(STATUS.UNAVAILABLE, 'server is stopping')

export class Gateway {
  readonly #options: GatewayOptions
  readonly #streams = new Set<StreamExchange>()
  readonly #calls = new Map<GatewayCall, ServerResponse>()

  constructor(options: GatewayOptions) {
    this.#options = options
  }

  /** @param path begins with /v3/ */
  serve(path: string, request: IncomingMessage, response: ServerResponse): void {
    const description = GATEWAY_ROUTES.get(path)
    if (description === undefined) refuse(response, new RpcError(STATUS.NOT_FOUND, 'Not Found'))
    else if (request.method !== 'POST') refuse(response, new RpcError(STATUS.UNIMPLEMENTED, 'Method Not Allowed'))
    else this.#serveMethod(description, request, response)
  }

  /** Ends what may have no end of its own: streams, and calls that wait. */
  close(): void {
    for (const stream of this.#streams) stream.fail(STOPPING)
    for (const [call, response] of this.#calls) {
      if (call.waits) refuse(response, STOPPING)
    }
  }

  #serveMethod(description: DescMethod, request: IncomingMessage, response: ServerResponse): void {
    const service = description.parent.typeName
    const method = this.#options.services.get(service)?.get(description.name)
    if (method === undefined) {
      const text = `unknown method ${description.name} for service ${service}`
      refuse(response, new RpcError(STATUS.UNIMPLEMENTED, text))
    } else this.#exchange(description, method, request, response)
  }

  #exchange(description: DescMethod, method: Method, request: IncomingMessage, response: ServerResponse): void {
    const { maxRequestBytes } = this.#options
    const name = `${description.parent.typeName}/${description.name}`
    const onDefect = (error: unknown): void => this.#options.onDefect(error, name)
    const values = new JsonValues(maxRequestBytes * JSON_PER_MESSAGE)
    const call = new GatewayCall(request, response)
    const shared = { description, maxRequestBytes, onDefect }
    if (method.kind === 'unary') {
      this.#calls.set(call, response)
      response.once('close', () => this.#calls.delete(call))
      serveUnary({ ...shared, method }, values, call, request, response).catch(onDefect)
      return
    }
    const stream = new StreamExchange({ ...shared, method }, request, response)
    this.#streams.add(stream)
    response.once('close', () => this.#streams.delete(stream))
    stream.serve(values, call).catch(onDefect)
  }
}
