/**
 * The strongest of the checks: what watchers were told is taken as the order of all changes, and every answer must be
 * what a replay of it gives at the answer's revision. Each acknowledged write is in it once, with its revision; nothing
 * that failed is; an unknown write is in it as a whole or not at all. Revisions against the clock: real-time.ts.
 */
import { type Anomaly, anomaly, requestText, resultText } from './anomaly.ts'
import { type ClaimedOrder, claimedOrder } from './claimed-order.ts'
import type { History, KvAnswer, KvOperation } from './history.ts'
import { canonicalChanges, canonicalResult, evaluate, hasWritten, rangesOf } from './kv-model.ts'
import { isWithin } from './timeline.ts'
import { unclaimed } from './unclaimed-changes.ts'

type Answered = KvOperation & { readonly outcome: 'ok'; readonly answer: KvAnswer }

export function checkTotalOrder(history: History): readonly Anomaly[] {
  const operations = history.filter((record) => record.kind === 'kv')
  const order = claimedOrder(history.filter((record) => record.kind === 'watch'))
  const { scope } = order
  if (scope === undefined) return []
  const judged = operations.filter(({ request }) => rangesOf(request).every((range) => isWithin(range, scope)))
  const found: Anomaly[] = []
  const claims = new Map<number, Answered>()
  const beyond: Answered[] = []
  for (const operation of judged) {
    if (operation.outcome !== 'ok') continue
    if (operation.answer.revision > order.coveredTo) beyond.push(operation)
    else found.push(...(hasWritten(operation.answer.result) ? checkWrite : checkRead)(operation, order, claims))
  }
  const unseen = beyond.filter(({ answer }) => hasWritten(answer.result))
  if (unseen.length > 0) {
    const beyondWhat = `beyond ${order.coveredTo}, up to which watchers were told all`
    const text = `${unseen.length} acknowledged writes have revisions ${beyondWhat}`
    found.push(anomaly('total-order', 'not-watched', text, unseen.slice(0, 5)))
  }
  return [...found, ...gaps(order), ...unclaimed(judged, order, new Set(claims.keys()), history)]
}

/** Whether there is an order to check against. */
export function hasTotalOrder(history: History): boolean {
  return claimedOrder(history.filter((record) => record.kind === 'watch')).scope !== undefined
}

/** Where all keys are watched every revision is somebody's. */
function gaps({ scope, coveredTo, timeline }: ClaimedOrder): readonly Anomaly[] {
  if (scope === undefined || !isWithin({ key: '\0', rangeEnd: '\0' }, scope)) return []
  const found: Anomaly[] = []
  let before = 1
  for (const revision of timeline.revisions) {
    if (revision > coveredTo) break
    if (revision > before + 1) {
      const text = `watchers of all keys were told of ${before}, then of ${revision}: of nothing between`
      found.push(anomaly('total-order', 'revision-gap', text))
    }
    before = revision
  }
  return found
}

/** Its revision is its own, is told to watchers with just its changes, and its answer is that of the state before. */
function checkWrite(operation: Answered, order: ClaimedOrder, claims: Map<number, Answered>): readonly Anomaly[] {
  const { revision, result } = operation.answer
  const { timeline } = order
  const other = claims.get(revision)
  if (other !== undefined) {
    const text = `two writes were acknowledged with revision ${revision}`
    return [anomaly('total-order', 'revision-claimed-twice', text, [other, operation])]
  }
  claims.set(revision, operation)
  const actual = timeline.changesAt(revision)
  const expected = evaluate(timeline, operation.request, revision - 1)
  if (actual.length === 0) {
    const text = `a write was acknowledged with revision ${revision}, at which watchers saw nothing`
    return [anomaly('total-order', 'lost-write', text, [operation])]
  }
  if (canonicalChanges(expected.changes) !== canonicalChanges(actual)) {
    const [does, did] = [expected.changes, actual].map((changes) => canonicalChanges(changes) || 'nothing')
    const text = `at revision ${revision} watchers saw ${did}; after ${revision - 1} this should have done ${does}`
    return [anomaly('total-order', 'wrong-effect', text, [operation])]
  }
  return checkResult(
    operation,
    canonicalResult(expected.result) === canonicalResult(result),
    resultText(expected.result),
  )
}

function checkRead(operation: Answered, { timeline }: ClaimedOrder): readonly Anomaly[] {
  const { revision, result } = operation.answer
  const expected = evaluate(timeline, operation.request, revision)
  if (expected.changes.length > 0) {
    const text = `it was answered as if it had changed nothing, but at revision ${revision} it would have`
    return [anomaly('total-order', 'wrong-answer', `${text}: ${canonicalChanges(expected.changes)}`, [operation])]
  }
  return checkResult(
    operation,
    canonicalResult(expected.result) === canonicalResult(result),
    resultText(expected.result),
  )
}

function checkResult(operation: Answered, isRight: boolean, expected: string): readonly Anomaly[] {
  if (isRight) return []
  const { request, answer } = operation
  const text = `by the replay up to revision ${answer.revision}, ${requestText(request)} answers ${expected}`
  return [anomaly('total-order', 'wrong-answer', text, [operation])]
}
