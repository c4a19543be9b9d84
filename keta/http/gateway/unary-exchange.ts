/** Serves one unary call over HTTP: a JSON object in, a JSON object out. */
import type { IncomingMessage, ServerResponse } from 'node:http'

import { type RpcError, STATUS, type UnaryMethod } from '../../transport/transport.ts'
import { answerJson, failureOf, firstValue, hasGone, requestOf, type Served } from './exchange.ts'
import type { GatewayCall } from './gateway-call.ts'
import { JsonTooLarge, type JsonValues } from './json-values.ts'
import { errorJson, httpCodeOf } from './status.ts'

/** Rejects for a defect only. */
export async function serveUnary(
  served: Served<UnaryMethod<never, unknown>>,
  values: JsonValues,
  call: GatewayCall,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    call.onDeadline((error) => refuse(response, error))
    const value = await firstValue(request, values)
    const message = requestOf(served, value)
    request.resume()
    const answer = await served.method.handle(message, call)
    const json = answerJson(served, served.method.encode(answer))
    if (isOver(response)) return
    response.setHeader('Grpc-Metadata-Content-Type', 'application/grpc')
    respond(response, 200, json)
  } catch (error) {
    // The rest of such a body is not read, so that nothing can follow it on the connection.
    if (error instanceof JsonTooLarge && request.httpVersionMajor === 1) response.shouldKeepAlive = false
    else request.resume()
    if (!hasGone(request)) refuse(response, failureOf(error, served.onDefect))
  }
}

/** Answers with the error, unless there has been an answer. */
export function refuse(response: ServerResponse, error: RpcError): void {
  if (isOver(response)) return
  if (error.status === STATUS.UNAUTHENTICATED) response.setHeader('WWW-Authenticate', error.message)
  respond(response, httpCodeOf(error), errorJson(error))
}

function isOver(response: ServerResponse): boolean {
  return response.writableEnded || response.destroyed
}

function respond(response: ServerResponse, code: number, json: string): void {
  const body = Buffer.from(json)
  response.writeHead(code, { 'Content-Type': 'application/json', 'Content-Length': body.length })
  response.end(body)
}
