/**
 * How long clients cannot write when a server dies, stops or stands still: three Keta nodes on a Kafka of three brokers
 * with the settings that Kafka is shipped with, and three members of etcd, taking turns. Writes
 * docs/benchmarks-failover.md.
 *
 * npm run bench:failover [-- --rounds N] [--only TEXT] [--output FILE]
 */
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startKafka } from '../test-servers/kafka.ts'
import type { TestServer } from '../test-servers/server.ts'
import { failoverReport, type FaultOutages } from './failover-report.ts'
import { medianOutage, type Outage, outageOf } from './outage.ts'
import { etcdCluster, followerOf, ketaCluster, leaderOf, type MeasuredCluster } from './systems.ts'
import { Writers } from './writers.ts'

const REPORT = fileURLToPath(new URL('../docs/benchmarks-failover.md', import.meta.url))

/** Before each strike: connections are made, the last fault has been got over. */
const SETTLE_MS = 2_500
/** For so long its effects are looked for. */
const WATCH_MS = 4_000
const PAUSE_MS = 5_000
const AFTER_PAUSE_MS = 2_000

interface Fault {
  readonly name: string
  readonly victim: (cluster: MeasuredCluster) => Promise<TestServer>
  /** Resolves when no more effects are to be expected. */
  readonly strike: (victim: TestServer) => Promise<void>
  readonly mend: (victim: TestServer) => Promise<void>
}

const restart = (victim: TestServer): Promise<void> => victim.restart()

const FAULTS: readonly Fault[] = [
  { name: 'nothing happens', victim: followerOf, strike: () => delay(WATCH_MS), mend: () => Promise.resolve() },
  { name: 'kill -9 of the leader', victim: leaderOf, strike: killed, mend: restart },
  { name: 'SIGTERM of the leader', victim: leaderOf, strike: terminated, mend: restart },
  { name: 'SIGSTOP of the leader', victim: leaderOf, strike: paused, mend: () => Promise.resolve() },
  { name: 'kill -9 of a follower', victim: followerOf, strike: killed, mend: restart },
  { name: 'SIGTERM of a follower', victim: followerOf, strike: terminated, mend: restart },
]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    output: { type: 'string', default: REPORT },
  },
})

const load = [loadavg()[0] ?? 0]
const results = await measureAll(FAULTS.filter(({ name }) => name.includes(values.only)))
load.push(loadavg()[0] ?? 0)
writeFileSync(
  values.output,
  failoverReport({
    results,
    rounds: Number(values.rounds),
    load,
    cores: cpus().length,
    model: cpus()[0]?.model ?? '?',
  }),
)
progress(`wrote ${values.output}`)

async function measureAll(faults: readonly Fault[]): Promise<readonly FaultOutages[]> {
  const kafka = await startKafka({ brokers: 3, stock: true })
  const clusters: MeasuredCluster[] = []
  try {
    clusters.push(await etcdCluster(3), await ketaCluster(kafka, 3))
    const seen = new Map<string, Outage[]>()
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const fault of faults) {
        for (const cluster of clusters) {
          const outage = await suffer(cluster, fault)
          const key = `${cluster.name}: ${fault.name}`
          seen.set(key, [...(seen.get(key) ?? []), outage])
          progress(`${key}: ${JSON.stringify(outage, rounded)}`)
        }
      }
    }
    const of = (name: string): Outage => medianOutage(seen.get(name) ?? [])
    return faults.map(({ name }) => ({ name, etcd: of(`etcd: ${name}`), keta: of(`keta: ${name}`) }))
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.stop()))
    await kafka.stop()
  }
}

async function suffer(cluster: MeasuredCluster, fault: Fault): Promise<Outage> {
  await cluster.ready()
  const victim = await fault.victim(cluster)
  const writers = new Writers(cluster.servers.map(({ endpoint }) => endpoint))
  try {
    await delay(SETTLE_MS)
    const from = performance.now()
    await fault.strike(victim)
    const to = performance.now()
    return outageOf({ answers: writers.answers, from, to, endpoint: victim.endpoint })
  } finally {
    await Promise.all([writers.stop(), fault.mend(victim)])
  }
}

async function killed(victim: TestServer): Promise<void> {
  await victim.kill()
  await delay(WATCH_MS)
}

async function terminated({ pid }: TestServer): Promise<void> {
  process.kill(pid, 'SIGTERM')
  await delay(WATCH_MS)
}

async function paused(victim: TestServer): Promise<void> {
  victim.pause()
  await delay(PAUSE_MS)
  victim.resume()
  await delay(AFTER_PAUSE_MS)
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value) : value
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}
