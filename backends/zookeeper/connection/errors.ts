/** What the error codes of a server mean for whoever asked. */
import { CoordinationError, type Effect, type ErrorCode } from '../../../spi/index.ts'
import { ERR } from '../protocol/codes.ts'

export const BACKEND = 'zookeeper'

const CODES: ReadonlyMap<number, readonly [code: ErrorCode, effect: Effect, message: string]> = new Map([
  [ERR.NO_AUTH, ['AUTHORIZATION', 'none', 'the server forbids it']],
  [ERR.AUTH_FAILED, ['AUTHENTICATION', 'none', 'the server does not know the scheme of our credentials']],
  [ERR.AUTH_REQUIRED, ['AUTHENTICATION', 'none', 'the server wants to know who we are']],
  [ERR.SESSION_EXPIRED, ['SESSION_LOST', 'none', 'the session is over']],
  [ERR.SESSION_MOVED, ['CONNECTION', 'none', 'the session has gone to another server']],
  [ERR.THROTTLED, ['OVERLOADED', 'none', 'the server has too much to do']],
  [ERR.QUOTA_EXCEEDED, ['OVERLOADED', 'none', 'a quota of the server is used up']],
  [ERR.REQUEST_TIMEOUT, ['TIMEOUT', 'unknown', 'the server has given the request up']],
  [ERR.UNIMPLEMENTED, ['UNSUPPORTED', 'none', 'the server is older than 3.6']],
])

/** Those that are answers: what is there, or is not. */
const ANSWERS: ReadonlySet<number> = new Set([ERR.NO_NODE, ERR.NODE_EXISTS, ERR.BAD_VERSION, ERR.NOT_EMPTY])

/** undefined: the code says what was found, and nothing is wrong with the request. */
export function errorOf(code: number): CoordinationError | undefined {
  if (ANSWERS.has(code)) return undefined
  const [name, effect, message] = CODES.get(code) ?? ['INTERNAL', 'none', 'the server refuses the request']
  return new CoordinationError(name, `${message} (error ${code})`, { backend: BACKEND, effect })
}

export function sessionLost(effect: Effect): CoordinationError {
  return new CoordinationError('SESSION_LOST', 'the session is over', { backend: BACKEND, effect })
}

/** A server has not answered in time, on a connection or while it was opened; any other end is a refusal. */
export class SilentServerError extends Error {
  override readonly name = 'SilentServerError'
}
