/** Turns the measurements of clusters into docs/benchmarks-cluster.md. */
import { table } from './markdown.ts'

/** Latencies in ms, CPU in µs per operation. */
export interface Figures {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** The leader, all followers together, all brokers together. */
  readonly cpu: { readonly leader: number; readonly followers: number; readonly brokers: number }
}

export interface Section {
  readonly title: string
  readonly rows: readonly {
    readonly name: string
    readonly place: string
    readonly etcd: Figures
    readonly keta: Figures
  }[]
}

export interface ClusterMeasurements {
  readonly sections: readonly Section[]
  readonly rounds: number
  /** Load average of the machine before and after. */
  readonly load: readonly number[]
  readonly cores: number
  readonly model: string
}

export function clusterReport({ sections, rounds, load, cores, model }: ClusterMeasurements): string {
  return [
    '# Benchmarks of a cluster',
    '',
    'Written by `npm run bench:cluster`; do not edit. Keta on Apache Kafka 3.9 as it is shipped, and etcd 3.6 with',
    `fsync, all servers, brokers and the load generator on one machine (${cores} cores, ${model}), taking turns`,
    `within one run; each figure is from the run with the median throughput of ${rounds}. Values of 256 bytes; ten`,
    'clients share a connection. Clients are all at the leader, all at one follower, or spread over all servers.',
    'Latencies are milliseconds, p50/p99; CPU is µs per operation of leader + followers + brokers.',
    '',
    `Load average of the machine before and after: ${load.map((one) => one.toFixed(1)).join(' and ')}. With more`,
    'than the number of cores, other work shares the machine: rates and latencies are then worse than they are on a',
    'quiet one, and only CPU per operation and ratios say something.',
    '',
    "A write of a cluster is durable when Kafka has it on two of three brokers' page caches (its default: no fsync),",
    'and when etcd has it on the disks of two of three members.',
    '',
    ...sections.filter(({ rows }) => rows.length > 0).flatMap(section),
  ].join('\n')
}

function section({ title, rows }: Section): readonly string[] {
  return [
    `## ${title}`,
    '',
    ...table(
      ['workload', 'clients at', 'keta/s', 'etcd/s', 'ratio', 'keta ms', 'etcd ms', 'keta CPU', 'etcd CPU', 'ratio'],
      rows.map(({ name, place, keta, etcd }) => [
        name,
        place,
        keta.perSecond.toFixed(0),
        etcd.perSecond.toFixed(0),
        (keta.perSecond / etcd.perSecond).toFixed(2),
        latency(keta),
        latency(etcd),
        cpu(keta),
        cpu(etcd),
        (total(keta) / total(etcd)).toFixed(2),
      ]),
    ),
  ]
}

function latency({ p50, p99 }: Figures): string {
  return `${p50.toFixed(1)}/${p99.toFixed(1)}`
}

function cpu({ cpu: { leader, followers, brokers } }: Figures): string {
  return [leader, followers, brokers].map((part) => part.toFixed(0)).join(' + ')
}

function total({ cpu: { leader, followers, brokers } }: Figures): number {
  return leader + followers + brokers
}
