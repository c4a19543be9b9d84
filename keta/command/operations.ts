/**
 * The key-value operations of etcd's API in the core's own vocabulary: what the wire decoder produces
 * and the state machine executes. Revisions, versions and limits are numbers (exact to 2^53; anything
 * beyond compares as "far away", which is all that is asked of it); lease ids are bigints (all 64 bits matter).
 * Enum fields keep the number that stood on the wire, because etcd defines what unknown numbers do.
 */
import type { Key } from '../bytes/key.ts'

export const SORT_NONE = 0
export const SORT_ASCEND = 1
export const SORT_DESCEND = 2

export const TARGET_KEY = 0
export const TARGET_VERSION = 1
export const TARGET_CREATE = 2
export const TARGET_MOD = 3
export const TARGET_VALUE = 4

export interface RangeOperation {
  readonly kind: 'range'
  readonly key: Key
  readonly rangeEnd: Key
  readonly limit: number
  readonly revision: number
  readonly sortOrder: number
  readonly sortTarget: number
  readonly serializable: boolean
  readonly keysOnly: boolean
  readonly countOnly: boolean
  readonly minModRevision: number
  readonly maxModRevision: number
  readonly minCreateRevision: number
  readonly maxCreateRevision: number
}

export interface PutOperation {
  readonly kind: 'put'
  readonly key: Key
  readonly value: Uint8Array
  readonly lease: bigint
  readonly prevKv: boolean
  readonly ignoreValue: boolean
  readonly ignoreLease: boolean
}

export interface DeleteRangeOperation {
  readonly kind: 'deleteRange'
  readonly key: Key
  readonly rangeEnd: Key
  readonly prevKv: boolean
}

export const COMPARE_EQUAL = 0
export const COMPARE_GREATER = 1
export const COMPARE_LESS = 2
export const COMPARE_NOT_EQUAL = 3

export const COMPARE_VERSION = 0
export const COMPARE_CREATE = 1
export const COMPARE_MOD = 2
export const COMPARE_VALUE = 3
export const COMPARE_LEASE = 4

/** The operand of a comparison: at most one of the message's target_union fields, as it stood on the wire. */
export type CompareOperand =
  | { readonly field: 'version' | 'createRevision' | 'modRevision'; readonly number: number }
  | { readonly field: 'value'; readonly value: Uint8Array }
  | { readonly field: 'lease'; readonly lease: bigint }
  | undefined

export interface Compare {
  readonly result: number
  readonly target: number
  readonly key: Key
  readonly rangeEnd: Key
  readonly operand: CompareOperand
}

export interface TxnOperation {
  readonly kind: 'txn'
  readonly compare: readonly Compare[]
  readonly success: readonly RequestOperation[]
  readonly failure: readonly RequestOperation[]
}

/** An operation inside a Txn; `undefined` is a RequestOp whose union is not set (refused by the static checks). */
export type RequestOperation = RangeOperation | PutOperation | DeleteRangeOperation | TxnOperation | undefined

export interface CompactOperation {
  readonly kind: 'compact'
  readonly revision: number
  readonly physical: boolean
}
