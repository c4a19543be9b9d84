/** What follows make of failures, whatever the store: some end a follow, all others are reported, and it goes on. */
import { type CoordinationError, isCoordinationError, type Logger } from '../../spi/index.ts'

/** No waiting and no other server will change these answers. CLOSED: the driver was closed under the follow. */
const FINAL: ReadonlySet<string> = new Set(['AUTHENTICATION', 'AUTHORIZATION', 'UNSUPPORTED', 'CLOSED'])

export function endsFollow(error: unknown): error is CoordinationError {
  return isCoordinationError(error) && FINAL.has(error.code)
}

/**
 * @param what is followed.
 * @param failures so many have gone before in a row.
 */
export function reportBreak(logger: Logger, what: string, cause: unknown, failures: number): void {
  const why = cause instanceof Error ? cause.message : String(cause)
  const message = `following ${what} broke off: ${why}`
  // a store that is away for an hour is one line, not fourteen thousand
  if (failures > 0) logger.debug(message, { cause })
  else logger.warn(message, { cause })
}
