/** What a request must say before its method is looked for; else it is refused, in grpc-go's words. */
import { parseTimeout } from '../grpc-timeout.ts'
import { RpcError, STATUS, type StatusCode } from '../transport.ts'
import type { RequestHead } from './request-head.ts'

const GRPC = 'application/grpc'
/** In milliseconds: time that is over before a method could begin. */
const NO_TIME_MS = 1e-6

export const DEADLINE_EXCEEDED = new RpcError(STATUS.DEADLINE_EXCEEDED, 'context deadline exceeded')

export interface Refused {
  readonly error: RpcError
  readonly httpStatus: number
}

/** Whether it is meant as gRPC, if perhaps not well. */
export function isMeantAsGrpc({ contentType }: RequestHead): boolean {
  return contentType?.startsWith(GRPC) === true
}

/** How long the call may take. */
export function readOpening(head: RequestHead): { readonly timeoutMs: number | undefined } | Refused {
  const { contentType = '', method, timeout } = head
  if (!isGrpc(contentType)) {
    return refused(415, STATUS.INVALID_ARGUMENT, `invalid gRPC request content-type ${JSON.stringify(contentType)}`)
  }
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout)
  if (typeof timeoutMs === 'string') return refused(400, STATUS.INTERNAL, `malformed grpc-timeout: ${timeoutMs}`)
  if (method !== 'POST') {
    const text = `Received a HEADERS frame with :method ${JSON.stringify(method)} which should be POST`
    return refused(405, STATUS.INTERNAL, text)
  }
  if (timeoutMs !== undefined && timeoutMs <= NO_TIME_MS) return { error: DEADLINE_EXCEEDED, httpStatus: 200 }
  return { timeoutMs }
}

/** Of `application/grpc`, with or without a kind of message, which makes no difference. */
function isGrpc(contentType: string): boolean {
  return contentType === GRPC || contentType.startsWith(`${GRPC}+`) || contentType.startsWith(`${GRPC};`)
}

function refused(httpStatus: number, status: StatusCode, text: string): Refused {
  return { error: new RpcError(status, text), httpStatus }
}
