/** The driver of Cassandra: puts its parts together. */
import { isCoordinationError, type PluginContext } from '../../spi/index.ts'
import { backoffMs, sleep } from '../../spi/helpers/backoff.ts'
import type { Call, StoreDriver, ValueStore } from '../shared/driver.ts'
import { DriverOfParts } from '../shared/driver-of-parts.ts'
import { capabilitiesOf } from './capabilities.ts'
import { commitChange, outcomeOf } from './change.ts'
import { Cluster } from './cluster.ts'
import { Committer } from './committer.ts'
import { Feed } from './feed.ts'
import { Follows } from './follows.ts'
import { Observer } from './observer.ts'
import { Reader } from './reader.ts'
import { ensureSchema } from './schema.ts'
import { seatsOf } from './seats.ts'
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
    const tables = new Tables(cluster, context.clusterId)
    const committer = new Committer(tables, context)
    const sessions = new Sessions(cluster, committer, context.clusterId)
    const observer = new Observer({ context, tables, sessions })
    await patiently(context, call, async (limits) => {
      await ensureSchema(cluster, limits)
      // whoever may not use what is ours learns it now; and what is asked later has been prepared
      await tables.prepare(limits)
      await sessions.prepare(limits)
      await observer.look(limits)
    })
    observer.start()
    return driverOf(settings, context, { cluster, tables, committer, sessions, observer })
  } catch (error) {
    await cluster.close()
    throw error
  }
}

/** Servers that have not heard yet of a keyspace, or of tables that another client makes, fail to use them. */
async function patiently(context: PluginContext, call: Call, work: (limits: Call) => Promise<void>): Promise<void> {
  const until = performance.now() + call.timeoutMs
  for (let attempt = 1; ; attempt++) {
    try {
      await work({ signal: call.signal, timeoutMs: Math.max(1, until - performance.now()) })
      return
    } catch (error) {
      const pauseMs = backoffMs(attempt + 3, context.random)
      if (isFinal(error) || performance.now() + pauseMs > until) throw error
      await sleep(context.clock, pauseMs, call.signal)
    }
  }
}

function isFinal(error: unknown): boolean {
  if (!isCoordinationError(error)) return true
  return ['CONFIG', 'AUTHENTICATION', 'AUTHORIZATION', 'CLOSED'].includes(error.code)
}

interface Parts {
  readonly cluster: Cluster
  readonly tables: Tables
  readonly committer: Committer
  readonly sessions: Sessions
  readonly observer: Observer
}

function driverOf(settings: Settings, context: PluginContext, parts: Parts): StoreDriver {
  const { cluster, tables, committer, sessions, observer } = parts
  const reader = new Reader(tables)
  const feed = new Feed({ context, tables, pollMs: settings.pollMs })
  const follows = new Follows({ context, reader, feed })
  return new DriverOfParts({
    capabilities: capabilitiesOf(settings.pollMs),
    sessions,
    seats: seatsOf(committer, reader),
    values: reader,
    commits: commitsOf(committer),
    changes: follows,
    async close() {
      observer.close()
      follows.close()
      feed.close()
      committer.close()
      await cluster.close()
    },
  })
}

function commitsOf(committer: Committer): Pick<ValueStore, 'commit' | 'outcomeOf'> {
  return {
    commit: (commit, call) => committer.submit(commitChange(commit), call),
    outcomeOf: (commit, call) => committer.submit(outcomeOf(commit), call),
  }
}
