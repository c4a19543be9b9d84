/**
 * Sets that are added to: every read has what was acknowledged before it began, nothing that failed, that nobody
 * attempted, or that was added only after the read.
 */
import { type Anomaly, anomaly } from './anomaly.ts'
import type { History, SetOperation } from './history.ts'

type Add = Extract<SetOperation, { readonly f: 'add' }>
type Read = Extract<SetOperation, { readonly f: 'read'; readonly outcome: 'ok' }>

export function checkSets(history: History): readonly Anomaly[] {
  const sets = new Map<string, { readonly adds: Add[]; readonly reads: Read[] }>()
  for (const record of history) {
    if (record.kind !== 'set') continue
    const set = sets.get(record.set) ?? { adds: [], reads: [] }
    sets.set(record.set, set)
    if (record.f === 'add') set.adds.push(record)
    else if (record.outcome === 'ok') set.reads.push(record)
  }
  return [...sets].flatMap(([name, { adds, reads }]) => checkSet(name, adds, reads))
}

function checkSet(name: string, adds: readonly Add[], reads: readonly Read[]): readonly Anomaly[] {
  if (adds.length === 0) return []
  const final = reads.reduce<Read | undefined>(
    (last, read) => (last && last.invoke > read.invoke ? last : read),
    undefined,
  )
  if (final === undefined) {
    return [anomaly('set', 'never-read', `nobody ever read ${name}: nothing is known of what was added`)]
  }
  const byElement = new Map(adds.map((add) => [add.element, add]))
  const acknowledged = adds.filter((add) => add.outcome === 'ok')
  const inTheEnd = new Set(final.answer.elements)
  return reads.flatMap((read) => [
    ...missing(name, read, acknowledged, read === final ? undefined : inTheEnd),
    ...unexpected(name, read, byElement),
  ])
}

/** @param later what the final read has; undefined if `read` is it */
function missing(
  name: string,
  read: Read,
  acknowledged: readonly Add[],
  later: ReadonlySet<number> | undefined,
): readonly Anomaly[] {
  const has = new Set(read.answer.elements)
  return acknowledged.flatMap((add) => {
    if (add.return >= read.invoke || has.has(add.element)) return []
    const isLate = later?.has(add.element) === true
    const text = isLate
      ? `${add.element} was acknowledged before a read of ${name} that has not got it; a later one has`
      : `${add.element} was acknowledged and is lost from ${name}`
    return [anomaly('set', isLate ? 'stale-read' : 'lost-element', text, [add, read])]
  })
}

function unexpected(name: string, read: Read, adds: ReadonlyMap<number, Add>): readonly Anomaly[] {
  const found: Anomaly[] = []
  const seen = new Set<number>()
  for (const element of read.answer.elements) {
    const add = adds.get(element)
    const why = whyUnexpected(add, read)
    if (why !== undefined) {
      found.push(
        anomaly('set', why.kind, `${name} has ${element}, ${why.text}`, add === undefined ? [read] : [add, read]),
      )
    }
    if (seen.has(element)) found.push(anomaly('set', 'duplicate-element', `${name} has ${element} twice`, [read]))
    seen.add(element)
  }
  return found
}

function whyUnexpected(add: Add | undefined, read: Read): { readonly kind: string; readonly text: string } | undefined {
  if (add === undefined) return { kind: 'phantom-element', text: 'which nobody added' }
  if (add.outcome === 'fail') return { kind: 'failed-add-visible', text: 'of which the addition failed' }
  if (add.invoke > read.return) return { kind: 'read-from-the-future', text: 'which was added only after the read' }
  return undefined
}
