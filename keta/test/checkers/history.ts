/**
 * The record of a run against a cluster: what clients asked and were told, and when; what watchers were sent. One JSON
 * object a line. Keys and values are text in which one character is one byte, so that keys sort as the server sorts.
 */

/** All times of a history are readings of one clock, in any one unit (nanoseconds fit). */
export interface Call {
  /** One client that does one thing after another. After an unknown outcome it goes on under a new number. */
  readonly process: number
  /** The member that was asked. */
  readonly endpoint: string
  readonly invoke: number
  /** Infinity if it never returned. Of an unknown outcome without meaning: it may take effect at any later time. */
  readonly return: number
}

/** `fail` only if it certainly has not happened and never will; whatever else is not `ok` is `info`: unknown. */
export type Outcome<Answer> =
  | { readonly outcome: 'ok'; readonly answer: Answer }
  | { readonly outcome: 'fail' | 'info'; readonly error?: string }

/** A request of the KV service. */
export type KvOperation = Call & { readonly kind: 'kv'; readonly request: Request } & Outcome<KvAnswer>

export type Request = RangeRequest | PutRequest | DeleteRequest | TxnRequest | CompactRequest

/** Keys from `key` on and before `rangeEnd`; without it one key; '\0' as its end: all from there on. */
export interface KeyRange {
  readonly key: string
  readonly rangeEnd?: string
}

export interface RangeRequest extends KeyRange {
  readonly f: 'range'
  /** 0 or absent: now. */
  readonly revision?: number
  readonly limit?: number
  readonly countOnly?: boolean
  /** May be answered from what the member knows: not held to real time. */
  readonly serializable?: boolean
}

export interface PutRequest {
  readonly f: 'put'
  readonly key: string
  readonly value: string
  readonly lease?: string
  readonly prevKv?: boolean
}

export interface DeleteRequest extends KeyRange {
  readonly f: 'delete'
  readonly prevKv?: boolean
}

export interface TxnRequest {
  readonly f: 'txn'
  readonly compare: readonly Compare[]
  readonly success: readonly Request[]
  readonly failure: readonly Request[]
}

/** Its answer tells the current revision. Watches that begin before `revision` may be cancelled from now on. */
export interface CompactRequest {
  readonly f: 'compact'
  readonly revision: number
}

export interface Compare extends KeyRange {
  readonly target: 'mod' | 'create' | 'version' | 'value'
  readonly result: '=' | '!=' | '<' | '>'
  /** A number for all targets but `value`. */
  readonly to: number | string
}

export interface KvAnswer {
  /** The header's. */
  readonly revision: number
  readonly result: Result
}

export type Result =
  | { readonly f: 'range'; readonly kvs: readonly KeyValue[]; readonly count: number; readonly more?: boolean }
  | { readonly f: 'put'; readonly prevKv?: KeyValue }
  | { readonly f: 'delete'; readonly deleted: number; readonly prevKvs?: readonly KeyValue[] }
  | { readonly f: 'txn'; readonly succeeded: boolean; readonly results: readonly Result[] }
  | { readonly f: 'compact' }

export interface KeyValue {
  readonly key: string
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  /** Absent: none. */
  readonly lease?: string
}

/** One key as a register. A value of null: absent. `registersOf` makes these of plain KV operations. */
export type RegisterOperation = Call & { readonly kind: 'register'; readonly key: string } & RegisterCall

export type RegisterCall =
  | ({ readonly f: 'read' } & Outcome<RegisterState & { readonly revision: number }>)
  /** A value of null deletes. */
  | ({ readonly f: 'write'; readonly value: string | null } & Outcome<{ readonly revision: number }>)
  | ({ readonly f: 'cas'; readonly expect: Expectation; readonly value: string | null } & Outcome<CasAnswer>)

export interface RegisterState {
  readonly value: string | null
  /** 0 if absent. */
  readonly modRevision: number
}

export type Expectation = { readonly modRevision: number } | { readonly value: string }

