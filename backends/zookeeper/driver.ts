/** The driver of a ZooKeeper ensemble: what each part of the port is made of, and how they are put together. */
import type { Capabilities, PluginContext } from '../../spi/index.ts'
import type { Call, StoreDriver } from '../shared/driver.ts'
import { DriverOfParts } from '../shared/driver-of-parts.ts'
import { Changes } from './changes.ts'
import { Commits } from './commits.ts'
import { type ClientSettings, ZkClient } from './connection/client.ts'
import { BACKEND } from './connection/errors.ts'
import { Furniture } from './furniture.ts'
import { Layout } from './layout.ts'
import { CREATOR_ONLY, OPEN } from './protocol/multi.ts'
import { Newest, Reads } from './reads.ts'
import { Seats } from './seats.ts'
import { Sessions } from './sessions.ts'
import { Values } from './values.ts'
import { Watches } from './watches.ts'

export interface ZooKeeperDriverOptions extends Omit<ClientSettings, 'context'> {
  readonly context: PluginContext
  /** Empty, or with a slash at its beginning and none at its end. */
  readonly chroot: string
  /** undefined: half of the shortest session, as servers have it by default. Milliseconds. */
  readonly tickMs: number | undefined
}

/** A multi may be of any number, within 1 MiB; this many take no server long. */
const MAX_OPS = 100
const MAX_VALUE_BYTES = 512 << 10
const MAX_KEY_BYTES = 1024
/** From a commit to a listener when nothing is overloaded. */
const MAX_LAG_MS = 1000
/** Saying farewell is a courtesy to the servers. Milliseconds. */
const FAREWELL_MS = 1000

/**
 * Connects, makes what every cluster has, and asks for the shortest session that is granted.
 * @throws CoordinationError CONNECTION, TIMEOUT, AUTHENTICATION, AUTHORIZATION
 */
export async function openZooKeeperDriver(options: ZooKeeperDriverOptions, call: Call): Promise<StoreDriver> {
  const newest = new Newest()
  const { context } = options
  const main = new ZkClient({
    ...options,
    timeoutMs: Math.ceil(context.sessionTimeoutMs),
    patienceMs: context.sessionTimeoutMs,
    reopens: true,
    saw: newest.saw,
  })
  main.start()
  try {
    const layout = new Layout(options.chroot, context.clusterId)
    const furniture = new Furniture(main, layout, options.digest === undefined ? OPEN : CREATOR_ONLY)
    await furniture.make([], call)
    const minTtlMs = await shortestTtlMs(options, call)
    return driverOf(options, main, { newest, layout, furniture, minTtlMs })
  } catch (error) {
    await farewell(main)
    throw error
  }
}

async function shortestTtlMs(settings: ZooKeeperDriverOptions, call: Call): Promise<number> {
  const patienceMs = settings.context.sessionTimeoutMs
  const probe = new ZkClient({ ...settings, timeoutMs: 1, patienceMs, reopens: false, saw: () => undefined })
  probe.start()
  try {
    // asks nothing: a server that is late by a part of so short a session would be left
    await probe.connected(call)
    return probe.timeoutMs
  } finally {
    await farewell(probe)
  }
}

async function farewell(client: ZkClient): Promise<void> {
  const call = { signal: new AbortController().signal, timeoutMs: FAREWELL_MS }
  await client.close(call).catch(() => undefined)
  client.destroy()
}

interface Parts {
  readonly newest: Newest
  readonly layout: Layout
  readonly furniture: Furniture
  readonly minTtlMs: number
}

function driverOf(options: ZooKeeperDriverOptions, main: ZkClient, parts: Parts): StoreDriver {
  const { context, tickMs } = options
  const { newest, layout, furniture, minTtlMs } = parts
  const reads = new Reads(main, layout.root, newest, context)
  const sessions = new Sessions({
    settings: options,
    root: layout.root,
    newest,
    tickMs: tickMs ?? minTtlMs / 2,
    patienceMs: context.sessionTimeoutMs,
  })
  const seats = new Seats({ pace: context, layout, sessions, reads, furniture })
  const values = new Values(layout, reads)
  const watches = new Watches(main, context.sessionTimeoutMs)
  return new DriverOfParts({
    capabilities: capabilitiesOf(minTtlMs),
    sessions,
    seats,
    values,
    commits: new Commits({ pace: context, layout, sessions, values, furniture }),
    changes: new Changes({ context, layout, reads, watches, values, seats }),
    async close() {
      const call = { signal: new AbortController().signal, timeoutMs: FAREWELL_MS }
      await Promise.all([sessions.close(call), farewell(main)])
      watches.breakAll()
    },
  })
}

function capabilitiesOf(minTtlMs: number): Capabilities {
  return {
    backend: BACKEND,
    persistent: true,
    multiProcess: true,
    linearizableReads: true,
    atomicFencing: true,
    snapshotScan: false,
    transactions: { maxOps: MAX_OPS },
    notifications: { mode: 'push', maxLagMs: MAX_LAG_MS },
    // what a session may end too early by shows in each grant; see Proofs
    session: { minTtlMs, granularityMs: 0 },
    limits: { maxKeyBytes: MAX_KEY_BYTES, maxValueBytes: MAX_VALUE_BYTES },
  }
}
