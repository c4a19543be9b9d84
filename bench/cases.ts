/** The workloads that are measured on both servers. 256-byte values; `clients` callers share `conns` connections. */
export interface Case {
  readonly name: string
  readonly args: readonly string[]
}

/** So many keys of the ranges and puts exist before the first measurement. */
export const PREFILL_KEYS = 20_000

export const CASES: readonly Case[] = [
  timed('put, 1 client', ['put', '--clients', '1']),
  timed('put, 100 clients', ['put', '--clients', '100', '--conns', '10']),
  timed('put, 1000 clients', ['put', '--clients', '1000', '--conns', '100']),
  timed('range linearizable, 1 client', ['range', '--clients', '1']),
  timed('range linearizable, 100 clients', ['range', '--clients', '100', '--conns', '10']),
  timed('range linearizable, 1000 clients', ['range', '--clients', '1000', '--conns', '100']),
  timed('range serializable, 100 clients', ['range', '--clients', '100', '--conns', '10', '--consistency', 's']),
  timed('range of 100 keys, 100 clients', ['range', '--clients', '100', '--conns', '10', '--limit', '100']),
  timed('txn: 1 put, 100 clients', ['txn-put', '--clients', '100', '--conns', '10']),
  timed('txn: 16 puts, 100 clients', ['txn-put', '--clients', '100', '--conns', '10', '--txn-ops', '16']),
  timed('txn: compare and put / read, 100 clients', ['txn-mixed', '--clients', '100', '--conns', '10']),
  timed('lease keep-alive, 100 clients', ['lease-keepalive', '--clients', '100', '--conns', '10']),
  watch('watch, 10 streams × 10 watchers, 100 puts/s', '10', '10', '300', '100'),
  watch('watch, 10 streams × 10 watchers, unthrottled', '10', '10', '1000', '0'),
  watch('watch, 100 streams × 1 watcher, 100 puts/s', '100', '1', '300', '100'),
]

function timed(name: string, args: readonly string[]): Case {
  return { name, args: [...args, '--key-space-size', String(PREFILL_KEYS), '--warmup', '2000'] }
}

function watch(name: string, streams: string, perStream: string, puts: string, rate: string): Case {
  const shape = ['--streams', streams, '--watchers-per-stream', perStream, '--total', puts, '--put-rate', rate]
  return { name, args: ['watch', '--clients', '100', '--conns', '100', ...shape] }
}
