/** The driver of a store that speaks etcd's v3 API: etcd itself, and keta. */
import type { Capabilities, CoordinationError, PluginContext } from '../../../spi/index.ts'
import { backoffMs, sleep } from '../../../spi/helpers/backoff.ts'
import type { Call, StoreDriver } from '../driver.ts'
import { DriverOfParts } from '../driver-of-parts.ts'
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
  let earlier: CoordinationError | undefined
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await open(options, cluster, { ...call, timeoutMs: Math.max(1, until - clock.now()) })
      } catch (error) {
        if (!isTrouble(error)) throw error
        // one that the end of the time has cut short says less than the one before
        if (clock.now() >= until) throw earlier ?? error
        earlier = error
        const pauseMs = backoffMs(attempt, random)
        if (clock.now() + pauseMs >= until) throw error
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
  return driverOf(options, cluster, reader, minTtlMs)
}

function driverOf(options: EtcdDriverOptions, cluster: Cluster, reader: Reader, minTtlMs: number): StoreDriver {
  const { backend, context, prefix, release } = options
  const layout = new Layout(prefix, context.clusterId)
  const heartbeatMs = Math.min(5000, Math.max(1000, context.sessionTimeoutMs / 2))
  const seats = new Seats(cluster, layout, reader)
  const values = new Values(layout, reader)
  const watches = new Watches(cluster, { clock: context.clock, heartbeatMs })
  const changes = new Changes({ context, layout, reader, values, seats, watches })
  return new DriverOfParts({
    capabilities: capabilitiesOf(backend, minTtlMs),
    sessions: new Leases(cluster),
    seats,
    values,
    commits: new Commits(cluster, layout, reader, values),
    changes,
    async close() {
      changes.close()
      watches.close()
      cluster.close()
      await release?.()
    },
  })
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
