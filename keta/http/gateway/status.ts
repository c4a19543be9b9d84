/** How a gRPC status is told over HTTP: the code of the response, and the JSON in it. */
import { type RpcError, STATUS, type StatusCode } from '../../transport/transport.ts'

/** grpc-gateway's table. */
const HTTP_CODES: Readonly<Record<StatusCode, number>> = {
  [STATUS.OK]: 200,
  [STATUS.CANCELLED]: 499,
  [STATUS.UNKNOWN]: 500,
  [STATUS.INVALID_ARGUMENT]: 400,
  [STATUS.DEADLINE_EXCEEDED]: 504,
  [STATUS.NOT_FOUND]: 404,
  [STATUS.ALREADY_EXISTS]: 409,
  [STATUS.PERMISSION_DENIED]: 403,
  [STATUS.RESOURCE_EXHAUSTED]: 429,
  [STATUS.FAILED_PRECONDITION]: 400,
  [STATUS.ABORTED]: 409,
  [STATUS.OUT_OF_RANGE]: 400,
  [STATUS.UNIMPLEMENTED]: 501,
  [STATUS.INTERNAL]: 500,
  [STATUS.UNAVAILABLE]: 503,
  [STATUS.DATA_LOSS]: 500,
  [STATUS.UNAUTHENTICATED]: 401,
}

export function httpCodeOf({ status }: RpcError): number {
  return HTTP_CODES[status]
}

/** {"code":5,"message":"…"} */
export function errorJson({ status, message }: RpcError): string {
  return JSON.stringify({ code: status, message })
}
