/**
 * Revisions that no acknowledged write explains: each must be the whole effect of a write of unknown outcome, once,
 * that had been invoked by then, or the end of a lease. What else it is, is an anomaly.
 */
import { type Anomaly, anomaly } from './anomaly.ts'
import type { ClaimedOrder } from './claimed-order.ts'
import type { History, KvOperation, Request } from './history.ts'
import { canonicalChange, canonicalChanges, evaluate, isReadOnly, leavesOf } from './kv-model.ts'
import { latestSeen } from './real-time.ts'
import { type Change, isInRange } from './timeline.ts'

interface Candidate {
  readonly operation: KvOperation
  /** It was invoked when this revision had been seen: its own is later. */
  readonly after: number
}

/** Operations by what they could do to a key. */
type Index = ReadonlyMap<string, readonly Candidate[]>

export function unclaimed(
  operations: readonly KvOperation[],
  order: ClaimedOrder,
  claimed: ReadonlySet<number>,
  history: History,
): readonly Anomaly[] {
  const open = order.timeline.revisions.filter(
    (revision) => revision <= order.coveredTo && !claimed.has(revision) && !isLeaseEnd(order, revision),
  )
  const writes = candidates(operations, history)
  const unknown = indexed(writes.filter(({ operation }) => operation.outcome === 'info'))
  const choices = new Map(
    open.map((revision) => {
      const mayBe = likely(unknown, order, revision).filter(({ after }) => after < revision)
      return [revision, mayBe.filter(({ operation }) => hasEffect(operation, order, revision))]
    }),
  )
  const matched = matching(choices)
  const all = open.every((revision) => matched.has(revision)) ? undefined : indexed(writes)
  return open.flatMap((revision) =>
    all === undefined || matched.has(revision) ? [] : [explain(revision, order, likely(all, order, revision))],
  )
}

function candidates(operations: readonly KvOperation[], history: History): readonly Candidate[] {
  const seenBefore = latestSeen(history)
  return operations
    .filter(({ request }) => !isReadOnly(request))
    .sort((a, b) => a.invoke - b.invoke)
    .map((operation) => ({ operation, after: seenBefore(operation.invoke)?.revision ?? 0 }))
}

/** Of each write, what it puts; '' for all that delete. */
function indexed(writes: readonly Candidate[]): Index {
  const index = new Map<string, Candidate[]>()
  for (const candidate of writes) {
    for (const name of new Set(leavesOf(candidate.operation.request).flatMap(namesOf))) {
      const ofName = index.get(name)
      if (ofName === undefined) index.set(name, [candidate])
      else ofName.push(candidate)
    }
  }
  return index
}

function namesOf(request: Request): readonly string[] {
  if (request.f === 'delete') return ['']
  if (request.f !== 'put') return []
  const { key, value, lease } = request
  return [canonicalChange({ type: 'put', key, value, ...(lease === undefined ? {} : { lease }) })]
}

/** Those that could have made one of its changes. */
function likely(index: Index, { timeline }: ClaimedOrder, revision: number): readonly Candidate[] {
  const names = timeline.changesAt(revision).map((change) => (change.type === 'put' ? canonicalChange(change) : ''))
  return [...new Set(names)].flatMap((name) => index.get(name) ?? [])
}

function effectOf({ request }: KvOperation, { timeline }: ClaimedOrder, revision: number): readonly Change[] {
  return evaluate(timeline, request, revision - 1).changes
}

function hasEffect(operation: KvOperation, order: ClaimedOrder, revision: number): boolean {
  const actual = order.timeline.changesAt(revision)
  return canonicalChanges(effectOf(operation, order, revision)) === canonicalChanges(actual)
}

/**
 * One operation for each revision, as far as possible, by augmenting paths.
 * @returns the revisions that have got one.
 */
function matching(choices: ReadonlyMap<number, readonly Candidate[]>): ReadonlySet<number> {
  const takenBy = new Map<Candidate, number>()
  const matched = new Set<number>()
  const settle = (revision: number, tried: Set<Candidate>): boolean =>
    (choices.get(revision) ?? []).some((candidate) => {
      if (tried.has(candidate)) return false
      tried.add(candidate)
      const other = takenBy.get(candidate)
      if (other !== undefined && !settle(other, tried)) return false
      takenBy.set(candidate, revision)
      return true
    })
  for (const revision of choices.keys()) if (settle(revision, new Set())) matched.add(revision)
  return matched
}

/** It deletes keys of one lease, and nothing else. */
function isLeaseEnd({ timeline }: ClaimedOrder, revision: number): boolean {
  const before = timeline.at(revision - 1)
  const changes = timeline.changesAt(revision)
  const leases = new Set(changes.map(({ type, key }) => (type === 'delete' ? before.get(key)?.lease : undefined)))
  return leases.size === 1 && !leases.has(undefined)
}

function explain(revision: number, order: ClaimedOrder, writes: readonly Candidate[]): Anomaly {
  const changes = order.timeline.changesAt(revision)
  const told = `revision ${revision} (${canonicalChanges(changes)})`
  const exact = writes
    .filter(({ operation }) => hasEffect(operation, order, revision))
    .map(({ operation }) => operation)
  const failed = exact.filter(({ outcome }) => outcome === 'fail')
  if (failed.length > 0) {
    return anomaly('total-order', 'failed-write-visible', `${told} is the effect of a write that failed`, failed)
  }
  if (exact.length > 0) {
    return anomaly(
      'total-order',
      'write-repeated',
      `${told} is once more, or too early, the effect of`,
      exact.slice(0, 3),
    )
  }
  const partial = writes.filter(({ operation }) => isPart(changes, operation)).map(({ operation }) => operation)
  if (partial.length > 0) {
    const text = `${told} is not the whole of what these would have done at that revision`
    return anomaly('total-order', 'torn-write', text, partial.slice(0, 3))
  }
  return anomaly('total-order', 'unattributed-write', `nobody asked for ${told}`)
}

/** Whether all of the changes are among what the request could do, in whatever state. */
function isPart(changes: readonly Change[], { request }: KvOperation): boolean {
  const leaves = leavesOf(request)
  return changes.every((change) =>
    leaves.some((leaf) => {
      if (change.type === 'put') return namesOf(leaf).includes(canonicalChange(change))
      return leaf.f === 'delete' && isInRange(change.key, leaf)
    }),
  )
}
