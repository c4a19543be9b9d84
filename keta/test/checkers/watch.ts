/**
 * What etcd promises of watches, over what watchers were sent. Each session is held to it from its start revision on,
 * so that a watcher that reconnects, to whichever member, misses nothing and gets nothing twice.
 */
import { type Anomaly, anomaly } from './anomaly.ts'
import { type ClaimedOrder, claimedOrder, promisedTo, startOf, type Told } from './claimed-order.ts'
import type { History, HistoryRecord, KeyValue, WatchEvent, WatchResponse, WatchSession } from './history.ts'
import { canonicalKv } from './kv-model.ts'
import { isInRange } from './timeline.ts'

export function checkWatches(history: History): readonly Anomaly[] {
  const sessions = history.filter((record) => record.kind === 'watch')
  const claimed = claimedOrder(sessions)
  const compacted = history.reduce((highest, record) => Math.max(highest, compactionOf(record)), 0)
  return [
    ...claimed.anomalies,
    ...sessions.flatMap((session) => [
      ...checkAnswers(session),
      ...checkEvents(session),
      ...checkReliable(session, claimed.told),
      ...checkStates(session, claimed, compacted),
    ]),
  ]
}

/** Created comes first, once; cancelled last; headers and promises never go back. */
function checkAnswers(session: WatchSession): readonly Anomaly[] {
  const found: Anomaly[] = []
  const complain = (kind: string, text: string): unknown => found.push(anomaly('watch', kind, text, [session]))
  const { responses } = session
  let header = 0
  for (const [index, response] of responses.entries()) {
    if ((response.created === true) !== (index === 0))
      complain('created', `answer ${index} was created: ${response.created}`)
    if (responses[index - 1]?.canceled) complain('canceled', `answer ${index} came after the cancellation`)
    const { canceled, compactRevision, revision, events } = response
    if (canceled && compactRevision !== undefined && compactRevision <= nextOwed(session, index)) {
      complain('compacted', `it was cancelled at compaction ${compactRevision} but was owed only what is from there on`)
    }
    const last = events.at(-1)?.modRevision ?? 0
    if (last > revision) complain('header', `the header has revision ${revision}, its events have ${last}`)
    // of a cancellation it may be absent
    if (!canceled && revision < header) complain('header', `the header has revision ${revision} after ${header}`)
    header = Math.max(header, revision)
  }
  return found
}

/** The first revision that the answers before this one leave open. */
function nextOwed(session: WatchSession, before: number): number {
  const told = promisedTo({ ...session, responses: session.responses.slice(0, before) })
  return Math.max((startOf(session) ?? 1) - 1, told) + 1
}

/** Filter, ordered, unique, atomic, bookmarkable, resumable. */
function checkEvents(session: WatchSession): readonly Anomaly[] {
  const found: Anomaly[] = []
  const complain = (kind: string, text: string): unknown => found.push(anomaly('watch', kind, text, [session]))
  const start = startOf(session) ?? 0
  let latest = 0
  let promised = 0
  let seen = new Set<string>()
  let previous: WatchResponse | undefined
  for (const response of session.responses) {
    for (const [index, event] of response.events.entries()) {
      const { key, modRevision, type } = event
      const name = `${type} of ${key} at revision ${modRevision}`
      if (!isAskedFor(event, session)) complain('filter', `it was not asked for: ${name}`)
      if (modRevision < start) complain('resumable', `it began at revision ${start} and was sent ${name}`)
      if (modRevision <= promised)
        complain('bookmarkable', `all up to ${promised} was promised to be sent before ${name}`)
      if (modRevision < latest) complain('ordered', `after revision ${latest} it was sent ${name}`)
      const isNext = index === 0 && modRevision === latest && previous?.fragment !== true
      if (isNext) complain('atomic', `revision ${latest} was spread over several answers, not all of them fragments`)
      if (modRevision !== latest) seen = new Set()
      if (seen.has(key)) complain('unique', `it was sent twice: ${name}`)
      seen.add(key)
      latest = Math.max(latest, modRevision)
    }
    if (response.progress && !response.canceled) promised = Math.max(promised, response.revision)
    if (response.events.length > 0) previous = response
  }
  return found
}

