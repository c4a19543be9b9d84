/**
 * etcd's watch guarantees as a property: random writes, watchers, slow sinks, compactions and catch-up budgets, and an
 * oracle that knows all commits and checks every answer when it arrives. Runs on any store.
 *
 * - ordered, unique, atomic, reliable: the events of an answer are exactly the oracle's from the first revision that
 * the
 *   watcher has not been told about up to the answer's header revision.
 * - bookmarkable: progress R comes only when nothing up to R is owed.
 * - resumable: watchers may start at any past revision; they are owed everything from there, or the answer compacted.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import type { Key } from '../bytes/key.ts'
import { contains, rangeOf } from '../bytes/key.ts'
import type { Commit, Event } from '../mvcc/kv.ts'
import type { WritableHistory } from './naive-store-suite.ts'
import { watching } from './naive-store-suite.ts'
import type { WatchAnswer, WatchEvent, WatchRequest, WatchSink, WatchStream } from './watch.ts'
import { WatchHub } from './watch-hub.ts'

type Action =
  | { readonly do: 'write'; readonly changes: readonly string[] }
  | { readonly do: 'create'; readonly client: number; readonly request: WatchRequest; readonly start: StartRevision }
  | { readonly do: 'cancel'; readonly client: number; readonly watchId: number }
  | { readonly do: 'drain'; readonly client: number; readonly room: number }
  | { readonly do: 'requestProgress'; readonly client: number }
  | { readonly do: 'reopen'; readonly client: number }
  | { readonly do: 'compact'; readonly back: number }
  | { readonly do: 'catchUp'; readonly budget: number }
  | { readonly do: 'progressTick' }

/** Relative to the store's state at the time of creation. */
type StartRevision = { readonly from: 'now' | 'current' | 'compact'; readonly distance: number }

interface ModelWatch {
  readonly request: WatchRequest
  /** The next revision the client has not been told about. */
  next: number
  compacted: boolean
  /** Nothing has ever given it a reason to lag. */
  alwaysSynced: boolean
}

const KEYS = ['a', 'ab', 'b', 'c', 'd']
const CLIENTS = 3

const aRange = fc.constantFrom(
  ['a', ''],
  ['ab', ''],
  ['d', ''],
  ['a', 'b'],
  ['a', 'c'],
  ['ab', 'd'],
  ['b', '\0'],
  ['', '\0'],
)
const anyRequest = fc
  .tuple(aRange, fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean(), fc.constantFrom(0n, 0n, 1n, 2n, 5n))
  .map(([[key = '', rangeEnd = ''], prevKv, progressNotify, noPut, one, watchId]) =>
    watching(key, { rangeEnd, prevKv, progressNotify, noPut: noPut && one, noDelete: !noPut && one, watchId }),
  )
const aStart: fc.Arbitrary<StartRevision> = fc.record({
  from: fc.constantFrom('now', 'current', 'compact'),
  distance: fc.integer({ min: -4, max: 2 }),
})
const aChange = fc.tuple(fc.constantFrom(...KEYS), fc.boolean()).map(([key, isDelete]) => (isDelete ? `-${key}` : key))
const someChanges = fc.uniqueArray(aChange, {
  minLength: 1,
  maxLength: 3,
  selector: (change) => change.replace('-', ''),
})
const client = fc.nat(CLIENTS - 1)

const anyAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant<'write'>('write'), changes: someChanges }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant<'create'>('create'), client, request: anyRequest, start: aStart }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant<'cancel'>('cancel'), client, watchId: fc.nat(5) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant<'drain'>('drain'), client, room: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant<'requestProgress'>('requestProgress'), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant<'reopen'>('reopen'), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant<'compact'>('compact'), back: fc.nat(4) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant<'catchUp'>('catchUp'), budget: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant<'progressTick'>('progressTick') }) },
)

