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
  ROOT_USER_MISSING: [STATUS.FAILED_PRECONDITION, 'etcdserver: root user does not exist'],
  ROOT_ROLE_MISSING: [STATUS.FAILED_PRECONDITION, 'etcdserver: root user does not have root role'],
  USER_EXISTS: [STATUS.FAILED_PRECONDITION, 'etcdserver: user name already exists'],
  USER_EMPTY: [STATUS.INVALID_ARGUMENT, 'etcdserver: user name is empty'],
  USER_NOT_FOUND: [STATUS.FAILED_PRECONDITION, 'etcdserver: user name not found'],
  ROLE_EXISTS: [STATUS.FAILED_PRECONDITION, 'etcdserver: role name already exists'],
  ROLE_NOT_FOUND: [STATUS.FAILED_PRECONDITION, 'etcdserver: role name not found'],
  ROLE_EMPTY: [STATUS.INVALID_ARGUMENT, 'etcdserver: role name is empty'],
  ROLE_NOT_GRANTED: [STATUS.FAILED_PRECONDITION, 'etcdserver: role is not granted to the user'],
  PERMISSION_NOT_GIVEN: [STATUS.INVALID_ARGUMENT, 'etcdserver: permission not given'],
  PERMISSION_NOT_GRANTED: [STATUS.FAILED_PRECONDITION, 'etcdserver: permission is not granted to the role'],
  INVALID_AUTH_MANAGEMENT: [STATUS.INVALID_ARGUMENT, 'etcdserver: invalid auth management'],
  AUTH_FAILED: [STATUS.INVALID_ARGUMENT, 'etcdserver: authentication failed, invalid user ID or password'],
  AUTH_NOT_ENABLED: [STATUS.FAILED_PRECONDITION, 'etcdserver: authentication is not enabled'],
  // These three have no status in etcd's table either.
  NO_PASSWORD_USER: [STATUS.UNKNOWN, 'auth: authentication failed, password was given for no password user'],
  PASSWORD_TOO_LONG: [STATUS.UNKNOWN, 'bcrypt: password length exceeds 72 bytes'],
  TOKEN_VERIFY_ONLY: [STATUS.UNKNOWN, 'auth: token signing attempted with verify-only key'],
  INVALID_AUTH_TOKEN: [STATUS.UNAUTHENTICATED, 'etcdserver: invalid auth token'],
  AUTH_OLD_REVISION: [STATUS.INVALID_ARGUMENT, 'etcdserver: revision of auth store is old'],
  PERMISSION_DENIED: [STATUS.PERMISSION_DENIED, 'etcdserver: permission denied'],
  BAD_MEMBER_URLS: [STATUS.INVALID_ARGUMENT, 'etcdserver: given member URLs are invalid'],
  MEMBER_URLS_EXIST: [STATUS.FAILED_PRECONDITION, 'etcdserver: Peer URLs already exists'],
  MEMBER_NOT_FOUND: [STATUS.NOT_FOUND, 'etcdserver: member not found'],
  // UNKNOWN for the same reason as TOO_MANY_REQUESTS.
  TOO_FEW_MEMBERS: [STATUS.UNKNOWN, 'etcdserver: re-configuration failed due to not enough started members'],
  NOT_A_LEARNER: [STATUS.FAILED_PRECONDITION, 'etcdserver: can only promote a learner member'],
  BAD_DOWNGRADE_VERSION: [STATUS.INVALID_ARGUMENT, 'etcdserver: wrong downgrade target version format'],
  BAD_DOWNGRADE_TARGET: [STATUS.INVALID_ARGUMENT, 'etcdserver: invalid downgrade target version'],
  UNKNOWN_DOWNGRADE_ACTION: [STATUS.UNKNOWN, 'etcdserver: unknown method'],
} as const satisfies Record<FailureCode, readonly [StatusCode, string]>

/** Why a watch was refused, as its cancel_reason says it. */
export const WATCH_REFUSALS = {
  'duplicate-id': 'mvcc: duplicate watch ID provided on the WatchStream',
  'empty-range': 'mvcc: watcher range is empty',
  compacted: COMPACTED_TEXT,
} as const

/** A refusal of permission where it is no status but a text: as grpc-go prints the status. */
export function refusalText(code: FailureCode): string {
  const [status, text] = STATUS_OF[code]
  const name = Object.entries(STATUS).find(([, number]) => number === status)?.[0] ?? ''
  return `rpc error: code = ${goName(name)} desc = ${text}`
}

/** "PERMISSION_DENIED" → "PermissionDenied". */
function goName(name: string): string {
  return name.replace(/(\w)([A-Z]*)_?/g, (_match, first: string, rest: string) => first + rest.toLowerCase())
}

/** Does it; what it throws is thrown as its client sees it. */
export function translated<T>(action: () => T): T {
  try {
    return action()
  } catch (error) {
    return rethrow(error)
  }
}

/** For promises that are rejected: as `translated`. */
export function rethrow(error: unknown): never {
  throw toRpcError(error)
}

/** A refusal as its client sees it; anything else as it is. */
export function toRpcError(error: unknown): unknown {
  if (error instanceof ForwardedRefusal) return new RpcError(error.status, error.message, { cause: error })
  if (!(error instanceof RequestFailure)) return error
  const [status, text] = STATUS_OF[error.code]
  return new RpcError(status, text, { cause: error })
}
