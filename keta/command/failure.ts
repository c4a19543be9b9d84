/**
 * Refusals: the closed list of reasons for which a request is answered with an error although the
 * server is healthy. They are values, not exceptions, inside the state machine: a refused command is
 * still a record of the log that every replica refuses in the same way. `rpc/errors.ts` gives each
 * its gRPC code and etcd's exact text.
 */
export type FailureCode =
  | 'EMPTY_KEY'
  | 'KEY_NOT_FOUND'
  | 'VALUE_PROVIDED'
  | 'LEASE_PROVIDED'
  | 'TOO_MANY_OPS'
  | 'DUPLICATE_KEY'
  | 'INVALID_SORT_OPTION'
  | 'COMPACTED'
  | 'FUTURE_REVISION'
  | 'NO_SPACE'
  | 'CORRUPT'
  | 'LEASE_NOT_FOUND'
  | 'LEASE_EXISTS'
  | 'LEASE_TTL_TOO_LARGE'
  | 'REQUEST_TOO_LARGE'
  | 'TOO_MANY_REQUESTS'
  /** The outcome is unknown. */
  | 'TIMEOUT'
  /** The outcome is unknown, because whoever led is gone. */
  | 'LEADER_LOST'
  /** This node does not lead (any more). The request has had no effect and never will. */
  | 'NOT_LEADER'
  /** Nobody was found to lead in time. The request has had no effect and never will. */
  | 'NO_LEADER'
  /** The member that was to take over cannot. */
  | 'BAD_TRANSFEREE'
  | 'STOPPED'
  | 'UNKNOWN_ALARM_ACTION'
  | 'ROOT_USER_MISSING'
  | 'ROOT_ROLE_MISSING'
  | 'USER_EXISTS'
  | 'USER_EMPTY'
  | 'USER_NOT_FOUND'
  | 'ROLE_EXISTS'
  | 'ROLE_NOT_FOUND'
  | 'ROLE_EMPTY'
  | 'ROLE_NOT_GRANTED'
  | 'PERMISSION_NOT_GIVEN'
  | 'PERMISSION_NOT_GRANTED'
  | 'INVALID_AUTH_MANAGEMENT'
  | 'AUTH_FAILED'
  | 'AUTH_NOT_ENABLED'
  /** A password was given for a user who has none, or none that can be one. */
  | 'NO_PASSWORD_USER'
  | 'PASSWORD_TOO_LONG'
  | 'INVALID_AUTH_TOKEN'
  | 'AUTH_OLD_REVISION'
  /** Tokens can be checked here, but not signed. */
  | 'TOKEN_VERIFY_ONLY'
  | 'PERMISSION_DENIED'
  | 'BAD_MEMBER_URLS'
  | 'MEMBER_URLS_EXIST'
  | 'MEMBER_NOT_FOUND'
  /** The cluster would be left without members. */
  | 'TOO_FEW_MEMBERS'
  | 'NOT_A_LEARNER'
  | 'BAD_DOWNGRADE_VERSION'
  | 'BAD_DOWNGRADE_TARGET'
  | 'UNKNOWN_DOWNGRADE_ACTION'

/** A refusal as an exception, for the layers above the state machine. */
export class RequestFailure extends Error {
  override readonly name = 'RequestFailure'
  readonly code: FailureCode
  constructor(code: FailureCode, options?: { readonly cause?: unknown }) {
    super(code, options)
    this.code = code
  }
}