/** Defines the property as a test. */
export function itKeepsTheWatchGuarantees(makeStore: () => WritableHistory): void {
  it('keeps the watch guarantees whatever clients, writers and compactions do', () => {
    const seen = new Map<string, number>()
    const actions = fc.array(anyAction, { minLength: 10, maxLength: 100, size: 'max' })
    const property = fc.property(actions, fc.integer({ min: 1, max: 3 }), (steps, batchRevisions) => {
      const simulation = new Simulation(makeStore(), batchRevisions, seen)
      for (const action of steps) simulation.step(action)
      simulation.quiesce()
    })
    fc.assert(property, { numRuns: 400, seed: 1 })
    const kinds = ['live', 'past', 'progress', 'manual progress', 'compacted', 'canceled', 'duplicate-id', 'previous']
    for (const kind of kinds) expect(seen.get(kind) ?? 0, `answers of kind ${kind}`).to.be.greaterThan(50)
  })
}

/** All commits ever published, whatever was compacted. */
class Oracle {
  readonly #commits: Commit[] = []
  /** The newest published revision. */
  revision: number

  constructor(revision: number) {
    this.revision = revision
  }

  record(commit: Commit): void {
    this.#commits.push(commit)
    this.revision = commit.revision
  }

  /** What the watcher has asked for of the revisions `from` … `to`. */
  wanted(request: WatchRequest, from: number, to: number): Event[] {
    const range = rangeOf(request.key === '' ? ('\0' as Key) : request.key, request.rangeEnd)
    return this.#commits
      .filter(({ revision }) => revision >= from && revision <= to)
      .flatMap(({ events }) => events)
      .filter(({ version }) => contains(range, version.key))
      .filter(({ version }) => (version.version === 0 ? !request.noDelete : !request.noPut))
  }
}

class Simulation {
  readonly #store: WritableHistory
  readonly #oracle: Oracle
  readonly #hub: WatchHub
  readonly #clients: ModelClient[] = []
  readonly #seen: Map<string, number>
  #pendingCalls = 0

  constructor(store: WritableHistory, batchRevisions: number, seen: Map<string, number>) {
    this.#store = store
    this.#seen = seen
    this.#oracle = new Oracle(store.revision)
    this.#hub = new WatchHub(store, () => (this.#pendingCalls += 1), { batchRevisions })
    for (let i = 0; i < CLIENTS; i++) this.#open(i)
  }

