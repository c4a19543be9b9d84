/**
 * The path of a transaction: which branches it and those nested in it take, fixed on the state before any of it runs,
 * and whether everything on it can be done.
 */
import { type Key, rangeOf } from '../bytes/key.ts'
import type { FailureCode } from '../command/failure.ts'
import type {
  DeleteRangeOperation,
  PutOperation,
  RangeOperation,
  RequestOperation,
  TxnOperation,
} from '../command/operations.ts'
import type { Lessor } from '../lease/lessor.ts'
import type { ReadView } from '../mvcc/kv.ts'
import { holds } from './compare.ts'
import { RangeSet } from './range-set.ts'
import { lacksCurrent, lacksLease, needsCurrent } from './writes.ts'

export interface TxnPath {
  readonly succeeded: boolean
  readonly steps: readonly TxnStep[]
}

/** An operation of the branch that is taken; a nested transaction is replaced by its own path. */
export type TxnStep = Exclude<RequestOperation, TxnOperation> | { readonly kind: 'path'; readonly path: TxnPath }

/** Evaluates all comparisons, those of nested transactions on the branches taken too, on `view`. */
export function resolvePath(view: ReadView, operation: TxnOperation): TxnPath {
  const succeeded = operation.compare.every((compare) => holds(view, compare))
  const taken = succeeded ? operation.success : operation.failure
  const steps = taken.map((step): TxnStep => {
    return step?.kind === 'txn' ? { kind: 'path', path: resolvePath(view, step) } : step
  })
  return { succeeded, steps }
}

/** The first reason, in execution order, why the path cannot be executed on the state that `view` shows. */
export function checkPath(view: ReadView, leases: Lessor, path: TxnPath): FailureCode | undefined {
  return new PathCheck(view, leases).check(path)
}

/** Unlike a plain Range, one in a transaction takes a negative revision literally here, and only later as "now". */
export function checkRevisionInTxn(view: ReadView, { revision }: RangeOperation): FailureCode | undefined {
  if (revision === 0) return undefined
  if (revision > view.revision) return 'FUTURE_REVISION'
  return revision < view.compactRevision ? 'COMPACTED' : undefined
}

class PathCheck {
  readonly #view: ReadView
  readonly #leases: Lessor
  /** What the path deletes before the step in hand; moved into the set when a step asks. */
  readonly #deletes: DeleteRangeOperation[] = []
  readonly #deleted = new RangeSet()

  constructor(view: ReadView, leases: Lessor) {
    this.#view = view
    this.#leases = leases
  }

  check(path: TxnPath): FailureCode | undefined {
    for (const step of path.steps) {
      const failure = this.#checkStep(step)
      if (failure !== undefined) return failure
    }
    return undefined
  }

  #checkStep(step: TxnStep): FailureCode | undefined {
    switch (step?.kind) {
      case 'range':
        return checkRevisionInTxn(this.#view, step)
      case 'put':
        return this.#checkPut(step)
      case 'deleteRange':
        this.#deletes.push(step)
        return undefined
      case 'path':
        return this.check(step.path)
      case undefined:
        return 'KEY_NOT_FOUND'
    }
  }

  #checkPut(operation: PutOperation): FailureCode | undefined {
    if (lacksCurrent(this.#view, operation)) return 'KEY_NOT_FOUND'
    // etcd looks only at the state before: a put with ignore_value after a delete of everything "from the key on",
    // which its static checks let pass, makes it panic while it applies, and again at every restart.
    if (needsCurrent(operation) && this.#isDeleted(operation.key)) return 'KEY_NOT_FOUND'
    return lacksLease(this.#leases, operation) ? 'LEASE_NOT_FOUND' : undefined
  }

  #isDeleted(key: Key): boolean {
    for (const { key: start, rangeEnd } of this.#deletes.splice(0)) this.#deleted.add(rangeOf(start, rangeEnd))
    return this.#deleted.has(key)
  }
}
