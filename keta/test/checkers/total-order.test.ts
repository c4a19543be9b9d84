import { expect } from 'chai'
import { checkHistory } from './check-history.ts'
import type { HistoryRecord, KvAnswer, KvOperation, Outcome, Request, WatchEvent, WatchSession } from './history.ts'
import { checkTotalOrder } from './total-order.ts'

const PUT_A: Request = { f: 'put', key: 'a', value: 'v' }
const PUT_B: Request = { f: 'put', key: 'b', value: 'v' }
const BOTH: Request = { f: 'txn', compare: [], success: [PUT_A, PUT_B], failure: [] }
const DONE = { f: 'put' } as const
const UNKNOWN = { outcome: 'info' } as const
const A2 = put('a', 2)

describe('the checker of the total order', () => {
  const cases: readonly (readonly [string, readonly HistoryRecord[], readonly string[]])[] = [
    ['nothing in a history that is right', [op(PUT_A, ok(2, DONE)), watched(A2)], []],
    [
      'a write that watchers never saw',
      [op(PUT_A, ok(2, DONE)), watched(put('x', 3))],
      ['lost-write', 'unattributed-write', 'revision-gap'],
    ],
    ['a write beyond what was watched', [op(PUT_A, ok(2, DONE)), watched()], ['not-watched']],
    [
      'two writes of one revision',
      [op(PUT_A, ok(2, DONE)), op(PUT_A, ok(2, DONE)), watched(A2)],
      ['revision-claimed-twice'],
    ],
    ['another effect than was asked for', [op(PUT_B, ok(2, DONE)), watched(A2)], ['wrong-effect']],
    ['a part of a transaction', [op(BOTH, UNKNOWN), watched(A2)], ['torn-write']],
    ['nothing in an unknown write that happened', [op(BOTH, UNKNOWN), watched(A2, put('b', 2))], []],
    ['nothing in an unknown write that did not', [op(PUT_B, UNKNOWN), op(PUT_A, ok(2, DONE)), watched(A2)], []],
    ['an unknown write that happened twice', [op(PUT_A, UNKNOWN), watched(A2, put('a', 3, 2, 2))], ['write-repeated']],
    [
      'nothing in two unknown writes, whichever came first',
      [op(PUT_A, UNKNOWN), op({ ...BOTH, success: [PUT_A] }, UNKNOWN), watched(A2, put('a', 3, 2, 2))],
      [],
    ],
    [
      'an unknown write that happened before it was asked for',
      [op(PUT_B, ok(3, DONE), 0), op(PUT_A, UNKNOWN, 10), watched(A2, put('b', 3))],
      ['write-repeated'],
    ],
    ['a failed write', [op(PUT_A, { outcome: 'fail' }), watched(A2)], ['failed-write-visible']],
    ['a write of nobody', [op(PUT_B, UNKNOWN), watched(A2)], ['unattributed-write']],
    [
      'nothing in the end of a lease',
      [
        op({ ...PUT_A, lease: '7' }, ok(2, DONE)),
        watched({ ...A2, lease: '7' }, { type: 'delete', key: 'a', modRevision: 3 }),
      ],
      [],
    ],
    [
      'a read that does not fit its revision',
      [op(PUT_A, ok(2, DONE)), op({ f: 'range', key: 'a' }, ok(2, { f: 'range', count: 0, kvs: [] })), watched(A2)],
      ['wrong-answer'],
    ],
    [
      'a condition that was refused though it held',
      [
        op(PUT_A, ok(2, DONE)),
        op(
          { ...BOTH, compare: [{ key: 'a', target: 'mod', result: '=', to: 2 }] },
          ok(2, { f: 'txn', succeeded: false, results: [] }),
        ),
        watched(A2),
      ],
      ['wrong-answer'],
    ],
    [
      'nothing in what is outside of the watched keys',
      [op(PUT_B, ok(2, DONE)), op(PUT_A, ok(3, DONE)), { ...watched(put('a', 3)), key: 'a', rangeEnd: 'aa' }],
      [],
    ],
  ]
  for (const [what, history, expected] of cases) {
    it(`finds ${what}`, () => {
      const kinds = checkTotalOrder(history).map(({ kind }) => kind)
      expect([...new Set(kinds)].sort()).to.deep.equal([...expected].sort())
    })
  }
})

describe('the check of a history', () => {
  it('tells what it could not judge although it should', () => {
    const found = checkHistory([op(PUT_A, ok(2, DONE))], { require: ['total-order', 'set', 'register'] })
    expect(found.map(({ checker, kind }) => `${checker} ${kind}`)).to.deep.equal([
      'total-order not-checked',
      'set not-checked',
    ])
  })

  it('tells few of many anomalies of one kind, and how many more there are', () => {
    const history = [...Array.from({ length: 12 }, () => op(PUT_A, ok(2, DONE))), watched(A2)]
    const found = checkHistory(history, { atMost: 3 }).filter(({ kind }) => kind === 'revision-claimed-twice')
    expect(found).to.have.length(3)
    expect(found[2]?.message).to.include('and 8 more')
  })
})

function op(request: Request, outcome: Outcome<KvAnswer>, invoke = 0): KvOperation {
  return { kind: 'kv', process: 1, endpoint: 'n1', invoke, return: invoke + 5, request, ...outcome }
}

function ok(revision: number, result: KvAnswer['result']): Outcome<KvAnswer> {
  return { outcome: 'ok', answer: { revision, result } }
}

/** Of all keys, each revision in an answer. */
function watched(...events: readonly WatchEvent[]): WatchSession {
  const revisions = [...new Set(events.map(({ modRevision }) => modRevision))]
  const responses = revisions.map((revision) => {
    return { at: 50, revision, events: events.filter(({ modRevision }) => modRevision === revision) }
  })
  const created = { at: 0, revision: 1, created: true, events: [] }
  const all = { key: '\0', rangeEnd: '\0' }
  return { kind: 'watch', watcher: 'w', endpoint: 'n1', ...all, startRevision: 1, responses: [created, ...responses] }
}

function put(key: string, modRevision: number, createRevision = modRevision, version = 1): WatchEvent {
  return { type: 'put', key, value: 'v', createRevision, modRevision, version }
}
