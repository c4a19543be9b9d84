import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { expect } from 'chai'
import fc from 'fast-check'

import { WatchResponseSchema } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { Event_EventType } from '../proto/gen/mvccpb/kv_pb.js'
import type { WatchAnswer, WatchEvent } from '../watch/watch.ts'
import { counters, type Sample, samples, tombstones } from './answers.fixture.ts'
import { type HeaderMessage, Headers } from './header.ts'
import { WatchAnswers } from './watch-answers.ts'

const headers = new Headers({ identity: { clusterId: 2n ** 63n + 5n, memberId: 7n, name: '' }, revision: 1, term: 3 })
const ids = fc.oneof(fc.constant(-1n), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }))

interface Happening {
  readonly change: Sample
  readonly previous: Sample | undefined
}

const happenings: fc.Arbitrary<Happening> = fc.record({
  change: fc.oneof(samples, tombstones),
  previous: fc.option(samples, { nil: undefined }),
})

function eventsOf(list: readonly Happening[]): readonly WatchEvent[] {
  return list.map(({ change, previous }) => ({
    event: { version: change.version, previous: undefined },
    previous: previous?.version,
  }))
}

function messagesOf(list: readonly Happening[]) {
  return list.map(({ change, previous }) => ({
    type: change.version.version === 0 ? Event_EventType.DELETE : Event_EventType.PUT,
    kv: change.message,
    ...(previous === undefined ? {} : { prevKv: previous.message }),
  }))
}

function bytesOf(message: MessageInitShape<typeof WatchResponseSchema>): Uint8Array {
  return toBinary(WatchResponseSchema, create(WatchResponseSchema, message))
}

function encodeOne(answer: WatchAnswer): Uint8Array {
  const encoded = new WatchAnswers(headers, 1 << 21).encode(answer)
  expect(encoded).to.have.length(1)
  return encoded[0]!
}

function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.from(actual).toString('hex')).to.equal(Buffer.from(expected).toString('hex'))
}

describe('answers of the Watch service', () => {
  it('with events are byte for byte what protobuf-es encodes', () => {
    fc.assert(
      fc.property(fc.array(happenings, { minLength: 1, maxLength: 6 }), ids, counters, (list, watchId, revision) => {
        const answer = { kind: 'events', watchId, revision, events: eventsOf(list), fragment: false } as const
        const message = { header: headers.message(revision), watchId, events: messagesOf(list) }
        expectSame(encodeOne(answer), bytesOf(message))
      }),
    )
  })

  it('without events have the shapes that etcd gives them', () => {
    const header = headers.message(12)
    expectSame(encodeOne({ kind: 'created', watchId: 0n, revision: 12 }), bytesOf({ header, created: true }))
    expectSame(
      encodeOne({ kind: 'canceled', watchId: 5n, revision: 12 }),
      bytesOf({ header, watchId: 5n, canceled: true }),
    )
    expectSame(encodeOne({ kind: 'progress', watchId: -1n, revision: 12 }), bytesOf({ header, watchId: -1n }))
    expectSame(
      encodeOne({ kind: 'compacted', watchId: 5n, compactRevision: 9 }),
      bytesOf({ header: headers.message(0), watchId: 5n, canceled: true, compactRevision: 9n }),
    )
    const refused = { header, watchId: -1n, created: true, canceled: true }
    const reasons = {
      'duplicate-id': 'mvcc: duplicate watch ID provided on the WatchStream',
      'empty-range': 'mvcc: watcher range is empty',
      compacted: 'etcdserver: mvcc: required revision has been compacted',
    } as const
    for (const [reason, cancelReason] of Object.entries(reasons)) {
      const answer = { kind: 'refused', revision: 12, reason: reason as keyof typeof reasons } as const
      expectSame(encodeOne(answer), bytesOf({ ...refused, cancelReason }))
    }
  })

  it('encode events once for all watchers that are given the same array', () => {
    const [change] = fc.sample(samples, { numRuns: 1, seed: 1 })
    const events = eventsOf([{ change: change!, previous: undefined }])
    const answers = new WatchAnswers(headers, 1 << 21)
    for (let watchId = 0n; watchId < 50n; watchId++) {
      const [bytes] = answers.encode({ kind: 'events', watchId, revision: 12, events, fragment: false })
      expect(fromBinary(WatchResponseSchema, bytes!)).to.include({ watchId })
    }
    expect(change!.encodings()).to.equal(1)
  })

  it('are cut between events for watchers that ask for fragments, as etcd cuts them', () => {
    const limits = fc.oneof(
      fc.integer({ min: 50, max: 1500 }).map((bytes) => ({ bytes })),
      // Exactly what an answer with so many events takes, marked as a fragment or not.
      fc.record({ events: fc.nat(11), fragment: fc.boolean() }),
    )
    fc.assert(
      fc.property(fc.array(happenings, { minLength: 1, maxLength: 12 }), limits, ids, (list, at, watchId) => {
        const messages = messagesOf(list)
        const limit =
          'bytes' in at
            ? at.bytes
            : bytesOf({
                header: headers.message(12),
                watchId,
                fragment: at.fragment,
                events: messages.slice(0, at.events),
              }).length
        const answers = new WatchAnswers(headers, limit)
        const answer = { kind: 'events', watchId, revision: 12, events: eventsOf(list), fragment: true } as const
        const base = { header: headers.message(12), watchId }
        const expected = fragmentsOf(base, messages, limit).map(bytesOf)
        expect(answers.encode(answer).map(hex)).to.deep.equal(expected.map(hex))
      }),
    )
  })

  it('are not cut for watchers that do not ask', () => {
    const list = fc.sample(happenings, { numRuns: 20, seed: 1 })
    const answer = { kind: 'events', watchId: 1n, revision: 12, events: eventsOf(list), fragment: false } as const
    expect(new WatchAnswers(headers, 100).encode(answer)).to.have.length(1)
  })
})

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** The rule by measuring whole messages: events are added while the fragment, marked as one, stays below the limit. */
function fragmentsOf(
  base: { readonly header: HeaderMessage; readonly watchId: bigint },
  events: ReturnType<typeof messagesOf>,
  limit: number,
): MessageInitShape<typeof WatchResponseSchema>[] {
  if (events.length < 2 || bytesOf({ ...base, events }).length < limit) return [{ ...base, events }]
  const groups: (typeof events)[] = []
  for (const event of events) {
    const group = groups.at(-1)
    const joined = [...(group ?? []), event]
    if (group !== undefined && bytesOf({ ...base, fragment: true, events: joined }).length < limit) group.push(event)
    else groups.push([event])
  }
  return groups.map((group, index) => ({ ...base, fragment: index < groups.length - 1, events: group }))
}
