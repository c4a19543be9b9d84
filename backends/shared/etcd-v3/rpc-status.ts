/** What the end of a request says, in the terms of the SPI: which error it is, and what became of the request. */
import { status as Code } from '@grpc/grpc-js'
import { CoordinationError, type Effect, type ErrorCode } from '../../../spi/index.ts'

/** How a request ended, if not well. */
export interface RpcStatus {
  readonly code: Code
  readonly details: string
  /** Ended on our side before anything could be sent. */
  readonly unsent?: boolean
}

/** Thrown by Connection; does not leave this folder. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly status: RpcStatus

  constructor(status: RpcStatus) {
    super(status.details)
    this.status = status
  }
}

interface Meaning {
  readonly says: RegExp
  readonly code: ErrorCode
  readonly effect: Effect
}

/**
 * What etcd and grpc-js are known to say. `none` stands only where the server refuses before it proposes the request to
 * its peers, or applies it as a refusal, or where nothing was sent at all.
 */
const MEANINGS: readonly Meaning[] = [
  { says: /authentication failed|user name is empty|invalid auth token/, code: 'AUTHENTICATION', effect: 'none' },
  { says: /revision of auth store is old/, code: 'AUTHENTICATION', effect: 'none' },
  { says: /permission denied/, code: 'AUTHORIZATION', effect: 'none' },
  { says: /too many requests/, code: 'OVERLOADED', effect: 'none' },
  // etcd's quota applier applies the request that crosses the quota, and reports this error all the same
  { says: /database space exceeded/, code: 'OVERLOADED', effect: 'unknown' },
  // of a scan's later pages; whoever scans may begin again
  { says: /revision has been compacted/, code: 'OVERLOADED', effect: 'none' },
  { says: /request is too large|too many operations in txn/, code: 'TOO_LARGE', effect: 'none' },
  { says: /message larger than max/i, code: 'TOO_LARGE', effect: 'none' },
  { says: /requested lease not found/, code: 'SESSION_LOST', effect: 'none' },
  { says: /etcdserver: no leader/, code: 'CONNECTION', effect: 'none' },
  { says: /not supported for learner|not capable/, code: 'CONNECTION', effect: 'none' },
  { says: /^No connection established|^Channel closed before call started/, code: 'CONNECTION', effect: 'none' },
]

/** Codes with which the server says that the request itself was wrong: it was not done. */
const REFUSALS: ReadonlySet<Code> = new Set([
  Code.INVALID_ARGUMENT,
  Code.NOT_FOUND,
  Code.ALREADY_EXISTS,
  Code.FAILED_PRECONDITION,
  Code.OUT_OF_RANGE,
])

/** @param about the server, and the name of the backend. */
export function coordinationError(
  error: unknown,
  about: { readonly endpoint: string; readonly backend: string },
): CoordinationError {
  if (!(error instanceof RpcError)) {
    const message = `${about.backend}: the client library failed: ${String(error)}`
    return new CoordinationError('INTERNAL', message, { backend: about.backend, cause: error })
  }
  const { code, effect } = meaningOf(error.status)
  const message = `${about.backend} at ${about.endpoint}: ${error.status.details || `status ${error.status.code}`}`
  return new CoordinationError(code, message, { backend: about.backend, effect, cause: error })
}

export function meaningOf({ code, details, unsent }: RpcStatus): { readonly code: ErrorCode; readonly effect: Effect } {
  if (unsent === true) return { code: code === Code.DEADLINE_EXCEEDED ? 'TIMEOUT' : 'CONNECTION', effect: 'none' }
  const known = MEANINGS.find(({ says }) => says.test(details))
  if (known !== undefined) return known
  if (REFUSALS.has(code)) return { code: 'INTERNAL', effect: 'none' }
  if (code === Code.UNAUTHENTICATED) return { code: 'AUTHENTICATION', effect: 'none' }
  if (code === Code.UNIMPLEMENTED) return { code: 'UNSUPPORTED', effect: 'none' }
  if (code === Code.DATA_LOSS) return { code: 'CORRUPTED', effect: 'unknown' }
  if (code === Code.RESOURCE_EXHAUSTED) return { code: 'OVERLOADED', effect: 'unknown' }
  if (code === Code.DEADLINE_EXCEEDED) return { code: 'TIMEOUT', effect: 'unknown' }
  return { code: 'CONNECTION', effect: 'unknown' }
}

/** The server has forgotten our token, or users and roles have changed since: a new one helps. */
export function wantsNewToken({ details }: RpcStatus): boolean {
  return /invalid auth token|revision of auth store is old/.test(details)
}

/** The password was given, but the server asks for none. */
export function needsNoToken({ details }: RpcStatus): boolean {
  return /authentication is not enabled/.test(details)
}
