/** Turns outages into docs/benchmarks-failover.md. */
import { table } from './markdown.ts'
import type { Outage } from './outage.ts'
import { CLIENTS_PER_SERVER, INTERVAL_MS } from './writers.ts'

export interface FaultOutages {
  readonly name: string
  readonly etcd: Outage
  readonly keta: Outage
}

export interface FailoverMeasurements {
  readonly results: readonly FaultOutages[]
  readonly rounds: number
  /** Load average of the machine before and after. */
  readonly load: readonly number[]
  readonly cores: number
  readonly model: string
}

export function failoverReport({ results, rounds, load, cores, model }: FailoverMeasurements): string {
  return [
    '# Fail-over',
    '',
    'Written by `npm run bench:failover`; do not edit. Three Keta nodes on three Kafka brokers with the settings',
    'that Kafka is shipped with, and three members of etcd 3.6 with fsync, all on one machine',
    `(${cores} cores, ${model}), take turns: medians of ${rounds} rounds. ${CLIENTS_PER_SERVER} clients at each`,
    `server write every ${INTERVAL_MS} ms without waiting for the answer before; after a failure a client goes on at`,
    'the next server. Milliseconds; failures are counts of writes.',
    '',
    `Load average of the machine before and after: ${load.map((one) => one.toFixed(1)).join(' and ')}. What is above`,
    'the number of cores is mostly other work on the machine, for whose sake everything here waits; the row "nothing',
    'happens" shows the gaps that come of that alone.',
    '',
    'A leader that is killed is missed because its port refuses connections; one that stands still because of its',
    'silence: 1.2 s without a record (`--leader-silence`), then 0.6 s without an answer (`--leader-ping`). etcd',
    'elects when it has heard nothing for its election timeout, 1 s and more. What other nodes had sent on to a',
    'leader that died or stands still ends as unknown.',
    '',
    '- *outage*: the longest time without an acknowledged write of any client.',
    '- *other clients*: the longest that any client at a server which was not struck waited from one acknowledged',
    '  write to the next; *its clients*: the same for those at the struck server.',
    '- *unknown*: writes that failed and may have been done; *refused*: those that a server refused; *unsent*: those',
    "  for which the client itself found no connection, which etcd's own client does not show but tries elsewhere.",
    '',
    ...table(
      ['fault', 'server', 'outage', 'other clients', 'its clients', 'unknown', 'refused', 'unsent'],
      results.flatMap(({ name, keta, etcd }) => [row(name, 'keta', keta), row('', 'etcd', etcd)]),
    ),
  ].join('\n')
}

function row(name: string, server: string, outage: Outage): readonly string[] {
  const { all, survivors, struck, failures } = outage
  const figures = [all, survivors, struck, failures.unknown, failures.refused, failures.unsent]
  return [name, server, ...figures.map((figure) => figure.toFixed(0))]
}
