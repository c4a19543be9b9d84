import { expect } from 'chai'
import type { HistoryRecord, WatchEvent, WatchResponse, WatchSession } from './history.ts'
import { checkWatches } from './watch.ts'

const CREATED: WatchResponse = { at: 0, revision: 1, created: true, events: [] }

describe('the checker of watches', () => {
  const whole = session('whole', 1, [sent(put('a', 2)), sent(put('a', 3, 2, 2), put('b', 3)), sent(deleted('a', 4))])
  const cases: readonly (readonly [string, readonly HistoryRecord[], readonly string[]])[] = [
    ['nothing in a watch that is right', [whole], []],
    [
      'nothing in one that resumes',
      [whole, session('x', 3, [sent(put('a', 3, 2, 2), put('b', 3))]), session('x', 4, [])],
      [],
    ],
    ['a key that was not asked for (filter)', [session('x', 1, [sent(put('c', 2))], { key: 'a' })], ['filter']],
    ['a type that was not asked for (filter)', [session('x', 1, [sent(put('a', 2))], { noPut: true })], ['filter']],
    ['events out of order (ordered)', [session('x', 1, [sent(put('a', 3), put('b', 2))])], ['ordered']],
    ['an event twice (unique)', [session('x', 1, [sent(put('a', 2), put('a', 2))])], ['unique']],
    ['a revision in two answers (atomic)', [session('x', 1, [sent(put('a', 2)), sent(put('b', 2))])], ['atomic']],
    ['nothing in fragments', [session('x', 1, [{ ...sent(put('a', 2)), fragment: true }, sent(put('b', 2))])], []],
    [
      'an event that had been promised (bookmarkable)',
      [session('x', 1, [{ at: 1, revision: 5, progress: true, events: [] }, sent(put('a', 4))])],
      ['bookmarkable', 'header'],
    ],
    ['an event before the start (resumable)', [session('x', 3, [sent(put('a', 2))])], ['resumable']],
    [
      'an event left out (reliable)',
      [whole, session('x', 2, [sent(put('a', 2)), sent(deleted('a', 4))])],
      ['reliable'],
    ],
    [
      'an event left out before a promise (reliable)',
      [whole, session('x', 2, [sent(put('a', 2)), { at: 1, revision: 4, progress: true, events: [] }])],
      ['reliable'],
    ],
    ['an event left out after a resumption', [whole, session('x', 3, [sent(deleted('a', 4))])], ['reliable']],
    ['watchers that disagree', [whole, session('x', 2, [sent(put('a', 2, 2, 1, 'other'))])], ['watchers-disagree']],
    ['a created key that says it was not (isCreate)', [session('x', 1, [sent(put('a', 2, 2, 3))])], ['is-create']],
    [
      'a missing prev_kv',
      [session('x', 1, [sent(put('a', 2)), sent(put('a', 3, 2, 2))], { prevKv: true })],
      ['prev-kv'],
    ],
    [
      'a prev_kv that nobody asked for',
      [session('x', 1, [sent(put('a', 2)), sent({ ...put('a', 3, 2, 2), prevKv: kv('a', 2) })])],
      ['prev-kv'],
    ],
    [
      'nothing in a missing prev_kv that was compacted',
      [session('x', 1, [sent(put('a', 2)), sent(put('a', 3, 2, 2))], { prevKv: true }), compacted(3)],
      [],
    ],
    ['a deletion of nothing', [session('x', 1, [sent(deleted('a', 2))])], ['prev-kv']],
    ['answers before the creation', [{ ...whole, responses: whole.responses.slice(1) }], ['created']],
    ['a header behind its events', [session('x', 1, [{ at: 1, revision: 1, events: [put('a', 2)] }])], ['header']],
    [
      'a cancellation by a compaction that it did not need',
      [session('x', 3, [{ at: 1, revision: 0, canceled: true, compactRevision: 3, events: [] }])],
      ['compacted'],
    ],
    [
      'nothing in a cancellation by a compaction',
      [session('x', 3, [{ at: 1, revision: 0, canceled: true, compactRevision: 4, events: [] }])],
      [],
    ],
    [
      'something after the cancellation',
      [session('x', 1, [{ at: 1, revision: 0, canceled: true, events: [] }, sent(put('a', 2))])],
      ['canceled'],
    ],
  ]
  for (const [what, history, expected] of cases) {
    it(`finds ${what}`, () => {
      const kinds = checkWatches(history).map(({ kind }) => kind)
      expect([...new Set(kinds)].sort()).to.deep.equal([...expected].sort())
    })
  }
})

function session(
  watcher: string,
  startRevision: number,
  responses: readonly WatchResponse[],
  more: Partial<WatchSession> = {},
): WatchSession {
  const all = { key: '\0', rangeEnd: '\0' }
  const keys = more.key === undefined ? all : { key: more.key }
  return { kind: 'watch', watcher, endpoint: 'n1', startRevision, responses: [CREATED, ...responses], ...more, ...keys }
}

function sent(...events: readonly WatchEvent[]): WatchResponse {
  return { at: 1, revision: Math.max(...events.map(({ modRevision }) => modRevision)), events }
}

function put(key: string, modRevision: number, createRevision = modRevision, version = 1, value = 'v'): WatchEvent {
  return { type: 'put', key, value, createRevision, modRevision, version }
}

function deleted(key: string, modRevision: number): WatchEvent {
  return { type: 'delete', key, modRevision }
}

function kv(key: string, revision: number): Required<WatchEvent>['prevKv'] {
  return { key, value: 'v', createRevision: revision, modRevision: revision, version: 1 }
}

function compacted(revision: number): HistoryRecord {
  const call = { process: 1, endpoint: 'n1', invoke: 0, return: 1, outcome: 'info' } as const
  return { kind: 'kv', ...call, request: { f: 'compact', revision } }
}