export interface CasAnswer {
  readonly succeeded: boolean
  readonly revision: number
  /** What a refused one was shown instead. */
  readonly observed?: RegisterState
}

/** A set with this name. Elements are added once. */
export type SetOperation = Call & { readonly kind: 'set'; readonly set: string } & SetCall

export type SetCall =
  | ({ readonly f: 'add'; readonly element: number } & Outcome<{ readonly revision: number }>)
  | ({ readonly f: 'read' } & Outcome<{ readonly revision: number; readonly elements: readonly number[] }>)

/** A transaction over lists. Nothing is appended twice to a list. Its revision: of the header of what committed it. */
export type AppendOperation = Call & { readonly kind: 'append'; readonly steps: readonly Step[] } & Outcome<{
    readonly revision: number
    /** Of its reads, in their order. */
    readonly reads: readonly (readonly number[])[]
  }>

export type Step =
  | { readonly f: 'append'; readonly key: string; readonly element: number }
  | { readonly f: 'read'; readonly key: string }

/** One watch on one connection, from its creation to its end. A watcher that reconnects goes on in another one. */
export interface WatchSession extends KeyRange {
  readonly kind: 'watch'
  /** The same in all sessions of one watcher. */
  readonly watcher: string
  readonly endpoint: string
  /** As asked; 0: from the revision after that of the answer `created`. */
  readonly startRevision: number
  readonly prevKv?: boolean
  readonly noPut?: boolean
  readonly noDelete?: boolean
  /** In the order of arrival; those to the whole stream (progress) are in each of its sessions. */
  readonly responses: readonly WatchResponse[]
}

export interface WatchResponse {
  readonly at: number
  /** The header's. */
  readonly revision: number
  readonly created?: boolean
  /** It promises that all up to its revision has been sent. */
  readonly progress?: boolean
  readonly canceled?: boolean
  /** Of `canceled`: the watch was behind this one. */
  readonly compactRevision?: number
  /** The next answer goes on with the events of the same revision. */
  readonly fragment?: boolean
  readonly events: readonly WatchEvent[]
}

/** A `delete` has only `key`, `modRevision` and perhaps `prevKv`. */
export interface WatchEvent extends Partial<KeyValue> {
  readonly type: 'put' | 'delete'
  readonly key: string
  readonly modRevision: number
  readonly prevKv?: KeyValue
}

export type HistoryRecord = KvOperation | RegisterOperation | SetOperation | AppendOperation | WatchSession
export type History = readonly HistoryRecord[]
export type Operation = Exclude<HistoryRecord, WatchSession>

const KINDS: ReadonlySet<unknown> = new Set<HistoryRecord['kind']>(['kv', 'register', 'set', 'append', 'watch'])

/** A line of a history that is none. */
export class HistoryFormatError extends Error {
  readonly code = 'HISTORY_FORMAT'
  readonly line: number

  constructor(line: number, reason: string, options?: ErrorOptions) {
    super(`line ${line} of the history ${reason}`, options)
    this.name = 'HistoryFormatError'
    this.line = line
  }
}

/** A line, with its end. (Infinity becomes null, the only number that does.) */
export function recordToLine(record: HistoryRecord): string {
  return `${JSON.stringify(record)}\n`
}

export function historyToText(history: History): string {
  return history.map(recordToLine).join('')
}

/** @throws HistoryFormatError for a line that is no record; what is inside a record is not checked. */
export function historyFromText(text: string): History {
  return text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [recordFromLine(line, index + 1)]))
}

function recordFromLine(line: string, number: number): HistoryRecord {
  let parsed: unknown
  try {
    parsed = JSON.parse(line, (name, value: unknown) => (name === 'return' && value === null ? Infinity : value))
  } catch (error) {
    throw new HistoryFormatError(number, 'is not JSON', { cause: error })
  }
  if (typeof parsed !== 'object' || parsed === null || !('kind' in parsed) || !KINDS.has(parsed.kind)) {
    throw new HistoryFormatError(number, 'is of no known kind')
  }
  return parsed as HistoryRecord
}
