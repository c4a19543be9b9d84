import { expect } from 'chai'
import { ENCODED_LENGTH, NaiveStore, watching } from './naive-store-suite.ts'
import type { WatchAnswer, WatchEvent, WatchSink } from './watch.ts'
import { WatchHub } from './watch-hub.ts'

const FROM_KEY = '\0'
const ALL = { rangeEnd: FROM_KEY }

/** Writes answers down as text; is full after every `room` answers. */
class Client implements WatchSink {
  readonly answers: WatchAnswer[] = []
  room = Number.POSITIVE_INFINITY

  send(answer: WatchAnswer): boolean {
    this.answers.push(answer)
    this.room -= 1
    return this.room > 0
  }

  /** What came since the last call, one line for each answer. */
  heard(): string[] {
    return this.answers.splice(0).map(describeAnswer)
  }
}

function describeAnswer(answer: WatchAnswer): string {
  switch (answer.kind) {
    case 'refused':
      return `refused @${answer.revision}: ${answer.reason}`
    case 'compacted':
      return `compacted ${answer.watchId}: ${answer.compactRevision}`
    case 'events':
      return `events ${answer.watchId} @${answer.revision}: ${answer.events.map(describeEvent).join(' ')}`
    default:
      return `${answer.kind} ${answer.watchId} @${answer.revision}`
  }
}

function describeEvent({ event, previous }: WatchEvent): string {
  const { version } = event
  const before = previous === undefined ? '' : `<${previous.modRevision}`
  return `${version.version === 0 ? '-' : ''}${version.key}${version.modRevision}${before}`
}

function setUp(limits: { batchRevisions?: number; batchBytes?: number } = {}) {
  const store = new NaiveStore()
  const calls = { pending: 0 }
  const hub = new WatchHub(store, () => (calls.pending += 1), limits)
  const client = new Client()
  const write = (...changes: string[]): void => {
    const commit = store.write(...changes)
    if (commit !== undefined) hub.publish(commit)
  }
  return { store, hub, client, stream: hub.openStream(client), write, calls }
}

describe('WatchHub: creating and canceling', () => {
  it('answers created with the current revision, then events from the next revision on', () => {
    const { client, stream, write } = setUp()
    write('a')
    stream.create(watching('a'))
    write('a')
    expect(client.heard()).to.deep.equal(['created 0 @2', 'events 0 @3: a3'])
  })

  it('chooses the smallest id that it has not given yet and that nobody took', () => {
    const { client, stream } = setUp()
    stream.create(watching('a', { watchId: 1n }))
    stream.create(watching('a'))
    stream.create(watching('a'))
    stream.cancel(0n)
    stream.create(watching('a'))
    expect(client.heard()).to.deep.equal([
      'created 1 @1',
      'created 0 @1',
      'created 2 @1',
      'canceled 0 @1',
      'created 3 @1',
    ])
  })

  it('refuses an id in use on this stream, not one in use on another, nor one that was canceled', () => {
    const { hub, client, stream } = setUp()
    const other = new Client()
    stream.create(watching('a', { watchId: 7n }))
    stream.create(watching('b', { watchId: 7n }))
    hub.openStream(other).create(watching('a', { watchId: 7n }))
    stream.cancel(7n)
    stream.create(watching('b', { watchId: 7n }))
    expect(client.heard()).to.deep.equal(['created 7 @1', 'refused @1: duplicate-id', 'canceled 7 @1', 'created 7 @1'])
    expect(other.heard()).to.deep.equal(['created 7 @1'])
  })

  it('refuses an empty range and a negative start revision', () => {
    const { client, stream } = setUp()
    stream.create(watching('b', { rangeEnd: 'b' }))
    stream.create(watching('b', { rangeEnd: 'a' }))
    stream.create(watching('b', { startRevision: -1 }))
    expect(client.heard()).to.deep.equal([
      'refused @1: empty-range',
      'refused @1: empty-range',
      'refused @1: compacted',
    ])
  })

  it('takes an empty key for the smallest one', () => {
    const { client, stream, write } = setUp()
    stream.create(watching('', ALL))
    write('a')
    expect(client.heard()).to.deep.equal(['created 0 @1', 'events 0 @2: a2'])
  })

  it('sends nothing of a watcher after its cancellation, and is silent about an unknown id', () => {
    const { client, stream, write } = setUp()
    stream.create(watching('a'))
    stream.create(watching('a'))
    stream.cancel(0n)
    stream.cancel(9n)
    write('a')
    expect(client.heard().slice(2)).to.deep.equal(['canceled 0 @1', 'events 1 @2: a2'])
  })

  it('sends nothing to a closed stream, and forgets its watchers', () => {
    const { hub, client, stream, write } = setUp()
    write('a')
    stream.create(watching('a'))
    stream.create(watching('a', { startRevision: 1 }))
    client.heard()
    stream.close()
    stream.close()
    write('a')
    stream.create(watching('a'))
    stream.cancel(0n)
    stream.requestProgress()
    stream.drained()
    hub.progressTick()
    expect(hub.catchUp(100)).to.equal(true)
    expect(client.heard()).to.deep.equal([])
    expect(hub.stats()).to.include({ streams: 0, watchers: 0, laggingWatchers: 0 })
  })
})

