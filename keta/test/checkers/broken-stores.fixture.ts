/** Stores that are wrong in one way each, as clusters have been or could be, and who must find it. */
import type { Checker } from './anomaly.ts'
import type { KvAnswer, Request, Result, TxnRequest, WatchEvent, WatchResponse } from './history.ts'
import { evaluate, hasWritten, isReadOnly } from './kv-model.ts'
import { type Chance, type Cursor, isOfEverything, SimulatedStore } from './simulated-store.fixture.ts'
import { Timeline } from './timeline.ts'

export interface BrokenStore {
  readonly store: (chance: Chance) => SimulatedStore
  readonly foundBy: readonly Checker[]
}

/** How often a store does what it must not, where it could. */
const SOMETIMES = 0.05
/** For how many requests a change of the leader has consequences. */
const AFTERMATH = 30

class LostWrite extends SimulatedStore {
  override handle(request: Request): KvAnswer {
    if (isReadOnly(request) || this.chance() >= SOMETIMES) return super.handle(request)
    const { result } = evaluate(this.timeline, request, this.revision)
    return { revision: this.revision + (hasWritten(result) ? 1 : 0), result }
  }
}

class LostTail extends SimulatedStore {
  override changeLeader(): void {
    this.truncate(this.revision - 3)
  }
}

/** Something that follows a change of the leader for a while. */
class Aftermath extends SimulatedStore {
  protected requests = 0

  override changeLeader(): void {
    this.requests = AFTERMATH
  }

  protected isAffected(): boolean {
    return this.requests-- > 0
  }
}

class StaleRead extends Aftermath {
  override handle(request: Request): KvAnswer {
    if (!this.isAffected() || !isReadOnly(request) || this.revision < 10) return super.handle(request)
    const base = this.revision - 4
    return { revision: base, result: evaluate(this.timeline, request, base).result }
  }
}

class StaleReadNewHeader extends Aftermath {
  override handle(request: Request): KvAnswer {
    if (!this.isAffected() || !isReadOnly(request) || this.revision < 10) return super.handle(request)
    return { revision: this.revision, result: evaluate(this.timeline, request, this.revision - 4).result }
  }
}

class RevisionGoesBack extends Aftermath {
  override handle(request: Request): KvAnswer {
    const answer = super.handle(request)
    return this.isAffected() ? { ...answer, revision: Math.max(1, answer.revision - 2) } : answer
  }
}

/** The old leader goes on answering reads, from what it has, and with what it could not commit. */
class ZombieRead extends Aftermath {
  #zombie = new Timeline()

  override changeLeader(): void {
    super.changeLeader()
    this.#zombie = new Timeline()
    const { timeline } = this
    for (const revision of timeline.revisions) this.#zombie.append(revision, timeline.changesAt(revision))
  }

