/**
 * Revisions against the clock. Whoever has seen a revision and asks afterwards is answered from a state that is as new,
 * and what is written afterwards gets a later one. It needs nothing but the headers, and finds revisions that go back.
 */
import { type Anomaly, anomaly } from './anomaly.ts'
import type { History, HistoryRecord, Operation } from './history.ts'
import { hasWritten, isSerializable } from './kv-model.ts'

/** Somebody knows from then on that this revision exists. */
interface Seen {
  readonly at: number
  readonly revision: number
  readonly by: HistoryRecord
}

type Answered = Extract<Operation, { readonly outcome: 'ok' }>

export function checkRealTime(history: History): readonly Anomaly[] {
  const answered = history.flatMap((record) => (record.kind !== 'watch' && record.outcome === 'ok' ? [record] : []))
  const held = answered.filter((operation) => operation.kind !== 'kv' || !isSerializable(operation.request))
  const latestBefore = latestSeen(history)
  return held
    .sort((a, b) => a.invoke - b.invoke)
    .flatMap((operation) => {
      const seen = latestBefore(operation.invoke)
      return seen === undefined ? [] : judge(operation, seen)
    })
}

/**
 * The highest revision that was known before a moment.
 * @returns to be asked about moments that never go back.
 */
export function latestSeen(history: History): (moment: number) => Seen | undefined {
  const sightings = history.flatMap(sightingsOf).sort((a, b) => a.at - b.at)
  let next = 0
  let latest: Seen | undefined
  return (moment) => {
    for (; next < sightings.length; next++) {
      const seen = sightings[next]
      if (seen === undefined || seen.at >= moment) break
      if (seen.revision > (latest?.revision ?? 0)) latest = seen
    }
    return latest
  }
}

function sightingsOf(record: HistoryRecord): readonly Seen[] {
  if (record.kind !== 'watch') {
    return record.outcome === 'ok' ? [{ at: record.return, revision: record.answer.revision, by: record }] : []
  }
  return record.responses.flatMap(({ at, events }) => {
    const last = events.at(-1)
    return last === undefined ? [] : [{ at, revision: last.modRevision, by: record }]
  })
}

function judge(operation: Answered, seen: Seen): readonly Anomaly[] {
  const { revision } = operation.answer
  const writes = isWrite(operation)
  if (revision > seen.revision || (revision === seen.revision && !writes)) return []
  const text = writes
    ? `a write got revision ${revision} although ${seen.revision} had been seen before it was invoked`
    : `a read was answered at revision ${revision} although ${seen.revision} had been seen before it was invoked`
  return [anomaly('real-time', writes ? 'revision-goes-back' : 'stale-read', text, [seen.by, operation])]
}

/** Whether it certainly made a revision of its own. */
function isWrite(operation: Answered): boolean {
  switch (operation.kind) {
    case 'kv':
      return hasWritten(operation.answer.result)
    case 'set':
      return operation.f === 'add'
    case 'append':
      return operation.steps.some((step) => step.f === 'append')
    case 'register':
      if (operation.f === 'write') return operation.value !== null
      return operation.f === 'cas' && operation.answer.succeeded && operation.value !== null
  }
}
