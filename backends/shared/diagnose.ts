/** Why a transaction was refused: which of its operations fails on what was found, and with what. */
import type { Entry } from '../../spi/index.ts'
import type { BytesOp, OpFailure } from './fold.ts'

export interface Diagnosis {
  readonly code: OpFailure
  readonly index: number
  /** What stands in the way, if it was there before the transaction. */
  readonly current: Entry | undefined
}

/** The value of a key after the operations so far. */
type Held = Entry | 'written' | undefined

/**
 * The first operation that fails, one after another on what was found; undefined: none does.
 * @param found of every key, undefined or missing: absent.
 */
export function diagnose(
  operations: readonly BytesOp[],
  found: ReadonlyMap<string, Entry | undefined>,
): Diagnosis | undefined {
  const held = new Map<string, Held>(found)
  for (const [index, operation] of operations.entries()) {
    const before = held.get(operation.key)
    const code = failureOf(operation, before)
    if (code !== undefined) return { code, index, current: before === 'written' ? undefined : before }
    if (operation.op === 'delete') held.set(operation.key, undefined)
    else if (operation.op !== 'check') held.set(operation.key, 'written')
  }
  return undefined
}

function failureOf(operation: BytesOp, held: Held): OpFailure | undefined {
  const version = held === undefined || held === 'written' ? undefined : held.version
  switch (operation.op) {
    case 'check':
      if (operation.version === null) return held === undefined ? undefined : 'VERSION_MISMATCH'
      return operation.version === version ? undefined : 'VERSION_MISMATCH'
    case 'put':
      return held === undefined ? undefined : 'KEY_EXISTS'
    case 'update':
      if (held === undefined) return 'KEY_NOT_FOUND'
      return operation.ifVersion === undefined || operation.ifVersion === version ? undefined : 'VERSION_MISMATCH'
    case 'delete':
      if (held === undefined || operation.ifVersion === undefined) return undefined
      return operation.ifVersion === version ? undefined : 'VERSION_MISMATCH'
  }
}