  step(action: Action): void {
    const wasPending = this.#hub.catchUpPending
    const callsBefore = this.#pendingCalls
    this.#perform(action)
    const becamePending = this.#hub.catchUpPending && !wasPending
    if (becamePending) expect(this.#pendingCalls).to.be.greaterThan(callsBefore)
  }

  /** Lets everybody take everything, and checks that nothing is owed then. */
  quiesce(): void {
    for (const client of this.#clients) client.drain(Number.POSITIVE_INFINITY)
    while (!this.#hub.catchUp(3));
    expect(this.#hub.stats()).to.include({ laggingWatchers: 0 })
    for (const client of this.#clients) client.expectNothingOwed()
    this.#hub.progressTick()
    for (const client of this.#clients) client.expectProgress(() => this.#hub.progressTick())
  }

  #perform(action: Action): void {
    switch (action.do) {
      case 'write':
        this.#write(action.changes)
        break
      case 'create':
        this.#client(action.client).create({ ...action.request, startRevision: this.#resolve(action.start) })
        break
      case 'cancel':
        this.#client(action.client).cancel(BigInt(action.watchId))
        break
      case 'drain':
        this.#client(action.client).drain(action.room)
        break
      case 'requestProgress':
        this.#client(action.client).requestProgress()
        break
      case 'reopen':
        this.#client(action.client).close()
        this.#open(action.client)
        break
      case 'compact':
        this.#compact(this.#store.revision - action.back)
        break
      case 'catchUp':
        expect(this.#hub.catchUp(action.budget)).to.equal(!this.#hub.catchUpPending)
        break
      case 'progressTick':
        this.#hub.progressTick()
    }
  }

  #write(changes: readonly string[]): void {
    const commit = this.#store.write(...changes)
    if (commit === undefined) return
    // The oracle first: the hub sends while it publishes.
    this.#oracle.record(commit)
    this.#hub.publish(commit)
  }

  #compact(revision: number): void {
    if (revision > Math.max(this.#store.compactRevision, 1)) this.#store.compact(revision)
  }

  #resolve({ from, distance }: StartRevision): number {
    if (from === 'now') return 0
    const origin = from === 'current' ? this.#store.revision : Math.max(1, this.#store.compactRevision)
    return Math.max(0, origin + distance)
  }

  #client(index: number): ModelClient {
    return this.#clients[index] as ModelClient
  }

  #open(index: number): void {
    this.#clients[index] = new ModelClient(this.#store, this.#oracle, this.#hub, this.#seen)
  }
}

/** A client that knows what it is owed. Every answer is checked in `send`. */
class ModelClient implements WatchSink {
  readonly #store: WritableHistory
  readonly #oracle: Oracle
  readonly #seen: Map<string, number>
  readonly #stream: WatchStream
  readonly #watches = new Map<bigint, ModelWatch>()
  #nextId = 0n
  #room = 3
  #full = false
  #closed = false
  #progressRequests = 0
  /** The answer that must come during the call under way. */
  #due: WatchAnswer | undefined
  #progressed: bigint[] = []

  constructor(store: WritableHistory, oracle: Oracle, hub: WatchHub, seen: Map<string, number>) {
    this.#store = store
    this.#oracle = oracle
    this.#seen = seen
    this.#stream = hub.openStream(this)
  }

  create(request: WatchRequest): void {
    const { revision } = this.#oracle
    if (request.watchId !== 0n && this.#watches.has(request.watchId)) {
      this.#expecting({ kind: 'refused', revision, reason: 'duplicate-id' }, () => this.#stream.create(request))
      return
    }
    while (request.watchId === 0n && this.#watches.has(this.#nextId)) this.#nextId += 1n
    const watchId = request.watchId === 0n ? this.#nextId++ : request.watchId
    const next = request.startRevision === 0 ? revision + 1 : request.startRevision
    this.#expecting({ kind: 'created', watchId, revision }, () => this.#stream.create(request))
    const alwaysSynced = next > revision && !this.#full
    this.#watches.set(watchId, { request, next, compacted: false, alwaysSynced })
  }

  cancel(watchId: bigint): void {
    if (!this.#watches.delete(watchId)) {
      this.#stream.cancel(watchId)
      return
    }
    const canceled: WatchAnswer = { kind: 'canceled', watchId, revision: this.#oracle.revision }
    this.#expecting(canceled, () => this.#stream.cancel(watchId))
  }

  requestProgress(): void {
    this.#progressRequests += 1
    this.#stream.requestProgress()
  }

  drain(room: number): void {
    this.#room = room
    this.#full = false
    this.#stream.drained()
  }

  close(): void {
    this.#stream.close()
    this.#closed = true
  }

  send(answer: WatchAnswer): boolean {
    expect(this.#closed, 'closed').to.equal(false)
    this.#check(answer)
    this.#room -= 1
    if (this.#room <= 0) this.#becomeFull()
    return this.#room > 0
  }

  expectNothingOwed(): void {
    for (const watch of this.#watches.values()) {
      if (watch.compacted) continue
      expect(this.#wanted(watch, this.#oracle.revision)).to.deep.equal([])
    }
  }

  /** In quiescence, progress comes for exactly those who are owed it. */
  expectProgress(tick: () => void): void {
    const current = [...this.#watches].filter(([, watch]) => !watch.compacted && this.#isStarted(watch))
    this.#progressed = []
    tick()
    const notified = current.filter(([, { request }]) => request.progressNotify)
    expect(this.#progressed).to.have.members(notified.map(([watchId]) => watchId))
    this.#progressed = []
    this.requestProgress()
    const answers = this.#watches.size > 0 && current.length === this.#watches.size
    expect(this.#progressed).to.deep.equal(answers ? [-1n] : [])
  }

  #check(answer: WatchAnswer): void {
    if (answer.kind === 'created' || answer.kind === 'refused' || answer.kind === 'canceled') {
      expect(answer).to.deep.equal(this.#due)
      this.#due = undefined
      this.#count(answer.kind === 'refused' ? answer.reason : answer.kind)
      return
    }
    expect(this.#full, `${answer.kind} for a full sink`).to.equal(false)
    expect(this.#due, 'another answer is due').to.equal(undefined)
    if (answer.kind === 'progress' && answer.watchId === -1n) this.#checkManualProgress(answer.revision)
    else if (answer.kind === 'progress') this.#checkProgress(this.#watch(answer.watchId), answer.revision)
    else if (answer.kind === 'compacted') this.#checkCompacted(this.#watch(answer.watchId), answer.compactRevision)
    else this.#checkEvents(this.#watch(answer.watchId), answer.revision, answer.events)
    if (answer.kind === 'progress') this.#progressed.push(answer.watchId)
  }

  #checkEvents(watch: ModelWatch, revision: number, events: readonly WatchEvent[]): void {
    expect(events).to.not.have.length(0)
    expect(revision).to.be.at.most(this.#oracle.revision)
    const wanted = this.#wanted(watch, revision)
    expect(events.map(({ event }) => identityOf(event))).to.deep.equal(wanted.map(identityOf))
    for (const [i, { previous }] of events.entries()) this.#checkPrevious(watch, wanted[i] as Event, previous)
    watch.next = revision + 1
    this.#count(watch.alwaysSynced ? 'live' : 'past')
  }

  #checkPrevious(watch: ModelWatch, wanted: Event, previous: Event['previous']): void {
    const isGone = this.#store.compactRevision >= wanted.version.modRevision
    const expected = watch.request.prevKv && !(isGone && previous === undefined) ? wanted.previous : undefined
    expect(previous?.modRevision).to.equal(expected?.modRevision)
    expect(previous?.key).to.equal(expected?.key)
    if (previous !== undefined) this.#count('previous')
  }

  #checkProgress(watch: ModelWatch, revision: number): void {
    expect(watch.compacted).to.equal(false)
    expect(this.#isStarted(watch), 'started').to.equal(true)
    expect(watch.request.progressNotify).to.equal(true)
    this.#checkBookmark(watch, revision)
    this.#count('progress')
  }

  #checkManualProgress(revision: number): void {
    expect(this.#progressRequests).to.be.greaterThan(0)
    this.#progressRequests -= 1
    expect(this.#watches.size).to.be.greaterThan(0)
    for (const watch of this.#watches.values()) {
      expect(watch.compacted).to.equal(false)
      expect(this.#isStarted(watch), 'started').to.equal(true)
      this.#checkBookmark(watch, revision)
    }
    this.#count('manual progress')
  }

  #checkBookmark(watch: ModelWatch, revision: number): void {
    expect(revision).to.equal(this.#oracle.revision)
    expect(this.#wanted(watch, revision), `owed at progress ${revision}`).to.deep.equal([])
    watch.next = Math.max(watch.next, revision + 1)
  }

  #checkCompacted(watch: ModelWatch, compactRevision: number): void {
    expect(compactRevision).to.equal(this.#store.compactRevision)
    expect(watch.next).to.be.lessThan(compactRevision)
    expect(watch.alwaysSynced, 'never lagged').to.equal(false)
    expect(watch.compacted).to.equal(false)
    watch.compacted = true
    this.#count('compacted')
  }

  #becomeFull(): void {
    this.#full = true
    for (const watch of this.#watches.values()) watch.alwaysSynced = false
  }

  #expecting(answer: WatchAnswer, call: () => void): void {
    this.#due = answer
    call()
    expect(this.#due, 'the answer that was due').to.equal(undefined)
  }

  #wanted(watch: ModelWatch, to: number): Event[] {
    return this.#oracle.wanted(watch.request, watch.next, to)
  }

  #isStarted(watch: ModelWatch): boolean {
    return watch.request.startRevision <= this.#oracle.revision
  }

  #watch(watchId: bigint): ModelWatch {
    const watch = this.#watches.get(watchId)
    if (watch === undefined) throw new Error(`an answer for watch ${watchId}, which does not exist`)
    return watch
  }

  #count(kind: string): void {
    this.#seen.set(kind, (this.#seen.get(kind) ?? 0) + 1)
  }
}

function identityOf({ version }: Event): string {
  const { key, modRevision, createRevision, sub } = version
  const kind = version.version === 0 ? 'delete' : 'put'
  return `${kind} ${key} ${modRevision}.${sub} of ${createRevision} v${version.version}`
}
