/**
 * The gRPC status and the exact text of each refusal: those of etcd's api/v3rpc/rpctypes/error.go, which clients
 * compare.
 */
import { ForwardedRefusal } from '../engine/api.ts'
import { type FailureCode, RequestFailure } from '../command/failure.ts'
import { RpcError, STATUS, type StatusCode } from '../transport/transport.ts'

const COMPACTED_TEXT = 'etcdserver: mvcc: required revision has been compacted'

const STATUS_OF = {
  EMPTY_KEY: [STATUS.INVALID_ARGUMENT, 'etcdserver: key is not provided'],
  KEY_NOT_FOUND: [STATUS.INVALID_ARGUMENT, 'etcdserver: key not found'],
  VALUE_PROVIDED: [STATUS.INVALID_ARGUMENT, 'etcdserver: value is provided'],
  LEASE_PROVIDED: [STATUS.INVALID_ARGUMENT, 'etcdserver: lease is provided'],
  TOO_MANY_OPS: [STATUS.INVALID_ARGUMENT, 'etcdserver: too many operations in txn request'],
  DUPLICATE_KEY: [STATUS.INVALID_ARGUMENT, 'etcdserver: duplicate key given in txn request'],
  INVALID_SORT_OPTION: [STATUS.INVALID_ARGUMENT, 'etcdserver: invalid sort option'],
  COMPACTED: [STATUS.OUT_OF_RANGE, COMPACTED_TEXT],
  FUTURE_REVISION: [STATUS.OUT_OF_RANGE, 'etcdserver: mvcc: required revision is a future revision'],
  NO_SPACE: [STATUS.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded'],
  CORRUPT: [STATUS.DATA_LOSS, 'etcdserver: corrupt cluster'],
  LEASE_NOT_FOUND: [STATUS.NOT_FOUND, 'etcdserver: requested lease not found'],
  LEASE_EXISTS: [STATUS.FAILED_PRECONDITION, 'etcdserver: lease already exists'],
  LEASE_TTL_TOO_LARGE: [STATUS.OUT_OF_RANGE, 'etcdserver: too large lease TTL'],
  REQUEST_TOO_LARGE: [STATUS.INVALID_ARGUMENT, 'etcdserver: request is too large'],
  // UNKNOWN, because etcd's server answers this one with the client's form of the error, which has no status.
  TOO_MANY_REQUESTS: [STATUS.UNKNOWN, 'etcdserver: too many requests'],
  TIMEOUT: [STATUS.UNAVAILABLE, 'etcdserver: request timed out'],
  LEADER_LOST: [STATUS.UNAVAILABLE, 'etcdserver: request timed out, possibly due to previous leader failure'],
  NOT_LEADER: [STATUS.FAILED_PRECONDITION, 'etcdserver: not leader'],
  NO_LEADER: [STATUS.UNAVAILABLE, 'etcdserver: no leader'],
  BAD_TRANSFEREE: [STATUS.FAILED_PRECONDITION, 'etcdserver: bad leader transferee'],
  STOPPED: [STATUS.UNAVAILABLE, 'etcdserver: server stopped'],
  // No text to follow: etcd 3.6 crashes on such a request.
  UNKNOWN_ALARM_ACTION: [STATUS.INVALID_ARGUMENT, 'etcdserver: unknown alarm action'],
} as const satisfies Record<FailureCode, readonly [StatusCode, string]>

/** Why a watch was refused, as its cancel_reason says it. */
export const WATCH_REFUSALS = {
  'duplicate-id': 'mvcc: duplicate watch ID provided on the WatchStream',
  'empty-range': 'mvcc: watcher range is empty',
  compacted: COMPACTED_TEXT,
} as const

/** A refusal as its client sees it; anything else as it is. */
export function toRpcError(error: unknown): unknown {
  if (error instanceof ForwardedRefusal) return new RpcError(error.status, error.message, { cause: error })
  if (!(error instanceof RequestFailure)) return error
  const [status, text] = STATUS_OF[error.code]
  return new RpcError(status, text, { cause: error })
}
