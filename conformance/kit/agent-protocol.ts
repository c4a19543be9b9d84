/**
 * What the suite and its agents say to each other, over the channel of a forked process. Its serialization carries
 * bytes, bigint, Map and Set, but an error arrives as a bare Error and an entry without its text: both are put into
 * words here.
 */
import { CoordinationError, type Entry, type ErrorCode, isCoordinationError, makeEntry } from '../../spi/index.ts'
import type { RemoteEvent } from './party.ts'

export interface Start {
  readonly is: 'start'
  readonly serverProperties: string
  /** The group and the service of the case, for calls that name none. */
  readonly group: string
  readonly service: string
}

/** Which of the plugin's services a call is for. */
export type Target = { readonly of: 'storage' } | { readonly of: 'group' | 'election'; readonly name?: string }

export type Order =
  | Start
  | { readonly is: 'call'; readonly target: Target; readonly method: string; readonly args: readonly unknown[] }
  | { readonly is: 'run'; readonly routine: string; readonly args: unknown }
  | { readonly is: 'busy'; readonly ms: number }
  /** Shut down, and let the process end by itself. */
  /** Milliseconds; after most of them it says what keeps it. */
  | { readonly is: 'end'; readonly withinMs: number }

/** To the agent. */
export interface Request {
  readonly id: number
  readonly order: Order
}

/** From the agent; in the order in which it happened there. */
export type Message =
  | { readonly is: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly is: 'failure'; readonly id: number; readonly error: WireError }
  | { readonly is: 'event'; readonly event: RemoteEvent }

export interface WireError {
  readonly name: string
  readonly message: string
  readonly stack: string
  /** Of a CoordinationError. */
  readonly coordination?: {
    readonly code: ErrorCode
    readonly backend: string
    readonly effect: 'none' | 'unknown'
    readonly retriable: boolean
    readonly key?: string
    readonly index?: number
    readonly problems?: readonly string[]
    readonly current?: WireEntry
  }
  readonly cause?: WireError
}

interface WireEntry {
  readonly wire: 'entry'
  readonly key: string
  readonly bytes: Uint8Array
  readonly version: Entry['version']
}

/** Of a chain of causes. */
const MAX_CAUSES = 5

export function packError(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: '' }
  const { name, message, stack = '' } = error
  const cause = error.cause === undefined || depth >= MAX_CAUSES ? {} : { cause: packError(error.cause, depth + 1) }
  if (!isCoordinationError(error)) return { name, message, stack, ...cause }
  const { code, backend, effect, retriable, key, index, problems, current } = error
  const coordination = {
    ...{ code, backend, effect, retriable },
    ...(key !== undefined && { key }),
    ...(index !== undefined && { index }),
    ...(problems !== undefined && { problems }),
    ...(current !== undefined && { current: packEntry(current) }),
  }
  return { name, message, stack, coordination, ...cause }
}

export function unpackError({ name, message, stack, coordination, cause }: WireError): Error {
  const options = cause === undefined ? {} : { cause: unpackError(cause) }
  if (coordination === undefined) {
    const error = new Error(message, options)
    // an assertion that fails in a routine is an assertion that fails
    Object.defineProperty(error, 'name', { value: name })
    error.stack = stack
    return error
  }
  const { code, current, ...details } = coordination
  const error = new CoordinationError(code, message, {
    ...details,
    ...options,
    ...(current !== undefined && { current: unpackEntry(current) }),
  })
  error.stack = stack
  return error
}

/** A result of one of the plugin's methods. */
export function packValue(value: unknown): unknown {
  return isEntry(value) ? packEntry(value) : value
}

export function unpackValue(value: unknown): unknown {
  return isWireEntry(value) ? unpackEntry(value) : value
}

function packEntry({ key, bytes, version }: Entry): WireEntry {
  return { wire: 'entry', key, bytes, version }
}

function unpackEntry({ key, bytes, version }: WireEntry): Entry {
  return makeEntry(key, bytes, version)
}

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && 'key' in value && 'bytes' in value && 'version' in value
}

function isWireEntry(value: unknown): value is WireEntry {
  return typeof value === 'object' && value !== null && 'wire' in value && value.wire === 'entry'
}
