/**
 * Finds keys that a transaction would change in two ways in one run: put twice, or put and deleted (etcd's
 * checkIntervals in api/v3rpc/key.go).
 *
 * The rules, per list of operations: its own deletes forbid puts of the same keys in its nested transactions and in
 * itself; what a nested transaction deletes (in either branch) forbids puts in later nested ones and in the list
 * itself, but not in earlier ones. The two branches of one transaction never both run, so they may name the same keys.
 * As in etcd a delete whose range_end is not above its key, and so also one with the from-key end "\0", overlaps
 * nothing.
 */
import { EMPTY_KEY, type Key } from '../bytes/key.ts'
import type { DeleteRangeOperation, RequestOperation, TxnOperation } from '../command/operations.ts'
import { RangeSet } from './range-set.ts'

export function hasKeyOverlaps(operation: TxnOperation): boolean {
  return keysOf(operation.success) === OVERLAP || keysOf(operation.failure) === OVERLAP
}

const OVERLAP = Symbol('a key is changed twice')

interface ChangedKeys {
  readonly puts: Set<Key>
  readonly deletes: DeletedKeys
}

function keysOf(operations: readonly RequestOperation[]): ChangedKeys | typeof OVERLAP {
  let puts = new Set<Key>()
  const deletes = new DeletedKeys()
  for (const operation of operations) {
    if (operation?.kind === 'deleteRange') deletes.add(operation)
  }
  for (const operation of operations) {
    if (operation?.kind !== 'txn') continue
    const then = keysOf(operation.success)
    const otherwise = keysOf(operation.failure)
    if (then === OVERLAP || otherwise === OVERLAP) return OVERLAP
    if (collide(then.puts, puts, deletes) || collide(otherwise.puts, puts, deletes)) return OVERLAP
    puts = union(union(puts, then.puts), otherwise.puts)
    deletes.addAll(then.deletes)
    deletes.addAll(otherwise.deletes)
  }
  for (const operation of operations) {
    if (operation?.kind !== 'put') continue
    if (puts.has(operation.key) || deletes.has(operation.key)) return OVERLAP
    puts.add(operation.key)
  }
  return { puts, deletes }
}

function collide(nested: ReadonlySet<Key>, puts: ReadonlySet<Key>, deletes: DeletedKeys): boolean {
  if (puts.size === 0 && deletes.isEmpty) return false
  for (const key of nested) {
    if (puts.has(key) || deletes.has(key)) return true
  }
  return false
}

/** Both sets are given up: the smaller goes into the larger, so that deep nesting does not copy keys once per level. */
function union(a: Set<Key>, b: Set<Key>): Set<Key> {
  const [smaller, larger] = a.size < b.size ? [a, b] : [b, a]
  for (const key of smaller) larger.add(key)
  return larger
}

/** Single keys, by far the most, are held apart from ranges. */
class DeletedKeys {
  #keys = new Set<Key>()
  readonly #ranges = new RangeSet()

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#ranges.isEmpty
  }

  add(operation: DeleteRangeOperation): void {
    if (operation.rangeEnd === EMPTY_KEY) this.#keys.add(operation.key)
    else this.#ranges.add({ start: operation.key, end: operation.rangeEnd })
  }

  /** `other` is given up. */
  addAll(other: DeletedKeys): void {
    this.#keys = union(this.#keys, other.#keys)
    this.#ranges.addAll(other.#ranges)
  }

  has(key: Key): boolean {
    return this.#keys.has(key) || this.#ranges.has(key)
  }
}
