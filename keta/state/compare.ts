/** Evaluates the comparisons of a transaction, as etcd's applyCompare does (server/etcdserver/txn/txn.go). */
import { EMPTY_KEY, rangeOf } from '../bytes/key.ts'
import {
  COMPARE_CREATE,
  COMPARE_EQUAL,
  COMPARE_GREATER,
  COMPARE_LEASE,
  COMPARE_LESS,
  COMPARE_MOD,
  COMPARE_NOT_EQUAL,
  COMPARE_VALUE,
  COMPARE_VERSION,
  type Compare,
  type CompareOperand,
} from '../command/operations.ts'
import type { ReadView, Version } from '../mvcc/kv.ts'

const EMPTY_BYTES = new Uint8Array(0)

/**
 * Whether the comparison holds for every key of its range. If there is none, it is made once against a key-value of
 * zeros, except that a comparison of VALUE never holds there: a missing value cannot be told from an empty one.
 */
export function holds(view: ReadView, compare: Compare): boolean {
  const versions = comparedVersions(view, compare)
  if (versions.length === 0) return compare.target !== COMPARE_VALUE && holdsFor(undefined, compare)
  return versions.every((version) => holdsFor(version, compare))
}

function comparedVersions(view: ReadView, compare: Compare): readonly Version[] {
  if (compare.rangeEnd !== EMPTY_KEY) {
    return view.range(rangeOf(compare.key, compare.rangeEnd), view.revision, 0).versions
  }
  const version = view.get(compare.key, view.revision)
  return version === undefined ? [] : [version]
}

function holdsFor(version: Version | undefined, { result, target, operand }: Compare): boolean {
  const order = orderOf(version, target, operand)
  switch (result) {
    case COMPARE_EQUAL:
      return order === 0
    case COMPARE_NOT_EQUAL:
      return order !== 0
    case COMPARE_GREATER:
      return order > 0
    case COMPARE_LESS:
      return order < 0
    default:
      // etcd takes a result that it does not know as satisfied.
      return true
  }
}

/** Negative, 0, positive: the version's field is below, equal to, above the operand. An unknown target is equal. */
function orderOf(version: Version | undefined, target: number, operand: CompareOperand): number {
  switch (target) {
    case COMPARE_VERSION:
      return (version?.version ?? 0) - numberIn(operand, 'version')
    case COMPARE_CREATE:
      return (version?.createRevision ?? 0) - numberIn(operand, 'createRevision')
    case COMPARE_MOD:
      return (version?.modRevision ?? 0) - numberIn(operand, 'modRevision')
    case COMPARE_VALUE:
      return Buffer.compare(version?.value() ?? EMPTY_BYTES, operand?.field === 'value' ? operand.value : EMPTY_BYTES)
    case COMPARE_LEASE:
      return orderOfLeases(version?.lease ?? 0n, operand?.field === 'lease' ? operand.lease : 0n)
    default:
      return 0
  }
}

/** An operand of another field than the target's counts as zero. */
function numberIn(operand: CompareOperand, field: 'version' | 'createRevision' | 'modRevision'): number {
  return operand?.field === field ? operand.number : 0
}

function orderOfLeases(a: bigint, b: bigint): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