/** Reliable: of what any watcher was told, none that was asked for is left out before what was sent or promised. */
function checkReliable(session: WatchSession, all: readonly Told[]): readonly Anomaly[] {
  const start = startOf(session)
  const end = promisedTo(session)
  if (start === undefined) return []
  const sent = new Set(
    session.responses.flatMap(({ events }) => events.map(({ key, modRevision }) => `${modRevision} ${key}`)),
  )
  const missing = all
    .slice(firstFrom(all, start), firstFrom(all, end + 1))
    .flatMap(({ events }) => events.filter((event) => isAskedFor(event, session)))
    .filter(({ key, modRevision }) => !sent.has(`${modRevision} ${key}`))
  const [first] = missing
  if (first === undefined) return []
  const text = `${missing.length} events up to revision ${end} were never sent, the first:`
  const name = `${first.type} of ${first.key} at revision ${first.modRevision}`
  return [anomaly('watch', 'reliable', `${text} ${name}`, [session])]
}

/** PrevKV and isCreate, and the rest of what an event tells of its key. */
function checkStates(
  session: WatchSession,
  { scope, coveredTo, timeline }: ClaimedOrder,
  compacted: number,
): readonly Anomaly[] {
  return session.responses.flatMap(({ events }) =>
    events.flatMap((event) => {
      const { key, modRevision, prevKv } = event
      const isKnown = scope !== undefined && isInRange(key, scope) && modRevision <= coveredTo
      const before = isKnown ? timeline.at(modRevision - 1).get(key) : prevKv
      const wanted = session.prevKv ? before : undefined
      const isForgotten = prevKv === undefined && modRevision - 1 < compacted
      return [
        checkCreated(event, isKnown || prevKv !== undefined ? { before } : undefined),
        isKnown && !isForgotten ? checkPrevious(event, before, wanted) : checkOwnPrevious(event),
      ].flatMap((wrong) => (wrong === undefined ? [] : [anomaly('watch', wrong.kind, wrong.text, [session])]))
    }),
  )
}

type Wrong = { readonly kind: string; readonly text: string } | undefined

/** @param known the state before, if it is known */
function checkCreated(event: WatchEvent, known: { readonly before: KeyValue | undefined } | undefined): Wrong {
  const { type, key, createRevision, modRevision, version } = event
  if (type === 'delete') return undefined
  const said = `${key} at revision ${modRevision} has create_revision ${createRevision} and version ${version}`
  if ((createRevision === modRevision) !== (version === 1)) return { kind: 'is-create', text: said }
  if (known === undefined) return undefined
  const expectedCreate = known.before?.createRevision ?? modRevision
  const expectedVersion = (known.before?.version ?? 0) + 1
  if (createRevision === expectedCreate && version === expectedVersion) return undefined
  return { kind: 'is-create', text: `${said}, not ${expectedCreate} and ${expectedVersion}` }
}

function checkPrevious(event: WatchEvent, before: KeyValue | undefined, wanted: KeyValue | undefined): Wrong {
  const name = `${event.type} of ${event.key} at revision ${event.modRevision}`
  if (event.type === 'delete' && before === undefined)
    return { kind: 'prev-kv', text: `${name}: there was nothing to delete` }
  const [actual, expected] = [event.prevKv, wanted].map((kv) => (kv === undefined ? 'none' : canonicalKv(kv)))
  return actual === expected
    ? undefined
    : { kind: 'prev-kv', text: `${name} has the prev_kv ${actual}, not ${expected}` }
}

function checkOwnPrevious({ type, key, modRevision, prevKv }: WatchEvent): Wrong {
  if (prevKv === undefined || (prevKv.key === key && prevKv.modRevision < modRevision)) return undefined
  return {
    kind: 'prev-kv',
    text: `${type} of ${key} at revision ${modRevision} has the prev_kv ${canonicalKv(prevKv)}`,
  }
}

function isAskedFor({ key, type }: WatchEvent, session: WatchSession): boolean {
  return isInRange(key, session) && !(type === 'put' ? session.noPut : session.noDelete)
}

function compactionOf(record: HistoryRecord): number {
  const isIt = record.kind === 'kv' && record.request.f === 'compact' && record.outcome !== 'fail'
  return isIt ? record.request.revision : 0
}

/** @returns the index of the first of at least this revision. */
function firstFrom(all: readonly Told[], revision: number): number {
  let low = 0
  let high = all.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((all[middle]?.revision ?? Infinity) < revision) low = middle + 1
    else high = middle
  }
  return low
}
