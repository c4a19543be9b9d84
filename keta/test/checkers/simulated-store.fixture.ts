/**
 * A store that does everything right, at once and in one place. What can be wrong about a cluster is wrong in its
 * subclasses, each of which replaces a step or two.
 */
import { isInRange, isWithin, Timeline } from './timeline.ts'
import type { KeyRange, KvAnswer, Request, WatchEvent, WatchResponse } from './history.ts'
import { evaluate } from './kv-model.ts'

export type Chance = () => number

/** How a session stands with the store. */
export interface Cursor extends KeyRange {
  readonly prevKv: boolean
  /** The first revision that has not been sent. */
  next: number
}

export class SimulatedStore {
  protected timeline = new Timeline()
  protected readonly chance: Chance

  constructor(chance: Chance) {
    this.chance = chance
  }

  get revision(): number {
    return this.timeline.revision
  }

  /** A request takes effect. */
  handle(request: Request): KvAnswer {
    return this.execute(request)
  }

  /** It is refused for good: nothing happens. */
  refuse(_request: Request): void {}

  /** A leader is lost, and another one takes over: nothing is to be seen of it. */
  changeLeader(): void {}

  /** What is next for a session; events of up to some revisions an answer, or a progress notification. */
  deliver(cursor: Cursor, at: number): readonly WatchResponse[] {
    const events = this.eventsFrom(cursor)
    const upTo = this.revision
    cursor.next = Math.max(cursor.next, upTo + 1)
    if (events.length === 0) {
      return upTo >= cursor.next - 1 && this.chance() < 0.5 ? [{ at, revision: upTo, progress: true, events: [] }] : []
    }
    return this.batches(events).map((batch) => ({ at, revision: upTo, events: batch }))
  }

  protected execute(request: Request, base = this.revision): KvAnswer {
    const { result, changes } = evaluate(this.timeline, request, base)
    if (changes.length > 0) this.timeline.append(this.revision + 1, changes)
    return { revision: this.revision, result }
  }

  /** Back to an earlier state. */
  protected truncate(revision: number): void {
    const old = this.timeline
    this.timeline = new Timeline()
    for (const one of old.revisions) if (one <= revision) this.timeline.append(one, old.changesAt(one))
  }

  protected eventsFrom(cursor: Cursor): readonly WatchEvent[] {
    const revisions = this.timeline.revisions
    let first = revisions.length
    while (first > 0 && (revisions[first - 1] ?? 0) >= cursor.next) first--
    return revisions.slice(first).flatMap((revision) => this.eventsAt(revision, cursor))
  }

  protected eventsAt(revision: number, cursor: Cursor): readonly WatchEvent[] {
    const [before, after] = [this.timeline.at(revision - 1), this.timeline.at(revision)]
    return this.timeline
      .changesAt(revision)
      .filter(({ key }) => isInRange(key, cursor))
      .map(({ type, key }) => {
        const prevKv = cursor.prevKv ? before.get(key) : undefined
        return { type, ...(after.get(key) ?? { key, modRevision: revision }), ...(prevKv && { prevKv }) }
      })
  }

  /** Whole revisions, one or more to a batch. */
  protected batches(events: readonly WatchEvent[]): readonly (readonly WatchEvent[])[] {
    const batches: WatchEvent[][] = []
    for (const event of events) {
      const batch = batches.at(-1)
      if (batch && (batch.at(-1)?.modRevision === event.modRevision || this.chance() < 0.6)) batch.push(event)
      else batches.push([event])
    }
    return batches
  }
}

export const EVERYTHING: KeyRange = { key: '\0', rangeEnd: '\0' }

/** Whether a session is of all keys. */
export function isOfEverything(cursor: Cursor): boolean {
  return isWithin(EVERYTHING, cursor)
}
