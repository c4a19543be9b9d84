/** A method that is made of calls to other services of this node. */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'

import { type Method, RpcError, type ServiceTable, STATUS, unary } from '../transport/transport.ts'
import { LocalClient } from './local-client.ts'

export function recipe<I extends DescMessage, O extends DescMessage>(
  services: ServiceTable,
  { name, input, output }: DescMethodUnary<I, O>,
  follow: (request: MessageShape<I>, client: LocalClient) => Promise<MessageInitShape<O>>,
): readonly [string, Method] {
  const method = unary<MessageShape<I>, MessageInitShape<O>>({
    decode: (bytes) => fromBinary(input, bytes),
    encode: (answer) => toBinary(output, create(output, answer)),
    async handle(request, call) {
      try {
        return await follow(request, new LocalClient(services, call))
      } catch (error) {
        throw withoutStatus(error)
      }
    },
  })
  return [name, method]
}

/** A refusal in the recipe's own words. Like all its refusals it has no status of its own. */
export function refusal(text: string): RpcError {
  return new RpcError(STATUS.UNKNOWN, text)
}

/**
 * etcd's recipes use its client library, whose errors have lost their statuses: of every refusal by another service its
 * text is left.
 */
export function withoutStatus(error: unknown): unknown {
  if (!(error instanceof RpcError) || !error.message.startsWith('etcdserver: ')) return error
  return new RpcError(STATUS.UNKNOWN, error.message, { cause: error })
}