describe('WatchHub: events', () => {
  it('matches single keys, ranges and "from here on"', () => {
    const { client, stream, write } = setUp()
    stream.create(watching('b'))
    stream.create(watching('b', { rangeEnd: 'c' }))
    stream.create(watching('b', ALL))
    client.heard()
    for (const key of ['a', 'b', 'bb', 'c']) write(key)
    expect(client.heard()).to.deep.equal([
      'events 0 @3: b3',
      'events 1 @3: b3',
      'events 2 @3: b3',
      'events 1 @4: bb4',
      'events 2 @4: bb4',
      'events 2 @5: c5',
    ])
  })

  it('puts all events of a revision that a watcher asked for into one answer', () => {
    const { client, stream, write } = setUp()
    stream.create(watching('a', { rangeEnd: 'c' }))
    write('a', 'b', 'c')
    expect(client.heard()).to.deep.equal(['created 0 @1', 'events 0 @2: a2 b2'])
  })

  it('leaves out what is filtered, and the whole answer when everything is', () => {
    const { client, stream, write } = setUp()
    stream.create(watching('a', { ...ALL, noPut: true }))
    stream.create(watching('a', { ...ALL, noDelete: true }))
    client.heard()
    write('a')
    write('-a', 'b')
    write('-b')
    expect(client.heard()).to.deep.equal(['events 1 @2: a2', 'events 0 @3: -a3', 'events 1 @3: b3', 'events 0 @4: -b4'])
  })

  it('adds the version before on request', () => {
    const { client, stream, write } = setUp()
    stream.create(watching('a', { prevKv: true }))
    client.heard()
    for (const change of ['a', 'a', '-a', 'a']) write(change)
    expect(client.heard()).to.deep.equal([
      'events 0 @2: a2',
      'events 0 @3: a3<2',
      'events 0 @4: -a4<3',
      'events 0 @5: a5',
    ])
  })

  it('means by the version before the one before the revision, when a revision changes a key twice', () => {
    const { client, stream, write } = setUp()
    stream.create(watching('a', { ...ALL, prevKv: true }))
    write('a')
    write('a', '-a', 'b', '-b')
    expect(client.heard()).to.deep.equal(['created 0 @1', 'events 0 @2: a2', 'events 0 @3: a3<2 -a3<2 b3 -b3'])
  })

  it('hands on the wish for fragments', () => {
    const { client, stream, write } = setUp()
    stream.create(watching('a', { fragment: true }))
    write('a')
    expect(client.answers.at(-1)).to.include({ kind: 'events', fragment: true })
  })

  it('gives the same array of events to all watchers who are told the same', () => {
    const { hub, client, stream, write } = setUp()
    for (let i = 0; i < 1000; i++) stream.create(watching('a'))
    stream.create(watching('a', ALL))
    hub.openStream(client).create(watching('a'))
    client.heard()
    write('a')
    expect(client.answers).to.have.length(1002)
    expect(new Set(client.answers.map((answer) => answer.kind === 'events' && answer.events)).size).to.equal(1)
  })

  it('gives the same array of past events to all watchers who wait for the same, and reads it once', () => {
    const { store, hub, client, stream, write } = setUp()
    for (let i = 0; i < 10; i++) write('a')
    for (let i = 0; i < 100; i++) stream.create(watching('a', { startRevision: 3 }))
    client.heard()
    hub.catchUp(1000)
    expect(client.answers).to.have.length(100)
    expect(new Set(client.answers.map((answer) => answer.kind === 'events' && answer.events)).size).to.equal(1)
    expect(store.reads).to.equal(1)
  })

  it('refuses to publish a revision out of turn', () => {
    const { store, hub } = setUp()
    store.write('a')
    const later = store.write('a')
    expect(() => hub.publish(later as NonNullable<typeof later>)).to.throw(
      'revision 3 was published where 2 was expected',
    )
  })
})

