/** What an error of a call says about its effect. */
import { type ServiceError, status } from '@grpc/grpc-js'
import type { Outcome } from '../checkers/history.ts'

/** The server looked at the request and refused it. */
const REFUSALS: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
])

/** UNAVAILABLE says nothing but for these: the first the server promises, the other is the client's own. */
const WITHOUT_EFFECT = /^etcdserver: no leader$|^No connection established/

export function outcomeOf({ code, details }: ServiceError): Exclude<Outcome<never>, { readonly outcome: 'ok' }> {
  const isCertain = REFUSALS.has(code) || (code === status.UNAVAILABLE && WITHOUT_EFFECT.test(details))
  return { outcome: isCertain ? 'fail' : 'info', error: `${status[code]}: ${details}` }
}