  override refuse(request: Request): void {
    const { changes } = evaluate(this.#zombie, request, this.#zombie.revision)
    if (changes.length > 0) this.#zombie.append(this.#zombie.revision + 1, changes)
  }

  override handle(request: Request): KvAnswer {
    if (!this.isAffected() || !isReadOnly(request) || this.chance() < 0.5) return super.handle(request)
    const { revision } = this.#zombie
    return { revision, result: evaluate(this.#zombie, request, revision).result }
  }
}

/** Reads see for a while what is then refused. */
class DirtyRead extends SimulatedStore {
  #dirty: Request | undefined
  #reads = 0

  override refuse(request: Request): void {
    this.#dirty = request
    this.#reads = 10
  }

  override handle(request: Request): KvAnswer {
    if (this.#dirty === undefined || !isReadOnly(request) || this.#reads-- <= 0) return super.handle(request)
    const { revision } = this
    super.execute(this.#dirty)
    const answer = super.handle(request)
    this.truncate(revision)
    return { ...answer, revision }
  }
}

class FailedWriteVisible extends SimulatedStore {
  override refuse(request: Request): void {
    if (this.chance() < 0.3) this.execute(request)
  }
}

class RepeatedWrite extends SimulatedStore {
  override handle(request: Request): KvAnswer {
    const answer = super.handle(request)
    if (request.f === 'put' && this.chance() < SOMETIMES) this.execute(request)
    return answer
  }
}

/** Applied again under another revision, which is the one that is told. */
class AcknowledgedTwice extends SimulatedStore {
  override handle(request: Request): KvAnswer {
    const answer = super.handle(request)
    return request.f === 'put' && this.chance() < SOMETIMES ? super.handle(request) : answer
  }
}

class WrongRevision extends SimulatedStore {
  override handle(request: Request): KvAnswer {
    const answer = super.handle(request)
    if (!hasWritten(answer.result) || this.chance() >= SOMETIMES) return answer
    return { ...answer, revision: answer.revision + 1 }
  }
}

abstract class OtherTxn extends SimulatedStore {
  override handle(request: Request): KvAnswer {
    return super.handle(request.f === 'txn' && this.chance() < 0.3 ? this.altered(request) : request)
  }

  protected abstract altered(txn: TxnRequest): TxnRequest
}

class CompareIgnored extends OtherTxn {
  protected override altered(txn: TxnRequest): TxnRequest {
    return { ...txn, compare: [] }
  }
}

/** Only what it writes is held against others: snapshot isolation. */
class WriteSkew extends OtherTxn {
  protected override altered(txn: TxnRequest): TxnRequest {
    const written = txn.success.flatMap((one) => (one.f === 'put' ? [one.key] : []))
    return { ...txn, compare: txn.compare.filter(({ key }) => written.includes(key)) }
  }
}

class HalfATxn extends OtherTxn {
  protected override altered(txn: TxnRequest): TxnRequest {
    return { ...txn, success: txn.success.slice(0, 1) }
  }
}

/** Conditions are evaluated on a state that is no longer the latest. */
class LostAppend extends SimulatedStore {
  override handle(request: Request): KvAnswer {
    if (request.f !== 'txn' || this.revision < 10 || this.chance() < 0.5) return super.handle(request)
    const before = evaluate(this.timeline, request, this.revision - 2).result
    if (before.f !== 'txn' || !before.succeeded) return super.handle(request)
    return super.handle({ ...request, compare: [] })
  }
}

/** The ranges of a transaction are read one after the other, while others write. */
class FracturedRead extends SimulatedStore {
  override handle(request: Request): KvAnswer {
    const { revision, result } = super.handle(request)
    if (request.f !== 'txn' || result.f !== 'txn' || !isReadOnly(request) || revision < 10) return { revision, result }
    const results = result.results.map((one, index): Result => {
      const part = request.success[index]
      return part && index === 0 ? evaluate(this.timeline, part, revision - 4).result : one
    })
    return { revision, result: { ...result, results } }
  }
}

class RangeMissesAKey extends SimulatedStore {
  override handle(request: Request): KvAnswer {
    const { revision, result } = super.handle(request)
    if (request.f !== 'range' || result.f !== 'range' || result.kvs.length < 2) return { revision, result }
    return { revision, result: { f: 'range', count: result.count - 1, kvs: result.kvs.slice(1) } }
  }
}

class PastIsPresent extends SimulatedStore {
  override handle(request: Request): KvAnswer {
    return super.handle(request.f === 'range' ? { ...request, revision: 0 } : request)
  }
}

class EventsReordered extends SimulatedStore {
  protected override eventsFrom(cursor: Cursor): readonly WatchEvent[] {
    const events = [...super.eventsFrom(cursor)]
    return events.length > 2 && this.chance() < SOMETIMES ? events.reverse() : events
  }
}

class EventDropped extends SimulatedStore {
  protected override eventsFrom(cursor: Cursor): readonly WatchEvent[] {
    return super.eventsFrom(cursor).filter(() => this.chance() > 0.01)
  }
}

class EventDroppedForAll extends SimulatedStore {
  protected override eventsFrom(cursor: Cursor): readonly WatchEvent[] {
    return super.eventsFrom(cursor).filter(({ modRevision }) => modRevision % 37 !== 5)
  }
}

class TxnSplitInWatch extends SimulatedStore {
  protected override batches(events: readonly WatchEvent[]): readonly (readonly WatchEvent[])[] {
    return super
      .batches(events)
      .flatMap((batch) => [batch.slice(0, 1), batch.slice(1)].filter(({ length }) => length > 0))
  }
}

class ProgressAhead extends SimulatedStore {
  override deliver(cursor: Cursor, at: number): readonly WatchResponse[] {
    const progress: WatchResponse = { at, revision: this.revision, progress: true, events: [] }
    return [progress, ...super.deliver(cursor, at)]
  }
}

class SentAgain extends SimulatedStore {
  override deliver(cursor: Cursor, at: number): readonly WatchResponse[] {
    if (this.chance() < SOMETIMES) cursor.next = Math.max(1, cursor.next - 2)
    return super.deliver(cursor, at)
  }
}

class SentUnasked extends SimulatedStore {
  protected override eventsFrom(cursor: Cursor): readonly WatchEvent[] {
    return super.eventsFrom(this.chance() < SOMETIMES ? { ...cursor, key: '\0', rangeEnd: '\0' } : cursor)
  }
}

class WrongPrevKv extends SimulatedStore {
  protected override eventsAt(revision: number, cursor: Cursor): readonly WatchEvent[] {
    const older = this.timeline.at(revision - 5)
    return super.eventsAt(revision, cursor).map((event) => {
      const prevKv = older.get(event.key)
      return event.prevKv && prevKv ? { ...event, prevKv } : event
    })
  }
}

class WrongVersion extends SimulatedStore {
  protected override eventsAt(revision: number, cursor: Cursor): readonly WatchEvent[] {
    return super.eventsAt(revision, cursor).map((event) => {
      return event.version === 1 ? { ...event, version: 2, createRevision: revision - 1 } : event
    })
  }
}

/** One member has been told another value. */
class MembersDiffer extends SimulatedStore {
  protected override eventsAt(revision: number, cursor: Cursor): readonly WatchEvent[] {
    const events = super.eventsAt(revision, cursor)
    if (isOfEverything(cursor) || revision % 20 !== 3) return events
    return events.map((event) => (event.type === 'put' ? { ...event, value: 'other' } : event))
  }
}

export const BROKEN_STORES: Readonly<Record<string, BrokenStore>> = {
  'an acknowledged write is lost': of(LostWrite, ['total-order', 'register', 'list-append', 'set']),
  'a new leader lacks the last writes': of(LostTail, ['real-time', 'watch', 'register', 'list-append', 'set']),
  'a new leader answers from an older state': of(StaleRead, ['real-time', 'register', 'list-append']),
  'an older state is told with a new header': of(StaleReadNewHeader, ['total-order', 'register', 'list-append']),
  'the revision goes back': of(RevisionGoesBack, ['real-time', 'total-order', 'register', 'list-append']),
  'the old leader still answers reads': of(ZombieRead, ['real-time', 'total-order', 'register', 'list-append']),
  'reads see what is not committed': of(DirtyRead, ['total-order', 'register', 'list-append']),
  'a failed write is visible': of(FailedWriteVisible, ['total-order', 'register', 'list-append', 'set']),
  'a write is applied twice': of(RepeatedWrite, ['total-order', 'register']),
  'a write is acknowledged with its second revision': of(AcknowledgedTwice, ['total-order']),
  'a write is acknowledged with a wrong revision': of(WrongRevision, ['total-order', 'real-time', 'register']),
  'conditions are ignored': of(CompareIgnored, ['total-order', 'register', 'list-append']),
  'conditions on what is only read are ignored': of(WriteSkew, ['total-order', 'list-append']),
  'half of a transaction is done': of(HalfATxn, ['total-order']),
  'conditions are evaluated too early': of(LostAppend, ['total-order', 'register', 'list-append']),
  'a transaction reads at several moments': of(FracturedRead, ['total-order', 'list-append']),
  'a range lacks a key': of(RangeMissesAKey, ['total-order', 'set']),
  'a range in the past shows the present': of(PastIsPresent, ['total-order']),
  'events are sent in another order': of(EventsReordered, ['watch']),
  'an event is not sent to one watcher': of(EventDropped, ['watch']),
  'an event is sent to nobody': of(EventDroppedForAll, ['total-order']),
  'a transaction is sent in parts': of(TxnSplitInWatch, ['watch']),
  'progress is promised ahead of events': of(ProgressAhead, ['watch']),
  'events are sent again': of(SentAgain, ['watch']),
  'events of other keys are sent': of(SentUnasked, ['watch']),
  'an event has the wrong prev_kv': of(WrongPrevKv, ['watch']),
  'a created key does not look so': of(WrongVersion, ['watch']),
  'members tell different values': of(MembersDiffer, ['watch']),
}

function of(Store: new (chance: Chance) => SimulatedStore, foundBy: readonly Checker[]): BrokenStore {
  return { store: (chance) => new Store(chance), foundBy }
}
