/** The driver of a store that speaks etcd's v3 API: etcd itself, and keta. */
import { type Capabilities, type Entry, type FencingToken, type PluginContext } from '../../../spi/index.ts'
import { backoffMs, sleep } from '../../../spi/helpers/backoff.ts'
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
} from '../driver.ts'
import { Changes } from './changes.ts'
import { Cluster, type ClusterSettings, isTrouble } from './cluster.ts'
import { Commits, OVERHEAD_OPS } from './commits.ts'
import { Layout } from './layout.ts'
import { Leases } from './leases.ts'
import { Reader } from './reader.ts'
import { Seats } from './seats.ts'
import { Values } from './values.ts'
import { Watches } from './watches.ts'

export interface EtcdDriverOptions extends Omit<ClusterSettings, 'attemptMs' | 'context'> {
  readonly context: PluginContext
  /** Of all keys; see Layout. */
  readonly prefix: string
  /** Done last when the driver is closed, or could not be opened; never rejects. */
  readonly release?: () => Promise<void>
}

/** etcd's and keta's default of `--max-txn-ops`. */
const MAX_TXN_OPS = 128
/** etcd's and keta's default of `--max-request-bytes` is 1.5 MiB for the whole request. */
const MAX_VALUE_BYTES = 1 << 20
const MAX_KEY_BYTES = 1024
/** From a commit to a listener, over the watch, when nothing is overloaded. */
const MAX_LAG_MS = 1000

/**
 * Connects, and asks for the shortest time to live that is granted; again and again until the time is up.
 * @throws CoordinationError CONNECTION, TIMEOUT, AUTHENTICATION, AUTHORIZATION
 */
export async function openEtcdDriver(options: EtcdDriverOptions, call: Call): Promise<StoreDriver> {
  const { clock, random, sessionTimeoutMs } = options.context
  const cluster = new Cluster({ ...options, attemptMs: sessionTimeoutMs })
  const until = clock.now() + call.timeoutMs
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await open(options, cluster, { ...call, timeoutMs: Math.max(1, until - clock.now()) })
      } catch (error) {
        const pauseMs = backoffMs(attempt, random)
        if (!isTrouble(error) || clock.now() + pauseMs >= until) throw error
        await sleep(clock, pauseMs, call.signal)
      }
    }
  } catch (error) {
    cluster.close()
    await options.release?.()
    throw error
  }
}

async function open(options: EtcdDriverOptions, cluster: Cluster, call: Call): Promise<StoreDriver> {
  const reader = new Reader(cluster)
  const layout = new Layout(options.prefix, options.context.clusterId)
  // whoever may not read what is ours learns it here, not at the first write
  const ours = { ...layout.values('/', '0'), limit: 1, keys_only: true }
  await reader.range(ours, { ...call, consistency: 'linearizable' })
  const minTtlMs = await new Leases(cluster).shortestTtlMs(call)
  return new EtcdDriver(options, cluster, reader, minTtlMs)
}

class EtcdDriver implements StoreDriver {
  readonly capabilities: Capabilities
  readonly #cluster: Cluster
  readonly #leases: Leases
  readonly #seats: Seats
  readonly #values: Values
  readonly #commits: Commits
  readonly #watches: Watches
  readonly #changes: Changes
  readonly #release: (() => Promise<void>) | undefined

  constructor(options: EtcdDriverOptions, cluster: Cluster, reader: Reader, minTtlMs: number) {
    const { backend, context, prefix, release } = options
    const layout = new Layout(prefix, context.clusterId)
    const heartbeatMs = Math.min(5000, Math.max(1000, context.sessionTimeoutMs / 2))
    this.capabilities = capabilitiesOf(backend, minTtlMs)
    this.#cluster = cluster
    this.#release = release
    this.#leases = new Leases(cluster)
    this.#seats = new Seats(cluster, layout, reader)
    this.#values = new Values(layout, reader)
    this.#commits = new Commits(cluster, layout, reader, this.#values)
    this.#watches = new Watches(cluster, { clock: context.clock, heartbeatMs })
    this.#changes = new Changes({
      context,
      layout,
      reader,
      values: this.#values,
      seats: this.#seats,
      watches: this.#watches,
    })
  }

  async close(): Promise<void> {
    this.#changes.close()
    this.#watches.close()
    this.#cluster.close()
    await this.#release?.()
  }

  openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
    return this.#leases.openSession(ttlMs, call)
  }

  renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
    return this.#leases.renewSession(id, call)
  }

  endSession(id: string, call: Call): Promise<void> {
    return this.#leases.endSession(id, call)
  }

  takeSeat(seat: Seat, holder: Holder, call: Call): Promise<Seated> {
    return this.#seats.takeSeat(seat, holder, call)
  }

  amendSeat(seat: Seat, token: FencingToken, data: Uint8Array, call: Call): Promise<boolean> {
    return this.#seats.amendSeat(seat, token, data, call)
  }

  emptySeat(seat: Seat, token: FencingToken, call: Call): Promise<void> {
    return this.#seats.emptySeat(seat, token, call)
  }

  readSeat(seat: Seat, call: ReadCall): Promise<Seated | undefined> {
    return this.#seats.readSeat(seat, call)
  }

  readGroup(group: string, call: ReadCall): Promise<ReadonlyMap<string, Seated>> {
    return this.#seats.readGroup(group, call)
  }

  read(key: string, call: ReadCall): Promise<Entry | undefined> {
    return this.#values.read(key, call)
  }

  scan(range: ScanRange, call: ReadCall): Promise<ScanPage> {
    return this.#values.scan(range, call)
  }

  commit(commit: Commit, call: Call): Promise<CommitOutcome> {
    return this.#commits.commit(commit, call)
  }

  outcomeOf(commit: Commit, call: Call): Promise<CommitOutcome | 'never'> {
    return this.#commits.outcomeOf(commit, call)
  }

  followKey(key: string, sink: FollowSink<Entry>): Follow {
    return this.#changes.followKey(key, sink)
  }

  followNamespace(namespace: string, sink: FollowSink<Entry>): Follow {
    return this.#changes.followNamespace(namespace, sink)
  }

  followLeader(service: string, sink: FollowSink<Seated>): Follow {
    return this.#changes.followLeader(service, sink)
  }

  followGroup(group: string, sink: FollowSink<Seated>): Follow {
    return this.#changes.followGroup(group, sink)
  }
}

function capabilitiesOf(backend: string, minTtlMs: number): Capabilities {
  return {
    backend,
    persistent: true,
    multiProcess: true,
    linearizableReads: true,
    atomicFencing: true,
    snapshotScan: true,
    transactions: { maxOps: MAX_TXN_OPS - OVERHEAD_OPS },
    notifications: { mode: 'push', maxLagMs: MAX_LAG_MS },
    // a lease runs from the moment at which the server grants or renews it, and is never ended before its time
    session: { minTtlMs, granularityMs: 0 },
    limits: { maxKeyBytes: MAX_KEY_BYTES, maxValueBytes: MAX_VALUE_BYTES },
  }
}
