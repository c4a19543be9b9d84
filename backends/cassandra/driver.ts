/** The driver of Cassandra: puts its parts together. */
import type { Capabilities, Entry, FencingToken, PluginContext } from '../../spi/index.ts'
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
import { capabilitiesOf } from './capabilities.ts'
import { amendSeat, commitChange, emptySeat, outcomeOf, takeSeat } from './change.ts'
import { Cluster } from './cluster.ts'
import { Committer } from './committer.ts'
import { Feed } from './feed.ts'
import { Follows } from './follows.ts'
import { Observer } from './observer.ts'
import { Reader } from './reader.ts'
import { ensureSchema } from './schema.ts'
import { Sessions } from './sessions.ts'
import type { Settings } from './settings.ts'
import { Tables } from './tables.ts'

/**
 * Connects, and creates the tables if they are missing.
 * @throws CoordinationError CONNECTION, TIMEOUT, AUTHENTICATION, AUTHORIZATION, CONFIG
 */
export async function openCassandraDriver(
  settings: Settings,
  context: PluginContext,
  call: Call,
): Promise<StoreDriver> {
  const cluster = await Cluster.open(settings, context, call)
  try {
    await ensureSchema(cluster, context, call)
    const driver = new CassandraDriver(cluster, settings, context)
    await driver.prepare(call)
    return driver
  } catch (error) {
    await cluster.close()
    throw error
  }
}

class CassandraDriver implements StoreDriver {
  readonly capabilities: Capabilities
  readonly #cluster: Cluster
  readonly #tables: Tables
  readonly #committer: Committer
  readonly #sessions: Sessions
  readonly #observer: Observer
  readonly #reader: Reader
  readonly #feed: Feed
  readonly #follows: Follows

  constructor(cluster: Cluster, settings: Settings, context: PluginContext) {
    const tables = new Tables(cluster, context.clusterId)
    this.#tables = tables
    this.capabilities = capabilitiesOf(settings.pollMs)
    this.#cluster = cluster
    this.#committer = new Committer(tables, context)
    this.#sessions = new Sessions(cluster, this.#committer, context.clusterId)
    this.#observer = new Observer({ context, tables, sessions: this.#sessions })
    this.#reader = new Reader(tables)
    this.#feed = new Feed({ context, tables, pollMs: settings.pollMs })
    this.#follows = new Follows({ context, reader: this.#reader, feed: this.#feed })
  }

  /** Whoever may not use what is ours learns it now; and what is asked later has been prepared. */
  async prepare(call: Call): Promise<void> {
    await this.#tables.prepare(call)
    await this.#sessions.prepare(call)
    await this.#observer.look(call)
    this.#observer.start()
  }

  async close(): Promise<void> {
    this.#observer.close()
    this.#follows.close()
    this.#feed.close()
    this.#committer.close()
    await this.#cluster.close()
  }

  openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
    return this.#sessions.openSession(Math.max(ttlMs, this.capabilities.session.minTtlMs), call)
  }

  renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
    return this.#sessions.renewSession(id, call)
  }

  endSession(id: string, call: Call): Promise<void> {
    return this.#sessions.endSession(id, call)
  }

  takeSeat(seat: Seat, holder: Holder, call: Call): Promise<Seated> {
    return this.#committer.submit(takeSeat(seat, holder), call)
  }

  amendSeat(seat: Seat, token: FencingToken, data: Uint8Array, call: Call): Promise<boolean> {
    return this.#committer.submit(amendSeat(seat, token, data), call)
  }

  emptySeat(seat: Seat, token: FencingToken, call: Call): Promise<void> {
    return this.#committer.submit(emptySeat(seat, token), call)
  }

  /** Who asks may have tried to take the seat, and must not find itself there later. */
  async readSeat(seat: Seat, call: ReadCall): Promise<Seated | undefined> {
    await this.#committer.settle(call)
    return this.#reader.readSeat(seat, call)
  }

  readGroup(group: string, call: ReadCall): Promise<ReadonlyMap<string, Seated>> {
    return this.#reader.readGroup(group, call)
  }

  read(key: string, call: ReadCall): Promise<Entry | undefined> {
    return this.#reader.read(key, call)
  }

  scan(range: ScanRange, call: ReadCall): Promise<ScanPage> {
    return this.#reader.scan(range, call)
  }

  commit(commit: Commit, call: Call): Promise<CommitOutcome> {
    return this.#committer.submit(commitChange(commit), call)
  }

  outcomeOf(commit: Commit, call: Call): Promise<CommitOutcome | 'never'> {
    return this.#committer.submit(outcomeOf(commit), call)
  }

  followKey(key: string, sink: FollowSink<Entry>): Follow {
    return this.#follows.followKey(key, sink)
  }

  followNamespace(namespace: string, sink: FollowSink<Entry>): Follow {
    return this.#follows.followNamespace(namespace, sink)
  }

  followLeader(service: string, sink: FollowSink<Seated>): Follow {
    return this.#follows.followLeader(service, sink)
  }

  followGroup(group: string, sink: FollowSink<Seated>): Follow {
    return this.#follows.followGroup(group, sink)
  }
}
