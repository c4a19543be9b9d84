/** What failed in Cassandra or on the way to it, in the terms of the SPI: above all, whether it had an effect. */
import { errors, types } from 'cassandra-driver'
import { CoordinationError, type Effect, type ErrorCode } from '../../spi/index.ts'
import { BACKEND } from './capabilities.ts'

const Code = types.responseErrorCodes
const UNAUTHORIZED: number = Code.unauthorized

/** The server has looked at the request and will not do it. */
const REFUSED: ReadonlyMap<number, ErrorCode> = new Map([
  [Code.unauthorized, 'AUTHORIZATION'],
  [Code.badCredentials, 'AUTHENTICATION'],
  [Code.overloaded, 'OVERLOADED'],
  [Code.isBootstrapping, 'CONNECTION'],
  [Code.syntaxError, 'INTERNAL'],
  [Code.invalid, 'INTERNAL'],
  [Code.configError, 'INTERNAL'],
  [Code.unprepared, 'INTERNAL'],
])

/** The servers did not agree in time: some may have done it, and may yet tell the others. */
const UNDECIDED: ReadonlySet<number> = new Set([
  Code.unavailableException,
  Code.writeTimeout,
  Code.readTimeout,
  Code.readFailure,
  Code.writeFailure,
  Code.serverError,
])

/** @param isSilent some server has not answered requests lately: it may be there, and hang. */
export function faultOf(error: unknown, isSilent: () => boolean): CoordinationError {
  if (error instanceof CoordinationError) return error
  const refusal = firstRefusal(error)
  if (refusal instanceof errors.AuthenticationError) return fault(refusal, 'AUTHENTICATION', 'none')
  if (refusal !== undefined) return fault(refusal, 'AUTHORIZATION', 'none')
  if (error instanceof errors.NoHostAvailableError) {
    // nothing was sent: whatever had been sent fails with an error of its own
    return fault(error, isSilent() || hasTimedOut(error) ? 'TIMEOUT' : 'CONNECTION', 'none', reasonsOf(error))
  }
  if (error instanceof errors.OperationTimedOutError) return fault(error, 'TIMEOUT', 'unknown')
  if (error instanceof errors.BusyConnectionError) return fault(error, 'OVERLOADED', 'none')
  if (error instanceof errors.ResponseError) {
    const code = REFUSED.get(error.code)
    if (code !== undefined) return fault(error, code, 'none')
    if (UNDECIDED.has(error.code)) return fault(error, 'TIMEOUT', 'unknown')
  }
  if (isOfSocket(error)) return fault(error, 'CONNECTION', 'unknown')
  return fault(error, 'INTERNAL', 'unknown')
}

/** Of the servers that were tried one after the other, one that has refused us for good. */
function firstRefusal(error: unknown): Error | undefined {
  const inner = error instanceof errors.NoHostAvailableError ? innerErrors(error) : [error]
  return inner.find(
    (one): one is Error =>
      one instanceof errors.AuthenticationError || (one instanceof errors.ResponseError && one.code === UNAUTHORIZED),
  )
}

function innerErrors({ innerErrors: inner }: errors.NoHostAvailableError): readonly unknown[] {
  return Object.values((inner ?? {}) as Record<string, unknown>)
}

function hasTimedOut(error: errors.NoHostAvailableError): boolean {
  return innerErrors(error).some(
    (one) => one instanceof errors.OperationTimedOutError || (one instanceof Error && /timeout/i.test(one.message)),
  )
}

function reasonsOf(error: errors.NoHostAvailableError): string {
  const inner = Object.entries((error.innerErrors ?? {}) as Record<string, unknown>)
  const reasons = inner.map(([host, one]) => `${host}: ${one instanceof Error ? one.message : String(one)}`)
  return reasons.length === 0 ? 'no server can be reached' : `no server can be reached: ${reasons.join('; ')}`
}

function isOfSocket(error: unknown): boolean {
  return (error as { readonly isSocketError?: boolean }).isSocketError === true
}

function fault(cause: unknown, code: ErrorCode, effect: Effect, message?: string): CoordinationError {
  const why = message ?? (cause instanceof Error ? cause.message : String(cause))
  return new CoordinationError(code, why, { backend: BACKEND, effect, cause })
}
