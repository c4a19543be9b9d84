/**
 * What an error of the libraries says: the error code that a broker answered, or what became of the connection.
 * They nest them in `errors` (answers) and `cause` (connections).
 */
import type { KafkaErrorCode } from './client.ts'
import { KafkaError } from './client.ts'

/** Kafka's name of the error that a broker answered ("NOT_LEADER_OR_FOLLOWER"); undefined if no broker answered. */
export function answeredError(error: unknown): string | undefined {
  return first(error, (candidate) => text(candidate, 'apiId') ?? answerToKafkajs(candidate))
}

/** Whether trying again cannot help before somebody changes credentials or certificates. */
export function isAuthenticationFailure(error: unknown): boolean {
  if (error instanceof KafkaError) return error.code === 'NOT_AUTHENTICATED'
  const answer = answeredError(error)
  if (answer !== undefined) return NOT_AUTHENTICATED.has(answer)
  // A connection that broke during authentication is wrapped as an authentication failure too, but says nothing of it.
  if (first(error, brokenConnection) !== undefined) return first(error, refusedCertificate) !== undefined
  return first(error, refusedCertificate) !== undefined || first(error, authenticationError) !== undefined
}

/** @param doing what was tried, to begin the message with: "cannot find the leader of topic x". */
export function toKafkaError(error: unknown, doing: string): KafkaError {
  if (error instanceof KafkaError) return error
  return new KafkaError(codeOf(error), `${doing}: ${inWords(error)}`, { cause: error })
}

/** The messages from the outermost to the innermost cause, without those that repeat each other. */
export function inWords(error: unknown): string {
  const answer = answeredError(error)
  if (answer !== undefined) {
    const detail = first(error, (candidate) => text(candidate, 'serverErrorMessage'))
    return detail === undefined ? answer : `${answer} (${detail})`
  }
  const deepest = innermost(error)
  return deepest instanceof Error ? nonEmpty(deepest) : String(deepest)
}

const NOT_AUTHENTICATED = new Set(['SASL_AUTHENTICATION_FAILED', 'UNSUPPORTED_SASL_MECHANISM', 'ILLEGAL_SASL_STATE'])
const NOT_AUTHORISED = /_AUTHORIZATION_FAILED$/
/** Answers after which nothing but a change of the software or of its set-up helps. */
const FINAL = new Set(['UNSUPPORTED_VERSION', 'INVALID_REQUEST', 'UNSUPPORTED_FOR_MESSAGE_FORMAT', 'INVALID_GROUP_ID'])
const CERTIFICATE =
  /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|ERR_OSSL_|ERR_SSL_(TLSV1|TLSV13|SSLV3)_ALERT_)/

function codeOf(error: unknown): KafkaErrorCode {
  if (isAuthenticationFailure(error)) return 'NOT_AUTHENTICATED'
  const answer = answeredError(error)
  if (answer === undefined) return 'UNREACHABLE'
  if (NOT_AUTHORISED.test(answer)) return 'NOT_AUTHORISED'
  return FINAL.has(answer) ? 'PROTOCOL' : 'UNSETTLED'
}

function answerToKafkajs(error: object): string | undefined {
  return text(error, 'name') === 'KafkaJSProtocolError' ? text(error, 'type') : undefined
}

function brokenConnection(error: object): true | undefined {
  const code = text(error, 'code')
  const isLeaf = causesOf(error).length === 0
  return isLeaf && (code === 'PLT_KFK_NETWORK' || code === 'PLT_KFK_TIMEOUT' || isSocketCode(code)) ? true : undefined
}

function isSocketCode(code: string | undefined): boolean {
  return code !== undefined && /^E[A-Z]+$/.test(code)
}

function refusedCertificate(error: object): true | undefined {
  const code = text(error, 'code')
  return code !== undefined && CERTIFICATE.test(code) ? true : undefined
}

function authenticationError(error: object): true | undefined {
  return text(error, 'code') === 'PLT_KFK_AUTHENTICATION' ? true : undefined
}

/** The first answer of `find` along the error and what caused it, outermost first. */
function first<Found>(error: unknown, find: (candidate: object) => Found | undefined): Found | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const found = find(error)
  if (found !== undefined) return found
  for (const cause of causesOf(error)) {
    const deeper = first(cause, find)
    if (deeper !== undefined) return deeper
  }
  return undefined
}

function innermost(error: unknown): unknown {
  const [cause] = typeof error === 'object' && error !== null ? causesOf(error) : []
  return cause === undefined ? error : innermost(cause)
}

function causesOf(error: object): readonly unknown[] {
  const nested = 'errors' in error && Array.isArray(error.errors) ? (error.errors as unknown[]) : []
  return 'cause' in error && error.cause !== undefined ? [...nested, error.cause] : nested
}

function nonEmpty(error: Error): string {
  return error.message === '' ? (text(error, 'code') ?? error.name) : error.message
}

function text(error: object, field: string): string | undefined {
  const value: unknown = (error as Record<string, unknown>)[field]
  return typeof value === 'string' && value !== '' ? value : undefined
}
