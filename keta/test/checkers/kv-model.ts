/** What a request to the KV service must answer and change in a given state: the rules of etcd, as values. */
import type {
  Compare,
  DeleteRequest,
  KeyRange,
  KeyValue,
  PutRequest,
  RangeRequest,
  Request,
  Result,
} from './history.ts'
import { type Change, isInRange, nextVersion, type Timeline, type View } from './timeline.ts'

export interface Evaluation {
  readonly result: Result
  /** In the order of the request. None: the revision does not go up. */
  readonly changes: readonly Change[]
}

/** @param base the revision of the state in which it is executed; changes are those of `base + 1`. */
export function evaluate(store: Pick<Timeline, 'at'>, request: Request, base: number): Evaluation {
  const state = new Overlay(store.at(base), base + 1)
  return { result: execute(store, state, request), changes: state.changes }
}

/** Whether by its answer it changed something. */
export function hasWritten(result: Result): boolean {
  switch (result.f) {
    case 'put':
      return true
    case 'delete':
      return result.deleted > 0
    case 'txn':
      return result.results.some(hasWritten)
    default:
      return false
  }
}

/** Whether it only reads, whatever the state. */
export function isReadOnly(request: Request): boolean {
  if (request.f === 'txn') return request.success.every(isReadOnly) && request.failure.every(isReadOnly)
  return request.f === 'range' || request.f === 'compact'
}

/** Whether it was asked for what a member knows, which may be old. */
export function isSerializable(request: Request): boolean {
  const leaves = leavesOf(request)
  return leaves.length > 0 && leaves.every((leaf) => leaf.f === 'range' && leaf.serializable === true)
}

/** All ranges of keys that it may look at or change. */
export function rangesOf(request: Request): readonly KeyRange[] {
  if (request.f === 'compact') return []
  if (request.f !== 'txn') return [request]
  return [...request.compare, ...request.success.flatMap(rangesOf), ...request.failure.flatMap(rangesOf)]
}

/** All requests of which it consists, in both branches. */
export function leavesOf(request: Request): readonly Request[] {
  return request.f === 'txn' ? request.success.concat(request.failure).flatMap(leavesOf) : [request]
}

/** Equal iff the results say the same. */
export function canonicalResult(result: Result): string {
  switch (result.f) {
    case 'range':
      return `range ${result.count} ${result.more ?? false} ${result.kvs.map(canonicalKv).join()}`
    case 'put':
      return `put ${result.prevKv === undefined ? '' : canonicalKv(result.prevKv)}`
    case 'delete':
      return `delete ${result.deleted} ${(result.prevKvs ?? []).map(canonicalKv).join()}`
    case 'txn':
      return `txn ${result.succeeded} [${result.results.map(canonicalResult).join('; ')}]`
    case 'compact':
      return 'compact'
  }
}

export function canonicalKv({ key, value, createRevision, modRevision, version, lease }: KeyValue): string {
  return JSON.stringify([key, value, createRevision, modRevision, version, lease ?? ''])
}

/** Equal iff the changes are, in whatever order. */
export function canonicalChanges(changes: readonly Change[]): string {
  return changes.map(canonicalChange).sort().join()
}

export function canonicalChange(change: Change): string {
  return JSON.stringify([change.key, change.type, ...(change.type === 'put' ? [change.value, change.lease ?? ''] : [])])
}

function execute(store: Pick<Timeline, 'at'>, state: Overlay, request: Request): Result {
  switch (request.f) {
    case 'range':
      return range(request.revision ? store.at(request.revision) : state, request)
    case 'put':
      return put(state, request)
    case 'delete':
      return remove(state, request)
    case 'compact':
      return { f: 'compact' }
    case 'txn': {
      const succeeded = request.compare.every((compare) => holds(state.before, compare))
      const branch = succeeded ? request.success : request.failure
      return { f: 'txn', succeeded, results: branch.map((one) => execute(store, state, one)) }
    }
  }
}

function range(view: View, { key, rangeEnd, limit = 0, countOnly = false }: RangeRequest): Result {
  const all = view.range(rangeEnd === undefined ? { key } : { key, rangeEnd })
  if (countOnly) return { f: 'range', kvs: [], count: all.length }
  const more = limit > 0 && all.length > limit
  return { f: 'range', kvs: more ? all.slice(0, limit) : all, count: all.length, ...(more ? { more } : {}) }
}

function put(state: Overlay, { key, value, lease, prevKv }: PutRequest): Result {
  const before = state.get(key)
  state.change({ type: 'put', key, value, ...(lease === undefined ? {} : { lease }) })
  return { f: 'put', ...(prevKv && before !== undefined ? { prevKv: before } : {}) }
}

function remove(state: Overlay, request: DeleteRequest): Result {
  const found = state.range(request)
  for (const { key } of found) state.change({ type: 'delete', key })
  return { f: 'delete', deleted: found.length, ...(request.prevKv ? { prevKvs: found } : {}) }
}

/** A range holds if all its keys do; without any, the key that is not there is compared. */
function holds(state: View, compare: Compare): boolean {
  const found = state.range(compare)
  return found.length === 0 ? matches(undefined, compare) : found.every((kv) => matches(kv, compare))
}

function matches(kv: KeyValue | undefined, { target, result, to }: Compare): boolean {
  if (target === 'value' && kv === undefined) return false
  const actual = targetOf(kv, target)
  switch (result) {
    case '=':
      return actual === to
    case '!=':
      return actual !== to
    case '<':
      return actual < to
    case '>':
      return actual > to
  }
}

function targetOf(kv: KeyValue | undefined, target: Compare['target']): number | string {
  switch (target) {
    case 'mod':
      return kv?.modRevision ?? 0
    case 'create':
      return kv?.createRevision ?? 0
    case 'version':
      return kv?.version ?? 0
    case 'value':
      return kv?.value ?? ''
  }
}

/** A state with the changes of one transaction on top. */
class Overlay implements View {
  readonly changes: Change[] = []
  /** What all conditions are evaluated on, also those of nested transactions. */
  readonly before: View
  readonly #revision: number
  readonly #changed = new Map<string, KeyValue | undefined>()

  constructor(before: View, revision: number) {
    this.before = before
    this.#revision = revision
  }

  get(key: string): KeyValue | undefined {
    return this.#changed.has(key) ? this.#changed.get(key) : this.before.get(key)
  }

  range(range: KeyRange): readonly KeyValue[] {
    const below = this.before.range(range)
    if (this.#changed.size === 0) return below
    const found = below.filter(({ key }) => !this.#changed.has(key))
    for (const [key, kv] of this.#changed) if (kv !== undefined && isInRange(key, range)) found.push(kv)
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  change(change: Change): void {
    const before = this.get(change.key)
    this.#changed.set(change.key, change.type === 'put' ? nextVersion(before, change, this.#revision) : undefined)
    this.changes.push(change)
  }
}
