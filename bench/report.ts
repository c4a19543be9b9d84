/** Turns the measurements into docs/benchmarks.md. */
import type { CoreCost } from './core.ts'
import type { LargeResult } from './large.ts'
import type { LoadResult } from './loadgen.ts'
import { table } from './markdown.ts'

export interface Compared {
  readonly name: string
  readonly etcd: LoadResult
  readonly keta: LoadResult
}

export interface Measurements {
  readonly compared: readonly Compared[]
  readonly core: CoreCost
  readonly large: readonly LargeResult[]
  readonly cores: number
  readonly model: string
}

export function report(measured: Measurements): string {
  return [
    '# Benchmarks',
    '',
    'Written by `npm run bench`; do not edit. Keta on its embedded log and etcd 3.6 (one member), both with fsync,',
    `take turns within one run on one machine (${measured.cores} cores, ${measured.model}) that the load generator`,
    'shares with them. Machines are noisy: compare ratios and CPU per operation, not absolute figures. Latencies are',
    'milliseconds, p50/p99.',
    '',
    ...operationsTable(measured.compared.filter((one) => one.keta.workload !== 'watch')),
    ...watchTable(measured.compared.filter((one) => one.keta.workload === 'watch')),
    ...largeTable(measured.large),
    '## CPU of our own core',
    '',
    'Decoding, checks, batching, record, local log with fdatasync, apply, watch hub and encoding, without the gRPC',
    `transport: **${measured.core.cpuPerPut.toFixed(1)} µs of CPU per put** of 256 bytes (${measured.core.puts} puts,`,
    `${measured.core.inFlight} in flight; ${measured.core.cpuPerPutNoSync.toFixed(1)} µs with the in-memory log).`,
    '',
  ].join('\n')
}

function operationsTable(rows: readonly Compared[]): readonly string[] {
  return titled(
    'Operations',
    [
      'workload',
      'keta ops/s',
      'etcd ops/s',
      'ratio',
      'keta p50/p99',
      'etcd p50/p99',
      'keta CPU µs/op',
      'etcd CPU µs/op',
      'CPU ratio',
    ],
    rows.map(({ name, keta, etcd }) => [
      name,
      keta.perSecond.toFixed(0),
      etcd.perSecond.toFixed(0),
      ratio(keta.perSecond, etcd.perSecond),
      latency(keta.p50, keta.p99),
      latency(etcd.p50, etcd.p99),
      keta.serverCpu.toFixed(0),
      etcd.serverCpu.toFixed(0),
      ratio(keta.serverCpu, etcd.serverCpu),
    ]),
  )
}

function watchTable(rows: readonly Compared[]): readonly string[] {
  return titled(
    'Watch: from the start of a put to the event in the client',
    [
      'shape',
      'keta event',
      'etcd event',
      'keta last watcher',
      'etcd last watcher',
      'keta put',
      'etcd put',
      'keta CPU µs/event',
      'etcd CPU µs/event',
    ],
    rows.map(({ name, keta, etcd }) => [
      name,
      latency(keta.p50, keta.p99),
      latency(etcd.p50, etcd.p99),
      latency(keta.lastP50, keta.lastP99),
      latency(etcd.lastP50, etcd.lastP99),
      latency(keta.putP50, keta.putP99),
      latency(etcd.putP50, etcd.putP99),
      keta.serverCpu.toFixed(1),
      etcd.serverCpu.toFixed(1),
    ]),
  )
}

function largeTable(rows: readonly LargeResult[]): readonly string[] {
  return titled(
    'Many keys: memory and restart after kill -9',
    ['server', 'keys', 'fill s', 'memory MiB', 'restart s', 'memory after restart MiB'],
    rows.map((row) => [
      row.server,
      String(row.keys),
      row.fillSeconds.toFixed(1),
      mebibytes(row.rssFilled),
      row.restartSeconds.toFixed(2),
      mebibytes(row.rssRestarted),
    ]),
  )
}

function titled(title: string, head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  return rows.length === 0 ? [] : [`## ${title}`, '', ...table(head, rows)]
}

function ratio(a: number, b: number): string {
  return (a / b).toFixed(2)
}

function latency(p50 = 0, p99 = 0): string {
  return `${p50.toFixed(2)}/${p99.toFixed(2)}`
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0)
}
