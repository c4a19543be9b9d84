/** docs/benchmarks-spi.md. */
import type { Latency } from './latency.ts'
import { type Takeover, TTL_MS } from './takeover.ts'

export interface Result {
  readonly name: string
  readonly latency: readonly Latency[]
  readonly takeover: Takeover
}

export function report(results: readonly Result[], machine: string): string {
  const operations = results[0]?.latency.map(({ operation }) => operation) ?? []
  const rows = operations.map((operation) => [operation, ...results.map((one) => cell(one, operation))])
  const times = (what: string, time: (takeover: Takeover) => number | undefined) => [
    what,
    ...results.map(({ takeover }) => ms(time(takeover))),
  ]
  return `# What the SPI costs

Written by \`npm run bench:spi\` (${machine}; all servers and clients on it). Milliseconds, medians of calls made one
after the other. In brackets the ratio to the backend's bare driver doing the same (a transaction with the same
condition), in turns within the same run; the target is at most 1.10.

${table(results, rows)}

How soon others know. The session's time to live is ${TTL_MS} ms: a leader that is killed is replaced when its lease
ends, one that resigns or closes at once. Where the first row is 0, the listener usually runs before the writer has its
answer.

${table(results, [
  times('listener, after the acknowledged update', ({ listenerLag }) => Math.max(0, listenerLag)),
  times('next leader, after resign', ({ afterResign }) => afterResign),
  times('next leader, after kill -9', ({ afterKill }) => afterKill),
])}
`
}

function table(results: readonly Result[], rows: readonly (readonly string[])[]): string {
  const header = ['', ...results.map(({ name }) => name)]
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function cell({ latency }: Result, operation: string): string {
  const one = latency.find((candidate) => candidate.operation === operation)
  if (one === undefined) return '–'
  return one.raw === undefined ? ms(one.spi) : `${ms(one.spi)} (${(one.spi / one.raw).toFixed(2)})`
}

function ms(value: number | undefined): string {
  if (value === undefined) return '–'
  return value.toFixed(value < 10 ? 2 : 0)
}
