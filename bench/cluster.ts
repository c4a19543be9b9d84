/**
 * Measures puts and reads of three Keta nodes on three Kafka brokers against three members of etcd, and of one node on
 * one broker against one etcd, taking turns within one run. Writes docs/benchmarks-cluster.md. Machines differ and are
 * shared, so what counts are ratios and CPU per operation, which is told of servers and of brokers.
 *
 * npm run bench:cluster [-- --rounds N] [--seconds N] [--only TEXT] [--output FILE]
 */
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startKafka } from '../test-servers/kafka.ts'
import { CLUSTER_CASES, type ClusterCase, KEYS, LEASE_CASES, SINGLE_CASES } from './cluster-cases.ts'
import { clusterReport, type Figures, type Section } from './cluster-report.ts'
import { buildLoadgen, type LoadResult, loadTarget } from './loadgen.ts'
import { etcdCluster, followerOf, ketaCluster, leaderOf, type MeasuredCluster } from './systems.ts'

const REPORT = fileURLToPath(new URL('../docs/benchmarks-cluster.md', import.meta.url))
const WARM_UP = '5s'
const READ_LEASE = ['--read-lease', '500ms']

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    output: { type: 'string', default: REPORT },
  },
})

const loadgen = await buildLoadgen()
const load = [loadavg()[0] ?? 0]
const sections = [...(await ofThree()), await ofOne()]
load.push(loadavg()[0] ?? 0)
writeFileSync(
  values.output,
  clusterReport({
    sections,
    rounds: Number(values.rounds),
    load,
    cores: cpus().length,
    model: cpus()[0]?.model ?? '?',
  }),
)
progress(`wrote ${values.output}`)

async function ofThree(): Promise<readonly Section[]> {
  const kafka = await startKafka({ brokers: 3, stock: true })
  try {
    const plain = await against(await etcdCluster(3), await ketaCluster(kafka, 3), CLUSTER_CASES)
    const leased = await against(await etcdCluster(3), await ketaCluster(kafka, 3, READ_LEASE), LEASE_CASES)
    return [
      { title: 'Three nodes on three brokers, three members of etcd', rows: plain },
      { title: `The same with \`${READ_LEASE.join(' ')}\``, rows: leased },
    ]
  } finally {
    await kafka.stop()
  }
}

async function ofOne(): Promise<Section> {
  const kafka = await startKafka({ brokers: 1, stock: true })
  try {
    const rows = await against(await etcdCluster(1), await ketaCluster(kafka, 1), SINGLE_CASES)
    return { title: 'One node on one broker, one etcd', rows }
  } finally {
    await kafka.stop()
  }
}

/** Stops both. */
async function against(
  etcd: MeasuredCluster,
  keta: MeasuredCluster,
  cases: readonly ClusterCase[],
): Promise<Section['rows']> {
  const chosen = cases.filter(({ name, place }) => `${name}, ${place}`.includes(values.only))
  try {
    if (chosen.length > 0) for (const cluster of [etcd, keta]) await prepare(cluster)
    const rows: { name: string; place: string; etcd: Figures; keta: Figures }[] = []
    for (const one of chosen) {
      const runs: { etcd: Figures[]; keta: Figures[] } = { etcd: [], keta: [] }
      for (let round = 0; round < Number(values.rounds); round++) {
        runs.etcd.push(await measure(etcd, one))
        runs.keta.push(await measure(keta, one))
      }
      const row = { name: one.name, place: one.place, etcd: median(runs.etcd), keta: median(runs.keta) }
      rows.push(row)
      progress(`${one.name}, ${one.place}: keta ${inWords(row.keta)}; etcd ${inWords(row.etcd)}`)
    }
    return rows
  } finally {
    await Promise.all([etcd.stop(), keta.stop()])
  }
}

/** Fills the store, and lets all servers come to the speed at which they stay: compilers need some thousand calls. */
async function prepare(cluster: MeasuredCluster): Promise<void> {
  const shape = ['--clients', '10', '--key-space-size', String(KEYS), '--txn-ops', '100', '--total', String(KEYS / 100)]
  const { endpoint } = await leaderOf(cluster)
  await loadTarget(loadgen, { name: cluster.name, endpoints: [endpoint], pids: [] }, ['fill', ...shape])
  const everywhere = { name: cluster.name, endpoints: cluster.servers.map((server) => server.endpoint), pids: [] }
  for (const workload of ['put', 'range']) {
    const warmUp = ['--clients', '100', '--conns', '9', '--key-space-size', String(KEYS), '--duration', WARM_UP]
    await loadTarget(loadgen, everywhere, [workload, ...warmUp])
  }
}

async function measure(cluster: MeasuredCluster, { args, place }: ClusterCase): Promise<Figures> {
  const leader = await leaderOf(cluster)
  const others = cluster.servers.filter((server) => server !== leader)
  const at = place === 'spread' ? cluster.servers : [place === 'leader' ? leader : await followerOf(cluster)]
  const pids = [leader, ...others, ...cluster.brokers].map(({ pid }) => pid)
  const target = { name: cluster.name, endpoints: at.map(({ endpoint }) => endpoint), pids }
  const result = await loadTarget(loadgen, target, [...args, '--duration', `${values.seconds}s`])
  return figuresOf(result, others.length)
}

function figuresOf({ perSecond, p50, p99, serverCpus }: LoadResult, followers: number): Figures {
  const [leader = 0, ...rest] = serverCpus
  return {
    perSecond,
    p50,
    p99,
    cpu: { leader, followers: sum(rest.slice(0, followers)), brokers: sum(rest.slice(followers)) },
  }
}

/** The run with the median throughput: its figures belong together. */
function median(runs: readonly Figures[]): Figures {
  const middle = runs.toSorted((a, b) => a.perSecond - b.perSecond)[Math.floor(runs.length / 2)]
  if (middle === undefined) throw new Error('no runs')
  return middle
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

function inWords({ perSecond, p50, p99, cpu }: Figures): string {
  const parts = [cpu.leader, cpu.followers, cpu.brokers].map((part) => part.toFixed(0)).join('+')
  return `${perSecond.toFixed(0)}/s ${p50.toFixed(1)}/${p99.toFixed(1)} ms, CPU ${parts} µs`
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}
