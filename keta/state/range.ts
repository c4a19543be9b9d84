/**
 * Executes a Range operation: filters, sorts and cuts in the order in which etcd does (server/etcdserver/txn/txn.go),
 * for clients see the difference.
 */
import { goSort } from '../bytes/go-sort.ts'
import { rangeOf } from '../bytes/key.ts'
import {
  type RangeOperation,
  SORT_ASCEND,
  SORT_DESCEND,
  SORT_NONE,
  TARGET_CREATE,
  TARGET_KEY,
  TARGET_MOD,
  TARGET_VALUE,
  TARGET_VERSION,
} from '../command/operations.ts'
import type { ReadView, Version } from '../mvcc/kv.ts'

export interface RangeAnswer {
  /** In the order of the answer. */
  readonly kvs: Version[]
  /** Versions were left out because of the limit. */
  readonly more: boolean
  /** Keys alive in the range, before filters and limit. */
  readonly count: number
}

/** @param atRevision a readable revision of `view`; the operation's own revision field is not looked at. */
export function executeRange(view: ReadView, operation: RangeOperation, atRevision: number): RangeAnswer {
  const range = rangeOf(operation.key, operation.rangeEnd)
  const { versions, count } = view.range(range, atRevision, fetchLimit(operation), operation.countOnly)
  let kvs = filter(versions, operation)
  sort(kvs, operation)
  const more = operation.limit > 0 && kvs.length > operation.limit
  if (more) kvs = kvs.slice(0, operation.limit)
  return { kvs, more, count }
}

/**
 * How many versions to fetch: all if they are to be filtered or sorted first, else one more than wanted, to know
 * whether there are more. Sorting that was not asked for by a sort order does not count: a sort target alone sorts
 * ascending what the limit has left of the key order, which looks like a mistake but is what etcd answers.
 */
function fetchLimit(operation: RangeOperation): number {
  if (operation.sortOrder !== SORT_NONE || hasFilter(operation) || operation.limit <= 0) return 0
  return operation.limit + 1
}

function hasFilter({ minModRevision, maxModRevision, minCreateRevision, maxCreateRevision }: RangeOperation): boolean {
  return minModRevision !== 0 || maxModRevision !== 0 || minCreateRevision !== 0 || maxCreateRevision !== 0
}

/** Bounds are inclusive, 0 is no bound. A copy, since it will be sorted in place. */
function filter(versions: readonly Version[], operation: RangeOperation): Version[] {
  if (!hasFilter(operation)) return versions.slice()
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = operation
  return versions.filter(
    ({ modRevision, createRevision }) =>
      (maxModRevision === 0 || modRevision <= maxModRevision) &&
      (minModRevision === 0 || modRevision >= minModRevision) &&
      (maxCreateRevision === 0 || createRevision <= maxCreateRevision) &&
      (minCreateRevision === 0 || createRevision >= minCreateRevision),
  )
}

function sort(kvs: Version[], { sortOrder, sortTarget }: RangeOperation): void {
  // In key order they are already.
  if (sortTarget === TARGET_KEY && sortOrder !== SORT_DESCEND) return
  const less = lessBy(sortTarget)
  if (sortOrder === SORT_DESCEND) goSort(kvs, (a, b) => less(b, a))
  else if (sortOrder === SORT_ASCEND || sortOrder === SORT_NONE) goSort(kvs, less)
}

function lessBy(sortTarget: number): (a: Version, b: Version) => boolean {
  switch (sortTarget) {
    case TARGET_KEY:
      return (a, b) => a.key < b.key
    case TARGET_VERSION:
      return (a, b) => a.version < b.version
    case TARGET_CREATE:
      return (a, b) => a.createRevision < b.createRevision
    case TARGET_MOD:
      return (a, b) => a.modRevision < b.modRevision
    case TARGET_VALUE:
      return lessByValue()
    default:
      throw new Error(`sort target ${sortTarget} should have been refused`)
  }
}

/** A value is cut out of its encoding once, not at each comparison. */
function lessByValue(): (a: Version, b: Version) => boolean {
  const values = new Map<Version, Uint8Array>()
  const valueOf = (version: Version): Uint8Array => {
    let value = values.get(version)
    if (value === undefined) {
      value = version.value()
      values.set(version, value)
    }
    return value
  }
  return (a, b) => Buffer.compare(valueOf(a), valueOf(b)) < 0
}
