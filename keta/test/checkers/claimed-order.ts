/**
 * What all watchers together were told, as one order of changes: what the cluster claims to have happened. Watchers
 * that contradict each other are found here.
 */
import { type Anomaly, anomaly } from './anomaly.ts'
import type { KeyRange, WatchEvent, WatchSession } from './history.ts'
import { type Change, isInRange, isWithin, Timeline } from './timeline.ts'

export interface ClaimedOrder {
  /** The keys that are covered, from the first revision on without a gap up to `coveredTo`; undefined: none. */
  readonly scope: KeyRange | undefined
  readonly coveredTo: number
  /** The changes of the scope. */
  readonly timeline: Timeline
  /** All that anybody was told, also outside of the scope; ascending. */
  readonly told: readonly Told[]
  readonly anomalies: readonly Anomaly[]
}

export interface Told {
  readonly revision: number
  readonly events: readonly WatchEvent[]
}

/** The first change of a new store. */
const FIRST_REVISION = 2

export function claimedOrder(sessions: readonly WatchSession[]): ClaimedOrder {
  const scope = widestFromStart(sessions)
  const { told, anomalies } = merged(sessions)
  const timeline = new Timeline()
  for (const { revision, events } of told) {
    const changes = events.filter(({ key }) => scope !== undefined && isInRange(key, scope)).map(changeOf)
    if (changes.length > 0 && revision >= FIRST_REVISION) timeline.append(revision, changes)
  }
  return { scope, coveredTo: scope === undefined ? 0 : coverage(sessions, scope), timeline, told, anomalies }
}

/** From which revision a session owes events; undefined if it was told nothing. */
export function startOf({ startRevision, responses }: WatchSession): number | undefined {
  if (startRevision > 0) return startRevision
  const created = responses.find((response) => response.created)
  return created && created.revision + 1
}

/** Up to which revision a session promised to have sent all; 0: none. */
export function promisedTo({ responses }: WatchSession): number {
  let promised = 0
  for (const { progress, revision, events, canceled } of responses) {
    const last = events.at(-1)?.modRevision ?? 0
    promised = Math.max(promised, progress && !canceled ? revision : 0, last)
  }
  return promised
}

function merged(sessions: readonly WatchSession[]): Pick<ClaimedOrder, 'told' | 'anomalies'> {
  const events = new Map<number, Map<string, WatchEvent>>()
  const tellers = new Map<WatchEvent, WatchSession>()
  const anomalies: Anomaly[] = []
  for (const session of sessions) {
    for (const event of session.responses.flatMap((response) => response.events)) {
      const ofRevision = events.get(event.modRevision) ?? new Map<string, WatchEvent>()
      events.set(event.modRevision, ofRevision)
      const known = ofRevision.get(event.key)
      if (known === undefined) {
        ofRevision.set(event.key, event)
        tellers.set(event, session)
      } else if (identity(known) !== identity(event)) {
        const teller = tellers.get(known)
        const text = `revision ${event.modRevision} was told as ${identity(known)} and as ${identity(event)}`
        anomalies.push(
          anomaly('watch', 'watchers-disagree', text, teller === undefined ? [session] : [teller, session]),
        )
      }
    }
  }
  const told = [...events]
    .sort(([a], [b]) => a - b)
    .map(([revision, ofRevision]) => ({ revision, events: [...ofRevision.values()] }))
  return { told, anomalies }
}

function identity({ type, key, value, createRevision, version, lease }: WatchEvent): string {
  return JSON.stringify(type === 'put' ? [type, key, value, createRevision, version, lease ?? ''] : [type, key])
}

function changeOf({ type, key, value, lease }: WatchEvent): Change {
  if (type === 'delete') return { type, key }
  return { type, key, value: value ?? '', ...(lease === undefined ? {} : { lease }) }
}

/** The range of a session without filters that began at the first revision; of several one that is in no other. */
function widestFromStart(sessions: readonly WatchSession[]): KeyRange | undefined {
  return sessions
    .filter((session) => !session.noPut && !session.noDelete && (startOf(session) ?? Infinity) <= FIRST_REVISION)
    .reduce<KeyRange | undefined>((widest, session) => {
      return widest === undefined || isWithin(widest, session) ? rangeOf(session) : widest
    }, undefined)
}

function rangeOf({ key, rangeEnd }: KeyRange): KeyRange {
  return rangeEnd === undefined ? { key } : { key, rangeEnd }
}

function coverage(sessions: readonly WatchSession[], scope: KeyRange): number {
  const spans = sessions
    .filter((session) => !session.noPut && !session.noDelete && isWithin(scope, session))
    .map((session) => ({ from: startOf(session) ?? Infinity, to: promisedTo(session) }))
    .sort((a, b) => a.from - b.from)
  let covered = FIRST_REVISION - 1
  for (const { from, to } of spans) if (from <= covered + 1) covered = Math.max(covered, to)
  return covered
}