describe('WatchHub: start revisions', () => {
  it('replays from a past start revision, in one answer with the current revision', () => {
    const { hub, client, stream, write, calls } = setUp()
    for (const key of ['a', 'b', 'a', 'b']) write(key)
    stream.create(watching('a', { startRevision: 3 }))
    expect(client.heard()).to.deep.equal(['created 0 @5'])
    expect(calls.pending).to.equal(1)
    expect(hub.catchUp(100)).to.equal(true)
    expect(client.heard()).to.deep.equal(['events 0 @5: a4'])
    write('a')
    expect(client.heard()).to.deep.equal(['events 0 @6: a6'])
  })

  it('is silent until a future start revision', () => {
    const { hub, client, stream, write } = setUp()
    stream.create(watching('a', { startRevision: 4 }))
    for (let i = 0; i < 4; i++) write('a')
    expect(hub.catchUpPending).to.equal(false)
    expect(client.heard()).to.deep.equal(['created 0 @1', 'events 0 @4: a4', 'events 0 @5: a5'])
  })

  it('serves the compact revision itself, and answers compacted below it', () => {
    const { store, hub, client, stream, write } = setUp()
    for (let i = 0; i < 4; i++) write('a')
    store.compact(4)
    stream.create(watching('a', { startRevision: 4 }))
    stream.create(watching('a', { startRevision: 3 }))
    hub.catchUp(100)
    expect(client.heard()).to.deep.equal(['created 0 @5', 'created 1 @5', 'events 0 @5: a4 a5', 'compacted 1: 4'])
  })

  it('keeps the id of a compacted watcher until it is canceled', () => {
    const { store, hub, client, stream, write } = setUp()
    for (let i = 0; i < 4; i++) write('a')
    store.compact(4)
    stream.create(watching('a', { startRevision: 2, watchId: 5n }))
    hub.catchUp(100)
    client.heard()
    write('a')
    stream.create(watching('a', { watchId: 5n }))
    stream.requestProgress()
    stream.cancel(5n)
    stream.create(watching('a', { watchId: 5n }))
    expect(client.heard()).to.deep.equal(['refused @6: duplicate-id', 'canceled 5 @6', 'created 5 @6'])
  })

  it('does not read what was applied but not published yet', () => {
    const { store, hub, client, stream, write } = setUp()
    write('a')
    stream.create(watching('a', { startRevision: 2 }))
    const applied = store.write('a')
    hub.catchUp(100)
    hub.publish(applied as NonNullable<typeof applied>)
    expect(client.heard()).to.deep.equal(['created 0 @2', 'events 0 @2: a2', 'events 0 @3: a3'])
  })
})

describe('WatchHub: slow clients', () => {
  it('sends a full sink no events before it has drained, then all of them, and goes on live', () => {
    const { hub, client, stream, write, calls } = setUp()
    client.room = 2
    stream.create(watching('a'))
    for (let i = 0; i < 4; i++) write('a')
    expect(client.heard()).to.deep.equal(['created 0 @1', 'events 0 @2: a2'])
    expect(hub.stats().laggingWatchers).to.equal(1)
    expect(hub.catchUp(100)).to.equal(true)
    expect(calls.pending).to.equal(0)
    client.room = 10
    stream.drained()
    expect(calls.pending).to.equal(1)
    expect(hub.catchUp(100)).to.equal(true)
    write('a')
    expect(client.heard()).to.deep.equal(['events 0 @5: a3 a4 a5', 'events 0 @6: a6'])
    expect(hub.stats()).to.include({ laggingWatchers: 0, eventsSent: 5 })
  })

  it('does not let a slow client delay a fast one', () => {
    const { hub, client, stream, write } = setUp()
    const fast = new Client()
    hub.openStream(fast).create(watching('a'))
    client.room = 1
    stream.create(watching('a'))
    write('a')
    expect(client.heard()).to.deep.equal(['created 0 @1'])
    expect(fast.heard()).to.deep.equal(['created 0 @1', 'events 0 @2: a2'])
  })

  it('lets only those watchers of a full stream lag for whom something happens', () => {
    const { hub, client, stream, write } = setUp()
    stream.create(watching('a'))
    client.room = 1
    stream.create(watching('b'))
    write('a')
    expect(hub.stats()).to.include({ watchers: 2, laggingWatchers: 1 })
  })

  it('tells a watcher whose backlog was compacted, but not one that lags by nothing', () => {
    const { store, hub, client, stream, write } = setUp()
    stream.create(watching('a'))
    client.room = 1
    stream.create(watching('b'))
    for (let i = 0; i < 3; i++) write('a')
    store.compact(4)
    client.room = 10
    stream.drained()
    hub.catchUp(100)
    write('b')
    expect(client.heard().slice(2)).to.deep.equal(['compacted 0: 4', 'events 1 @5: b5'])
  })

  it('cuts catch-up answers between revisions, by number and by size', () => {
    for (const limits of [{ batchRevisions: 2 }, { batchBytes: 3 * ENCODED_LENGTH }]) {
      const { hub, client, stream, write } = setUp(limits)
      for (let i = 0; i < 3; i++) write('a', 'b')
      stream.create(watching('a', { ...ALL, startRevision: 1 }))
      expect(hub.catchUp(100)).to.equal(true)
      expect(client.heard().slice(1)).to.deep.equal(['events 0 @3: a2 b2 a3 b3', 'events 0 @4: a4 b4'])
    }
  })

  it('gives streams and watchers turns, and stops when the budget is used up', () => {
    const { hub, client, stream, write } = setUp({ batchRevisions: 1 })
    for (let i = 0; i < 2; i++) write('a')
    const other = new Client()
    stream.create(watching('a', { startRevision: 2 }))
    stream.create(watching('a', { startRevision: 2 }))
    hub.openStream(other).create(watching('a', { startRevision: 2 }))
    client.heard()
    other.heard()
    expect(hub.catchUp(3)).to.equal(false)
    expect(client.heard()).to.deep.equal(['events 0 @2: a2', 'events 1 @2: a2'])
    expect(other.heard()).to.deep.equal(['events 0 @2: a2'])
    expect(hub.catchUp(3)).to.equal(true)
    expect(hub.catchUpPending).to.equal(false)
  })
})

