/**
 * How the services' unary methods are put into the table: refusals become statuses, cold messages go through
 * protobuf-es.
 */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'

import { type FailureCode, RequestFailure } from '../command/failure.ts'
import { type Call, type Method, unary } from '../transport/transport.ts'
import { rethrow, translated } from './errors.ts'

/**
 * A method with a hand-written decoder. Its answer is encoded by `handle`: stored key-values are views, and must be
 * encoded in the turn in which they were read.
 */
export function method<Request>(definition: {
  decode(bytes: Uint8Array): Request
  handle(request: Request, call: Call): Uint8Array | Promise<Uint8Array>
}): Method {
  return unary<Request, Uint8Array>({
    decode: (bytes) => translated(() => definition.decode(bytes)),
    handle(request, call) {
      const answer = translated(() => definition.handle(request, call))
      return answer instanceof Promise ? answer.catch(rethrow) : answer
    },
    encode: (bytes) => bytes,
  })
}

/** A method whose messages are seldom enough to go through their generated descriptions. */
export function coldMethod<Request extends DescMessage, Response extends DescMessage>(
  request: Request,
  response: Response,
  handle: (
    request: MessageShape<Request>,
    call: Call,
  ) => MessageInitShape<Response> | Promise<MessageInitShape<Response>>,
): Method {
  const encode = (answer: MessageInitShape<Response>): Uint8Array => toBinary(response, create(response, answer))
  return method({
    decode: (bytes) => fromBinary(request, bytes),
    handle(message, call) {
      const answer = handle(message, call)
      return answer instanceof Promise ? answer.then(encode) : encode(answer)
    },
  })
}

/** @throws RequestFailure if there is a refusal. */
export function refuse(refusal: FailureCode | undefined): void {
  if (refusal !== undefined) throw new RequestFailure(refusal)
}
