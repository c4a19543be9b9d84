/**
 * The one error type of the SPI. KIP-30 says "throw an exception"; a coordinator's caller must also know which
 * one (`code`), whether its write may have happened all the same (`effect`), and whether to try again (`retriable`).
 */
import type { Entry } from './values.ts'

/** What is known of a failed call's effect on the store. Never `none` by guess. */
export type Effect =
  /** Certainly not applied, and never will be. */
  | 'none'
  /** May have been applied, or may still be: the reply was lost, the call was given up, the store could not say. */
  | 'unknown'

/**
 * What each code says by itself of the effect, unless the thrower knows better. A refusal is an answer: nothing was
 * done. The others are the absence of an answer.
 */
const EFFECT_OF = {
  // Storage
  KEY_EXISTS: 'none',
  KEY_NOT_FOUND: 'none',
  VERSION_MISMATCH: 'none',
  FENCED: 'none',
  // GroupMembershipClient
  MEMBER_EXISTS: 'none',
  NOT_A_MEMBER: 'none',
  // LeaderElectionClient
  LEADERSHIP_LOST: 'none',
  CANDIDATE_EXISTS: 'none',
  // any call that needs the store
  SESSION_LOST: 'unknown',
  CONNECTION: 'unknown',
  TIMEOUT: 'unknown',
  OVERLOADED: 'none',
  AUTHENTICATION: 'none',
  AUTHORIZATION: 'none',
  // before anything is sent
  INVALID_KEY: 'none',
  INVALID_ARGUMENT: 'none',
  INVALID_DATA: 'none',
  TOO_LARGE: 'none',
  UNSUPPORTED: 'none',
  CONFIG: 'none',
  NOT_INITIALIZED: 'none',
  // the end of a client, or of our knowledge
  CLOSED: 'unknown',
  CORRUPTED: 'unknown',
  INTERNAL: 'unknown',
} as const satisfies Record<string, Effect>

/**
 * Why a call failed.
 *
 * | code | meaning |
 * |---|---|
 * | `KEY_EXISTS` | `put` of a key that is there (KIP-30's put contract) |
 * | `KEY_NOT_FOUND` | `update` of a key that is not there (KIP-30's update contract) |
 * | `VERSION_MISMATCH` | the key has changed since `ifVersion` was read |
 * | `FENCED` | the fence's token is no longer the service's current one: a newer owner exists |
 * | `MEMBER_EXISTS` | `join` of an id that a live session holds (KIP-30's "ID conflict") |
 * | `NOT_A_MEMBER` | this client does not, or no longer, hold the member id |
 * | `LEADERSHIP_LOST` | the term is over, or the candidacy that was waited for has ended |
 * | `CANDIDATE_EXISTS` | this client already runs a candidate of that id |
 * | `SESSION_LOST` | the session ended while the call was under way |
 * | `CONNECTION` | every server refused to be reached, or the connection broke |
 * | `TIMEOUT` | no answer within `timeoutMs`, also from a server that is being connected to |
 * | `OVERLOADED` | the store refused the call for lack of room or pace |
 * | `AUTHENTICATION`, `AUTHORIZATION` | who we are, or what we may do, was refused |
 * | `INVALID_KEY` | a key, namespace or id against the rules of keys.ts |
 * | `INVALID_ARGUMENT` | any other misuse, for example a second `init` |
 * | `INVALID_DATA` | text was asked of bytes that are not UTF-8, or given with a lone surrogate |
 * | `TOO_LARGE` | more than `capabilities.limits` or `capabilities.transactions.maxOps` allow |
 * | `UNSUPPORTED` | a capability of this backend is false |
 * | `CONFIG` | the configuration is wrong; `problems` lists everything that is |
 * | `NOT_INITIALIZED` | a call before `init` |
 * | `CLOSED` | a call after, or still pending at, `close` |
 * | `CORRUPTED` | the store holds something that the backend did not write |
 * | `INTERNAL` | a fault of the backend; report it |
 */
export type ErrorCode = keyof typeof EFFECT_OF

/** All codes, in the order of the table above. */
export const ERROR_CODES: readonly ErrorCode[] = Object.freeze(Object.keys(EFFECT_OF) as ErrorCode[])

const RETRIABLE: ReadonlySet<ErrorCode> = new Set(['CONNECTION', 'TIMEOUT', 'OVERLOADED', 'SESSION_LOST'])

export interface ErrorDetails {
  /** Name of the backend (`capabilities.backend`); `spi` for what the SPI itself finds. Default `spi`. */
  readonly backend?: string
  readonly cause?: unknown
  /** The key, namespace, group or service that the call was about. */
  readonly key?: string
  /** Default: what the code implies; `unknown` for `CONNECTION`, `TIMEOUT`, `SESSION_LOST`, `CLOSED`, `INTERNAL`, … */
  readonly effect?: Effect
  /** Default: true for `CONNECTION`, `TIMEOUT`, `OVERLOADED` and `SESSION_LOST` without effect, else false. */
  readonly retriable?: boolean
  readonly current?: Entry
  readonly index?: number
  readonly problems?: readonly string[]
}

/** Shared by all copies of the package in a process: a broker's copy and its plugin's must know each other's errors. */
const BRAND = Symbol.for('kip30.CoordinationError')

/**
 * The only error that the SPI's calls throw – except `signal.reason`, which is rethrown as `fetch` does.
 * Test with {@link isCoordinationError}, not with `instanceof`.
 */
export class CoordinationError extends Error {
  override readonly name = 'CoordinationError'
  readonly code: ErrorCode
  readonly backend: string
  /** Whether the failed call may have changed the store. */
  readonly effect: Effect
  /** The same call, unchanged, may succeed later. Implies `effect: 'none'`, or a call that may safely run twice. */
  readonly retriable: boolean
  declare readonly key?: string
  /** `VERSION_MISMATCH`, `KEY_EXISTS`: what is there now, if the backend learnt it in the same round trip. */
  declare readonly current?: Entry
  /** `transact`: which operation failed, from 0. */
  declare readonly index?: number
  /** `CONFIG`: every problem found, one sentence each; secrets hidden. */
  declare readonly problems?: readonly string[]

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.code = code
    this.backend = details.backend ?? 'spi'
    this.effect = details.effect ?? EFFECT_OF[code]
    this.retriable = details.retriable ?? (this.effect === 'none' && RETRIABLE.has(code))
    if (details.key !== undefined) this.key = details.key
    if (details.current !== undefined) this.current = details.current
    if (details.index !== undefined) this.index = details.index
    if (details.problems !== undefined) this.problems = details.problems
  }

  get [BRAND](): true {
    return true
  }
}

/**
 * Whether `error` is a CoordinationError, and of this code if one is given. Goes by a brand, so it also knows the
 * errors of another copy of this package.
 */
export function isCoordinationError<C extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: C,
): error is CoordinationError & { readonly code: C } {
  if (typeof error !== 'object' || error === null) return false
  const branded = error as { readonly [BRAND]?: unknown; readonly code?: unknown }
  return branded[BRAND] === true && (code === undefined || branded.code === code)
}