describe('WatchHub: progress', () => {
  it('answers a request once with id -1, after all that was sent before', () => {
    const { client, stream, write } = setUp()
    stream.create(watching('a'))
    stream.create(watching('b'))
    write('a')
    stream.requestProgress()
    expect(client.heard().slice(2)).to.deep.equal(['events 0 @2: a2', 'progress -1 @2'])
  })

  it('is silent without watchers, while one lags, and before the start revision of one', () => {
    const { hub, client, stream, write } = setUp()
    stream.requestProgress()
    write('a')
    stream.create(watching('a', { startRevision: 2 }))
    stream.requestProgress()
    hub.catchUp(10)
    stream.requestProgress()
    stream.create(watching('a', { startRevision: 3 }))
    stream.requestProgress()
    write('b')
    stream.requestProgress()
    expect(client.heard()).to.deep.equal([
      'created 0 @2',
      'events 0 @2: a2',
      'progress -1 @2',
      'created 1 @2',
      'progress -1 @3',
    ])
  })

  it('answers requests that came while the sink was full once it has drained, unless a watcher lags by then', () => {
    const { client, stream, write } = setUp()
    client.room = 1
    stream.create(watching('a'))
    stream.requestProgress()
    stream.requestProgress()
    write('b')
    client.room = 1
    stream.drained()
    stream.requestProgress()
    write('a')
    stream.drained()
    expect(client.heard()).to.deep.equal(['created 0 @1', 'progress -1 @2'])
  })

  it('notifies at each tick the watchers that asked for it and were sent nothing since the last one', () => {
    const { hub, client, stream, write } = setUp()
    stream.create(watching('a', { progressNotify: true }))
    stream.create(watching('b', { progressNotify: true }))
    stream.create(watching('c'))
    client.heard()
    hub.progressTick()
    expect(client.heard()).to.deep.equal(['progress 0 @1', 'progress 1 @1'])
    write('a')
    hub.progressTick()
    expect(client.heard()).to.deep.equal(['events 0 @2: a2', 'progress 1 @2'])
    hub.progressTick()
    expect(client.heard()).to.deep.equal(['progress 0 @2', 'progress 1 @2'])
  })

  it('notifies nobody who lags, has not started, or has no room', () => {
    const { hub, client, stream, write } = setUp()
    write('a')
    stream.create(watching('a', { progressNotify: true, startRevision: 1 }))
    client.room = 1
    stream.create(watching('a', { progressNotify: true, startRevision: 9 }))
    stream.create(watching('b', { progressNotify: true }))
    client.heard()
    hub.progressTick()
    client.room = 10
    stream.drained()
    hub.progressTick()
    expect(client.heard()).to.deep.equal(['progress 2 @2'])
  })
})
