/** A driver and an access that pass everything on: what a mutant changes one thing of. */
import type { Entry } from '../../spi/index.ts'
import type {
  Call,
  Commit,
  CommitOutcome,
  Follow,
  FollowSink,
  Holder,
  ReadCall,
  ScanPage,
  ScanRange,
  Seat,
  Seated,
  SessionGrant,
  StoreDriver,
} from '../shared/driver.ts'
import type { StoreAccess } from './access.ts'
import type { Args, Operation, Result } from './operations.ts'
import type { Told, WatchQuery } from './store-host.ts'

export class ForwardingDriver implements StoreDriver {
  protected readonly inner: StoreDriver

  constructor(inner: StoreDriver) {
    this.inner = inner
  }

  get capabilities() {
    return this.inner.capabilities
  }

  openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
    return this.inner.openSession(ttlMs, call)
  }

  renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
    return this.inner.renewSession(id, call)
  }

  endSession(id: string, call: Call): Promise<void> {
    return this.inner.endSession(id, call)
  }

  takeSeat(seat: Seat, holder: Holder, call: Call): Promise<Seated> {
    return this.inner.takeSeat(seat, holder, call)
  }

  amendSeat(seat: Seat, token: bigint, data: Uint8Array, call: Call): Promise<boolean> {
    return this.inner.amendSeat(seat, token, data, call)
  }

  emptySeat(seat: Seat, token: bigint, call: Call): Promise<void> {
    return this.inner.emptySeat(seat, token, call)
  }

  readSeat(seat: Seat, call: ReadCall): Promise<Seated | undefined> {
    return this.inner.readSeat(seat, call)
  }

  readGroup(group: string, call: ReadCall): Promise<ReadonlyMap<string, Seated>> {
    return this.inner.readGroup(group, call)
  }

  read(key: string, call: ReadCall): Promise<Entry | undefined> {
    return this.inner.read(key, call)
  }

  scan(range: ScanRange, call: ReadCall): Promise<ScanPage> {
    return this.inner.scan(range, call)
  }

  commit(commit: Commit, call: Call): Promise<CommitOutcome> {
    return this.inner.commit(commit, call)
  }

  outcomeOf(commit: Commit, call: Call): Promise<CommitOutcome | 'never'> {
    return this.inner.outcomeOf(commit, call)
  }

  followKey(key: string, sink: FollowSink<Entry>): Follow {
    return this.inner.followKey(key, sink)
  }

  followNamespace(namespace: string, sink: FollowSink<Entry>): Follow {
    return this.inner.followNamespace(namespace, sink)
  }

  followLeader(service: string, sink: FollowSink<Seated>): Follow {
    return this.inner.followLeader(service, sink)
  }

  followGroup(group: string, sink: FollowSink<Seated>): Follow {
    return this.inner.followGroup(group, sink)
  }

  close(): Promise<void> {
    return this.inner.close()
  }
}

export class ForwardingAccess implements StoreAccess {
  protected readonly inner: StoreAccess

  constructor(inner: StoreAccess) {
    this.inner = inner
  }

  get persistent(): boolean {
    return this.inner.persistent
  }

  get multiProcess(): boolean {
    return this.inner.multiProcess
  }

  ask<O extends Operation>(operation: O, args: Args<O>, call: Call): Promise<Result<O>> {
    return this.inner.ask(operation, args, call)
  }

  watch(query: WatchQuery, from: number, told: Told, signal: AbortSignal): Promise<never> {
    return this.inner.watch(query, from, told, signal)
  }

  close(): Promise<void> {
    return this.inner.close()
  }
}
