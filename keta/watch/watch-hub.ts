/**
 * The hub: hands every commit to the watchers who asked for it, and brings those who lag behind back from history.
 *
 * Why no revision is lost or doubled. Let N be `revision` + 1, the revision that will be published next.
 *
 * - A synced watcher has been sent everything it asked for in [its start, N); it is owed nothing. `publish(N)` either
 *   sends it what it asked for in N, whole, in one answer, or, if its stream is full, makes it lagging with cursor N.
 * - A lagging watcher has been sent everything it asked for below its cursor and nothing from there on, and its
 *   cursor is ≤ revision. `publish` passes it over. Only a catch-up step moves the cursor: in one turn it reads the
 *   whole revisions [cursor, next), sends what was asked for of them in one answer, and sets the cursor to `next`;
 *   when `next` is N the watcher becomes synced in the same turn, and nothing can be published in between.
 *
 * A watcher is in one state at a time, so each revision reaches it by one of the two ways and once. A sink takes every
 * answer it is given; "full" only postpones the next one.
 */
import type { Commit, History } from '../mvcc/kv.ts'
import type { StreamHost } from './hub-stream.ts'
import { HubStream } from './hub-stream.ts'
import { InterestIndex } from './interest-index.ts'
import type { BatchLimits } from './past-reader.ts'
import { PastReader } from './past-reader.ts'
import { Rotation } from './rotation.ts'
import { selectLive } from './selection.ts'
import type { WatchEvent, WatchSink, WatchStream } from './watch.ts'
import type { Watcher } from './watcher.ts'

/**
 * 1000 revisions is etcd's batch; 1 MiB keeps an answer well below the 4 MiB that most gRPC clients accept by default.
 */
const DEFAULT_LIMITS: BatchLimits = { batchRevisions: 1000, batchBytes: 1024 * 1024 }

export interface WatchStats {
  readonly streams: number
  /** Watchers that hold an id. */
  readonly watchers: number
  /** Of these, the ones that history owes something. */
  readonly laggingWatchers: number
  /** Events given to sinks since the hub was made. */
  readonly eventsSent: number
}

export class WatchHub {
  readonly #history: History
  readonly #onCatchUpPending: () => void
  readonly #limits: BatchLimits
  readonly #interests = new InterestIndex()
  readonly #streams = new Set<HubStream>()
  /** Streams with lagging watchers and room for what these are owed. */
  readonly #catchingUp = new Rotation<HubStream>()
  readonly #host: StreamHost
  #revision: number
  #eventsSent = 0

  /**
   * @param history as of the moment before the first `publish`: its revision counts as published.
   * @param onCatchUpPending called when `catchUpPending` becomes true; it must not call back into the hub.
   */
  constructor(history: History, onCatchUpPending: () => void, limits: Partial<BatchLimits> = {}) {
    this.#history = history
    this.#onCatchUpPending = onCatchUpPending
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
    this.#revision = history.revision
    this.#host = this.#hostOfStreams()
  }

  /** True while `catchUp` has something to do. */
  get catchUpPending(): boolean {
    return this.#catchingUp.size > 0
  }

  openStream(sink: WatchSink): WatchStream {
    const stream = new HubStream(this.#host, sink)
    this.#streams.add(stream)
    return stream
  }

  /**
   * Tells the watchers what a revision did. To be called once for each commit, in order, right after it was applied.
   * The cost depends on the watchers that the commit concerns, not on how many there are or how far any of them lags.
   */
  publish(commit: Commit): void {
    const expected = this.#revision + 1
    if (commit.revision !== expected) {
      throw new Error(`revision ${commit.revision} was published where ${expected} was expected`)
    }
    this.#revision = commit.revision
    for (const { interest, events } of selectLive(commit, this.#interests)) {
      for (const watcher of interest.synced) {
        if (commit.revision < watcher.cursor) continue
        if (watcher.owner.full) watcher.owner.fellBehind(watcher, commit.revision)
        else this.#deliver(watcher, commit.revision, events)
      }
    }
  }

  /**
   * Brings lagging watchers forward, streams and the watchers of a stream taking turns of one batch each.
   * @param budget revisions to look at, about; the turn under way is finished.
   * @returns true when nothing is left that can be done now.
   */
  catchUp(budget: number): boolean {
    const past = new PastReader(this.#history, this.#limits, this.#revision)
    let left = budget
    while (left > 0) {
      const watcher = this.#catchingUp.next()?.nextLagging()
      if (watcher === undefined) return true
      left -= this.#bringForward(watcher, past)
    }
    return !this.catchUpPending
  }

  /**
   * To be called once every progress interval: watchers that asked for progress, are synced and started, and were sent
   * no event since the last tick are told the current revision. Those whose sink is full wait for the next tick.
   */
  progressTick(): void {
    for (const stream of this.#streams) stream.progressTick()
  }

  stats(): WatchStats {
    let watchers = 0
    let laggingWatchers = 0
    for (const stream of this.#streams) {
      watchers += stream.watcherCount
      laggingWatchers += stream.laggingCount
    }
    return { streams: this.#streams.size, watchers, laggingWatchers, eventsSent: this.#eventsSent }
  }

  /** One turn of one lagging watcher. Returns what it cost of the budget. */
  #bringForward(watcher: Watcher, past: PastReader): number {
    const { compactRevision } = this.#history
    if (watcher.cursor < compactRevision) {
      watcher.owner.lostHistory(watcher, compactRevision)
      return 1
    }
    const { events, next, cost } = past.read(watcher.cursor, watcher.interest)
    watcher.cursor = next
    if (next > this.#revision) watcher.owner.caughtUp(watcher)
    // Not the current revision while more is to come, as in etcd: so the header never promises what is still owed.
    if (events.length > 0) this.#deliver(watcher, next - 1, events)
    return cost
  }

  #deliver(watcher: Watcher, revision: number, events: readonly WatchEvent[]): void {
    watcher.quiet = false
    this.#eventsSent += events.length
    watcher.owner.send({ kind: 'events', watchId: watcher.id, revision, events, fragment: watcher.fragment })
  }

  #hostOfStreams(): StreamHost {
    const currentRevision = (): number => this.#revision
    return {
      get revision() {
        return currentRevision()
      },
      acquireInterest: (wish) => this.#interests.acquire(wish),
      releaseInterest: (interest) => this.#interests.release(interest),
      wantsCatchUp: (stream) => {
        const wasPending = this.catchUpPending
        this.#catchingUp.add(stream)
        if (!wasPending) this.#onCatchUpPending()
      },
      leavesCatchUp: (stream) => this.#catchingUp.delete(stream),
      closed: (stream) => {
        this.#streams.delete(stream)
        this.#catchingUp.delete(stream)
      },
    }
  }
}
