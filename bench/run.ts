/**
 * Measures Keta on its embedded log and real etcd side by side, both with fsync, taking turns within one run, and
 * writes docs/benchmarks.md. Machines differ and are shared, so what counts are ratios and the server's CPU per
 * operation.
 *
 * npm run bench [-- --rounds N] [--seconds N] [--only TEXT] [--keys N]
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startEtcd } from '../test-servers/etcd.ts'
import { startKeta } from '../test-servers/keta.ts'
import type { TestServer } from '../test-servers/server.ts'
import { CASES, type Case, PREFILL_KEYS } from './cases.ts'
import { type CoreCost, measureCore } from './core.ts'
import { buildLoadgen, load, type LoadResult } from './loadgen.ts'
import { type LargeResult, measureLarge } from './large.ts'
import { type Compared, report } from './report.ts'

const REPORT = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url))

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string', default: '' },
    keys: { type: 'string', default: '1000000' },
    output: { type: 'string', default: REPORT },
  },
})

const loadgen = await buildLoadgen()
const core: CoreCost = await measureCore()
progress(`own core: ${core.cpuPerPut.toFixed(1)} µs CPU per put`)
const compared = await compareAll(CASES.filter((one) => one.name.includes(values.only)))
const large: readonly LargeResult[] = Number(values.keys) > 0 ? await measureLarge(loadgen, Number(values.keys)) : []
writeFileSync(
  values.output,
  report({ compared, core, large, cores: cpus().length, model: cpus()[0]?.model ?? 'unknown' }),
)
progress(`wrote ${values.output}`)

async function compareAll(cases: readonly Case[]): Promise<readonly Compared[]> {
  const etcd = await startEtcd()
  const keta = await startKeta()
  try {
    for (const server of [etcd, keta]) await prefill(server)
    const results: Compared[] = []
    for (const one of cases) results.push(await compare(one, etcd, keta))
    return results
  } finally {
    await Promise.all([etcd.stop(), keta.stop()])
  }
}

async function prefill(server: TestServer): Promise<void> {
  const perTxn = 100
  const shape = ['--txn-ops', String(perTxn), '--total', String(PREFILL_KEYS / perTxn)]
  await load(loadgen, server, ['fill', '--clients', '10', '--key-space-size', String(PREFILL_KEYS), ...shape])
}

/** The servers take turns, so that a slow minute of the machine hits both. */
async function compare(one: Case, etcd: TestServer, keta: TestServer): Promise<Compared> {
  const runs: { etcd: LoadResult[]; keta: LoadResult[] } = { etcd: [], keta: [] }
  for (let round = 0; round < Number(values.rounds); round++) {
    const args = one.args[0] === 'watch' ? one.args : [...one.args, '--duration', `${values.seconds}s`]
    runs.etcd.push(await load(loadgen, etcd, args))
    runs.keta.push(await load(loadgen, keta, args))
  }
  const result: Compared = { name: one.name, etcd: median(runs.etcd), keta: median(runs.keta) }
  progress(
    `${one.name}: ${result.keta.perSecond.toFixed(0)}/s against ${result.etcd.perSecond.toFixed(0)}/s, ` +
      `CPU ${result.keta.serverCpu.toFixed(0)} against ${result.etcd.serverCpu.toFixed(0)} µs`,
  )
  return result
}

/** The run with the median throughput: its figures belong together. */
function median(runs: readonly LoadResult[]): LoadResult {
  const sorted = runs.toSorted((a, b) => a.perSecond - b.perSecond)
  const middle = sorted[Math.floor(sorted.length / 2)]
  if (middle === undefined) throw new Error('no runs')
  return middle
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}
