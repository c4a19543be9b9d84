/** What unary and streaming calls over HTTP have in common: messages to and from JSON, and the errors of both. */
import { type DescMethod, fromBinary, toJson } from '@bufbuild/protobuf'
import type { IncomingMessage } from 'node:http'

import { type Method, RpcError, STATUS } from '../../transport/transport.ts'
import { messageFromJson } from './json-message.ts'
import { JsonMismatch } from './json-text.ts'
import { JsonSyntaxError, JsonTooLarge, type JsonValues } from './json-values.ts'

export interface Served<M extends Method = Method> {
  readonly description: DescMethod
  readonly method: M
  readonly maxRequestBytes: number
  /** Told of everything thrown that is not for the client. */
  readonly onDefect: (error: unknown) => void
}

const EMPTY_OBJECT = Buffer.from('{}')

/**
 * The request that a JSON value is; without a value an empty one, as grpc-gateway takes an empty body.
 * @throws JsonMismatch; RpcError if it is too large; what the method's `decode` throws
 */
export function requestOf({ description, method, maxRequestBytes }: Served, value: Buffer = EMPTY_OBJECT): never {
  const bytes = messageFromJson(description.input, value)
  if (bytes.length > maxRequestBytes) {
    const sizes = `(${bytes.length} vs. ${maxRequestBytes})`
    throw new RpcError(STATUS.RESOURCE_EXHAUSTED, `grpc: received message larger than max ${sizes}`)
  }
  return method.decode(bytes)
}

export function answerJson({ description }: Served, bytes: Uint8Array): string {
  return JSON.stringify(toJson(description.output, fromBinary(description.output, bytes), { useProtoFieldName: true }))
}

/** The body's chunks. Whoever stops reading leaves the connection open. */
export function chunksOf(request: IncomingMessage): AsyncIterableIterator<Buffer> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>
}

/** The client went away before it had sent all of its request. */
export function hasGone(request: IncomingMessage): boolean {
  return request.destroyed && !request.complete
}

/** The first value of the body, undefined if it is empty. What follows is nobody's. */
export async function firstValue(request: IncomingMessage, values: JsonValues): Promise<Buffer | undefined> {
  for await (const chunk of chunksOf(request)) {
    values.push(chunk)
    const value = values.next()
    if (value !== undefined) return value
  }
  return values.last()
}

/**
 * What a client is told when something was thrown.
 * @param prefix before what is wrong with its JSON
 */
export function failureOf(error: unknown, onDefect: (error: unknown) => void, prefix = ''): RpcError {
  if (error instanceof RpcError) return error
  if (error instanceof JsonSyntaxError || error instanceof JsonMismatch) {
    return new RpcError(STATUS.INVALID_ARGUMENT, prefix + error.message, { cause: error })
  }
  if (error instanceof JsonTooLarge) return new RpcError(STATUS.RESOURCE_EXHAUSTED, error.message, { cause: error })
  onDefect(error)
  return new RpcError(STATUS.INTERNAL, 'internal error', { cause: error })
}
