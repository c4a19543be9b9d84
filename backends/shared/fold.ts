/**
 * Operations that follow each other, as one condition and one change per key: what a store that commits each key once
 * can carry out.
 */
import type { Version } from '../../spi/index.ts'
import type { KeyChange } from './driver.ts'

/** A StorageOp whose data have been checked and are bytes. */
export type BytesOp =
  | { readonly op: 'check'; readonly key: string; readonly version: Version | null }
  | { readonly op: 'put'; readonly key: string; readonly bytes: Uint8Array }
  | {
      readonly op: 'update'
      readonly key: string
      readonly bytes: Uint8Array
      readonly ifVersion?: Version | undefined
    }
  | { readonly op: 'delete'; readonly key: string; readonly ifVersion?: Version | undefined }

export type OpFailure = 'KEY_EXISTS' | 'KEY_NOT_FOUND' | 'VERSION_MISMATCH'

export interface Folded {
  /** Each key once, in the order of their first operations. Keys of which nothing is asked or changed are left out. */
  readonly changes: readonly KeyChange[]
  /**
   * The first operation that fails whatever the store holds, such as the second of two puts of a key. `changes` are
   * then the conditions of the operations before it, and change nothing: if they hold it is this one that fails.
   */
  readonly doomed: { readonly index: number; readonly code: OpFailure } | undefined
}

/** A key after the operations so far. */
interface KeyState {
  readonly expect: KeyChange['expect']
  /** `unchanged`: still what the store holds. */
  readonly become: KeyChange['become']
}

/**
 * @param absent keys that were found absent. A conditional delete wants either its version or no key at all, which no
 * one condition says: of these keys it expects the absence, of all others the version.
 */
export function fold(operations: readonly BytesOp[], absent: ReadonlySet<string> = new Set()): Folded {
  const states = new Map<string, KeyState>()
  for (const [index, operation] of operations.entries()) {
    const before = states.get(operation.key) ?? { expect: 'anything', become: 'unchanged' }
    const after = apply(operation, before, absent.has(operation.key))
    if (typeof after === 'string') return { changes: conditionsOf(states), doomed: { index, code: after } }
    states.set(operation.key, after)
  }
  return { changes: changesOf(states), doomed: undefined }
}

function apply(operation: BytesOp, { expect, become }: KeyState, foundAbsent: boolean): KeyState | OpFailure {
  if (become === 'unchanged') return applyToStored(operation, expect, foundAbsent)
  const present = become !== 'absent'
  switch (operation.op) {
    case 'check':
      return operation.version === null && !present ? { expect, become } : 'VERSION_MISMATCH'
    case 'put':
      return present ? 'KEY_EXISTS' : { expect, become: operation.bytes }
    case 'update':
      if (!present) return 'KEY_NOT_FOUND'
      // nobody can know the version of what is only being written
      return operation.ifVersion === undefined ? { expect, become: operation.bytes } : 'VERSION_MISMATCH'
    case 'delete':
      return present && operation.ifVersion !== undefined ? 'VERSION_MISMATCH' : { expect, become: 'absent' }
  }
}

/** To what the store holds, of which earlier checks may have said something. */
function applyToStored(operation: BytesOp, expect: KeyChange['expect'], foundAbsent: boolean): KeyState | OpFailure {
  switch (operation.op) {
    case 'check': {
      const wanted = operation.version ?? 'absent'
      return agree(expect, wanted) ? { expect: wanted, become: 'unchanged' } : 'VERSION_MISMATCH'
    }
    case 'put':
      return agree(expect, 'absent') ? { expect: 'absent', become: operation.bytes } : 'KEY_EXISTS'
    case 'update': {
      if (expect === 'absent') return 'KEY_NOT_FOUND'
      const wanted = operation.ifVersion ?? (expect === 'anything' ? 'present' : expect)
      return agree(expect, wanted) ? { expect: wanted, become: operation.bytes } : 'VERSION_MISMATCH'
    }
    case 'delete': {
      if (operation.ifVersion === undefined || expect === 'absent') return { expect, become: 'absent' }
      if (expect === 'anything' && foundAbsent) return { expect: 'absent', become: 'absent' }
      return agree(expect, operation.ifVersion) ? { expect: operation.ifVersion, become: 'absent' } : 'VERSION_MISMATCH'
    }
  }
}

function agree(expect: KeyChange['expect'], wanted: KeyChange['expect']): boolean {
  return expect === 'anything' || expect === wanted
}

function changesOf(states: ReadonlyMap<string, KeyState>): KeyChange[] {
  return [...states]
    .map(([key, { expect, become }]): KeyChange => {
      // nothing happens to a key that was absent and is to be: nobody is to be notified
      return { key, expect, become: become === 'absent' && expect === 'absent' ? 'unchanged' : become }
    })
    .filter(({ expect, become }) => expect !== 'anything' || become !== 'unchanged')
}

function conditionsOf(states: ReadonlyMap<string, KeyState>): KeyChange[] {
  return changesOf(states)
    .map((change): KeyChange => ({ ...change, become: 'unchanged' }))
    .filter(({ expect }) => expect !== 'anything')
}
