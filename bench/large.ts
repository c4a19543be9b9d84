/** Memory and start-up with many keys: fill, resident memory, kill -9, time until the server answers again. */
import { startEtcd } from '../test-servers/etcd.ts'
import { startKeta } from '../test-servers/keta.ts'
import type { TestServer } from '../test-servers/server.ts'
import { load } from './loadgen.ts'

export interface LargeResult {
  readonly server: string
  readonly keys: number
  readonly fillSeconds: number
  /** Resident memory after filling, and after the restart, in bytes. */
  readonly rssFilled: number
  readonly rssRestarted: number
  /** From the start of the process to its first answer, in seconds. */
  readonly restartSeconds: number
}

const KEYS_PER_TXN = 100

export async function measureLarge(loadgen: string, keys: number): Promise<readonly LargeResult[]> {
  const results: LargeResult[] = []
  for (const start of [startEtcd, startKeta]) {
    const server = await start()
    try {
      results.push(await measure(loadgen, server, keys))
    } finally {
      await server.stop()
    }
  }
  return results
}

async function measure(loadgen: string, server: TestServer, keys: number): Promise<LargeResult> {
  const shape = ['--txn-ops', String(KEYS_PER_TXN), '--total', String(keys / KEYS_PER_TXN)]
  const filled = await load(loadgen, server, ['fill', '--clients', '10', '--key-space-size', String(keys), ...shape])
  await server.kill()
  const started = performance.now()
  await server.restart()
  const restartSeconds = (performance.now() - started) / 1000
  const probe = await load(loadgen, server, ['range', '--total', '1000', '--key-space-size', String(keys)])
  return {
    server: server.name,
    keys,
    fillSeconds: filled.seconds,
    rssFilled: filled.serverRss,
    rssRestarted: probe.serverRss,
    restartSeconds,
  }
}
