/** What a client is told when a method throws. */
import { RpcError, STATUS } from './transport.ts'

/** grpc-go's answer to a unary call that ends without a message. */
export const NO_REQUEST = new RpcError(STATUS.UNKNOWN, 'EOF')

/** Told of everything thrown that is not an RpcError. */
export type OnDefect = (error: unknown) => void

/**
 * An RpcError goes to the client as it is. Anything else is a defect, and its text is nobody's business but the log's.
 */
export function failureOf(error: unknown, onDefect: OnDefect): RpcError {
  if (error instanceof RpcError) return error
  onDefect(error)
  return new RpcError(STATUS.INTERNAL, 'internal error', { cause: error })
}

/** @throws RpcError INTERNAL with grpc-go's text if the bytes are not the method's request. */
export function decodeRequest<Request>(method: { decode(bytes: Uint8Array): Request }, bytes: Uint8Array): Request {
  try {
    return method.decode(bytes)
  } catch (error) {
    if (error instanceof RpcError) throw error
    const text = error instanceof Error ? error.message : String(error)
    throw new RpcError(STATUS.INTERNAL, `grpc: error unmarshalling request: ${text}`, { cause: error })
  }
}
