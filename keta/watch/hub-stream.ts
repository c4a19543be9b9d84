/** One client's stream on the hub: its watchers and their ids, and whether its sink can take more. */
import type { Key, KeyRange } from '../bytes/key.ts'
import { EMPTY_KEY, isEmptyRange, rangeOf } from '../bytes/key.ts'
import { Rotation } from './rotation.ts'
import type { RefusalReason, WatchAnswer, WatchRequest, WatchSink, WatchStream } from './watch.ts'
import type { Interest, Watcher, WatcherOwner, Wish } from './watcher.ts'

const SMALLEST_KEY = '\0' as Key
const CHOOSE_AN_ID = 0n
const ALL_WATCHERS = -1n

/** What a stream needs of the hub. */
export interface StreamHost {
  /** The newest published revision. */
  readonly revision: number
  acquireInterest(wish: Wish): Interest
  releaseInterest(interest: Interest): void
  /** The stream has lagging watchers and room for what they are owed. */
  wantsCatchUp(stream: HubStream): void
  /** It has none, or no room. */
  leavesCatchUp(stream: HubStream): void
  closed(stream: HubStream): void
}

export class HubStream implements WatchStream, WatcherOwner {
  readonly #host: StreamHost
  readonly #sink: WatchSink
  readonly #watchers = new Map<bigint, Watcher>()
  readonly #lagging = new Rotation<Watcher>()
  /** Where the search for an unused id begins. */
  #nextId = 0n
  #full = false
  #closed = false
  /** A manual progress request came while the sink was full. One answer serves any number of requests. */
  #progressOwed = false

  constructor(host: StreamHost, sink: WatchSink) {
    this.#host = host
    this.#sink = sink
  }

  get full(): boolean {
    return this.#full
  }

  get watcherCount(): number {
    return this.#watchers.size
  }

  get laggingCount(): number {
    return this.#lagging.size
  }

  create(request: WatchRequest): void {
    if (this.#closed) return
    const { revision } = this.#host
    const range = rangeOf(request.key === EMPTY_KEY ? SMALLEST_KEY : request.key, request.rangeEnd)
    const reason = this.#refusal(request, range)
    if (reason !== undefined) {
      this.send({ kind: 'refused', revision, reason })
      return
    }
    const { noPut, noDelete, prevKv, startRevision, progressNotify, fragment } = request
    const watcher: Watcher = {
      id: request.watchId === CHOOSE_AN_ID ? this.#chooseId() : request.watchId,
      owner: this,
      interest: this.#host.acquireInterest({ range, noPut, noDelete, prevKv }),
      startRevision,
      progressNotify,
      fragment,
      state: 'synced',
      cursor: startRevision === 0 ? revision + 1 : startRevision,
      quiet: true,
    }
    this.#watchers.set(watcher.id, watcher)
    this.send({ kind: 'created', watchId: watcher.id, revision })
    if (watcher.cursor > revision) watcher.interest.synced.add(watcher)
    else this.fellBehind(watcher, watcher.cursor)
  }

  cancel(watchId: bigint): void {
    const watcher = this.#watchers.get(watchId)
    if (watcher === undefined) return
    this.#forget(watcher)
    this.send({ kind: 'canceled', watchId, revision: this.#host.revision })
  }

  requestProgress(): void {
    if (!this.#everyWatcherIsCurrent()) return
    if (this.#full) this.#progressOwed = true
    else this.send({ kind: 'progress', watchId: ALL_WATCHERS, revision: this.#host.revision })
  }

  drained(): void {
    if (this.#closed) return
    this.#full = false
    if (this.#progressOwed) {
      this.#progressOwed = false
      this.requestProgress()
    }
    this.#offerCatchUp()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const watcher of this.#watchers.values()) this.#forget(watcher)
    this.#host.closed(this)
  }

  /** Sends progress to each watcher that asked for it, is current, and has been sent nothing since the last tick. */
  progressTick(): void {
    const { revision } = this.#host
    for (const watcher of this.#watchers.values()) {
      if (!watcher.progressNotify) continue
      const due = watcher.quiet && isCurrent(watcher, revision)
      watcher.quiet = true
      if (due && !this.#full) this.send({ kind: 'progress', watchId: watcher.id, revision })
    }
  }

  nextLagging(): Watcher | undefined {
    return this.#lagging.next()
  }

  send(answer: WatchAnswer): void {
    if (this.#sink.send(answer)) return
    this.#full = true
    this.#host.leavesCatchUp(this)
  }

  fellBehind(watcher: Watcher, revision: number): void {
    watcher.interest.synced.delete(watcher)
    watcher.state = 'lagging'
    watcher.cursor = revision
    this.#lagging.add(watcher)
    this.#offerCatchUp()
  }

  caughtUp(watcher: Watcher): void {
    watcher.state = 'synced'
    watcher.interest.synced.add(watcher)
    this.#endLag(watcher)
  }

  lostHistory(watcher: Watcher, compactRevision: number): void {
    watcher.state = 'compacted'
    this.#endLag(watcher)
    this.send({ kind: 'compacted', watchId: watcher.id, compactRevision })
  }

  /** The order of the checks is etcd's (server/etcdserver/api/v3rpc/watch.go, storage/mvcc/watcher.go). */
  #refusal(request: WatchRequest, range: KeyRange): RefusalReason | undefined {
    if (request.startRevision < 0) return 'compacted'
    if (isEmptyRange(range)) return 'empty-range'
    if (request.watchId !== CHOOSE_AN_ID && this.#watchers.has(request.watchId)) return 'duplicate-id'
    return undefined
  }

  #offerCatchUp(): void {
    if (!this.#full && this.#lagging.size > 0) this.#host.wantsCatchUp(this)
  }

  #endLag(watcher: Watcher): void {
    this.#lagging.delete(watcher)
    if (this.#lagging.size === 0) this.#host.leavesCatchUp(this)
  }

  #forget(watcher: Watcher): void {
    this.#watchers.delete(watcher.id)
    watcher.interest.synced.delete(watcher)
    this.#host.releaseInterest(watcher.interest)
    this.#endLag(watcher)
  }

  #chooseId(): bigint {
    while (this.#watchers.has(this.#nextId)) this.#nextId += 1n
    const id = this.#nextId
    this.#nextId += 1n
    return id
  }

  /** False for a stream without watchers too: etcd answers no progress there. */
  #everyWatcherIsCurrent(): boolean {
    if (this.#watchers.size === 0 || this.#lagging.size > 0) return false
    const { revision } = this.#host
    for (const watcher of this.#watchers.values()) {
      if (!isCurrent(watcher, revision)) return false
    }
    return true
  }
}

/** Synced and started: "everything up to `revision` has been delivered" is true and means something. */
function isCurrent(watcher: Watcher, revision: number): boolean {
  return watcher.state === 'synced' && watcher.startRevision <= revision
}
