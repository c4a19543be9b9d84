/** A driver that is put together of parts: one for each side of the port. */
import type { Capabilities, Entry, FencingToken } from '../../spi/index.ts'
import type {
  Call,
  ChangeSource,
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
  SeatStore,
  SessionGrant,
  SessionStore,
  StoreDriver,
  ValueStore,
} from './driver.ts'

export interface DriverParts {
  readonly capabilities: Capabilities
  readonly sessions: SessionStore
  readonly seats: SeatStore
  readonly values: Pick<ValueStore, 'read' | 'scan'>
  readonly commits: Pick<ValueStore, 'commit' | 'outcomeOf'>
  readonly changes: ChangeSource
  /** As StoreDriver's. */
  readonly close: () => Promise<void>
}

export class DriverOfParts implements StoreDriver {
  readonly #parts: DriverParts

  constructor(parts: DriverParts) {
    this.#parts = parts
  }

  get capabilities(): Capabilities {
    return this.#parts.capabilities
  }

  close(): Promise<void> {
    return this.#parts.close()
  }

  openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
    return this.#parts.sessions.openSession(ttlMs, call)
  }

  renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
    return this.#parts.sessions.renewSession(id, call)
  }

  endSession(id: string, call: Call): Promise<void> {
    return this.#parts.sessions.endSession(id, call)
  }

  takeSeat(seat: Seat, holder: Holder, call: Call): Promise<Seated> {
    return this.#parts.seats.takeSeat(seat, holder, call)
  }

  amendSeat(seat: Seat, token: FencingToken, data: Uint8Array, call: Call): Promise<boolean> {
    return this.#parts.seats.amendSeat(seat, token, data, call)
  }

  emptySeat(seat: Seat, token: FencingToken, call: Call): Promise<void> {
    return this.#parts.seats.emptySeat(seat, token, call)
  }

  readSeat(seat: Seat, call: ReadCall): Promise<Seated | undefined> {
    return this.#parts.seats.readSeat(seat, call)
  }

  readGroup(group: string, call: ReadCall): Promise<ReadonlyMap<string, Seated>> {
    return this.#parts.seats.readGroup(group, call)
  }

  read(key: string, call: ReadCall): Promise<Entry | undefined> {
    return this.#parts.values.read(key, call)
  }

  scan(range: ScanRange, call: ReadCall): Promise<ScanPage> {
    return this.#parts.values.scan(range, call)
  }

  commit(commit: Commit, call: Call): Promise<CommitOutcome> {
    return this.#parts.commits.commit(commit, call)
  }

  outcomeOf(commit: Commit, call: Call): Promise<CommitOutcome | 'never'> {
    return this.#parts.commits.outcomeOf(commit, call)
  }

  followKey(key: string, sink: FollowSink<Entry>): Follow {
    return this.#parts.changes.followKey(key, sink)
  }

  followNamespace(namespace: string, sink: FollowSink<Entry>): Follow {
    return this.#parts.changes.followNamespace(namespace, sink)
  }

  followLeader(service: string, sink: FollowSink<Seated>): Follow {
    return this.#parts.changes.followLeader(service, sink)
  }

  followGroup(group: string, sink: FollowSink<Seated>): Follow {
    return this.#parts.changes.followGroup(group, sink)
  }
}
