/** One call after the other, as one broker makes them: how long each takes, and what the SPI adds to its driver. */
import { type Leadership, type PluginLocator, type Version } from '../../spi/index.ts'
import type { RawDriver } from './subjects.ts'

export interface Latency {
  readonly operation: string
  /** Milliseconds, the median. */
  readonly spi: number
  /** The same through the bare driver, in the same run; undefined where there is nothing to compare. */
  readonly raw: number | undefined
}

/** Blocks of calls through the SPI and through the driver take turns: a slow second of the machine hits both. */
const BLOCKS = 20

interface Measured {
  readonly operation: string
  readonly spi: (index: number) => Promise<unknown>
  readonly raw?: (index: number) => Promise<unknown>
}

export async function measureLatency(
  locator: PluginLocator,
  raw: RawDriver | undefined,
  calls: number,
): Promise<readonly Latency[]> {
  const storage = locator.getStorage()
  const value = 'x'.repeat(100)
  let version: Version = await storage.put('/updated', value)
  const election = locator.getLeaderElection('bench-fence')
  await election.nominate('bench')
  const leadership: Leadership = await election.awaitLeadership('bench')
  let rawVersion = ''
  if (raw !== undefined) {
    await raw.create('/raw/updated', value)
    rawVersion = (await raw.read('/raw/updated')) ?? ''
  }
  const measured: readonly Measured[] = [
    {
      operation: 'put',
      spi: (index) => storage.put(`/put/${index}`, value),
      ...(raw && { raw: (index: number) => raw.create(`/raw/put/${index}`, value) }),
    },
    {
      operation: 'update with version',
      spi: async () => (version = await storage.update('/updated', value, { ifVersion: version })),
      ...(raw && { raw: async () => (rawVersion = await raw.replace('/raw/updated', value, rawVersion)) }),
    },
    {
      operation: 'fenced update',
      spi: async () => (version = await storage.update('/updated', value, { ifVersion: version, fence: leadership })),
    },
    {
      operation: 'fetch',
      spi: () => storage.fetchEntry('/updated'),
      ...(raw && { raw: () => raw.read('/raw/updated') }),
    },
    {
      operation: 'nominate and resign',
      spi: async (index) => {
        const vacant = locator.getLeaderElection(`vacant-${index % 10}`)
        await vacant.nominate('bench')
        await vacant.resign('bench')
      },
    },
  ]
  const results: Latency[] = []
  for (const one of measured) results.push(await measure(one, calls))
  return results
}

async function measure({ operation, spi, raw }: Measured, calls: number): Promise<Latency> {
  const times: { spi: number[]; raw: number[] } = { spi: [], raw: [] }
  const perBlock = Math.ceil(calls / BLOCKS)
  // one block more than is counted: connections and compilers warm up
  for (let block = -1; block < BLOCKS; block++) {
    for (const [name, call] of [['spi', spi] as const, ['raw', raw] as const]) {
      if (call === undefined) continue
      for (let index = 0; index < perBlock; index++) {
        const begun = performance.now()
        await call((block + 1) * perBlock + index)
        if (block >= 0) times[name].push(performance.now() - begun)
      }
    }
  }
  return { operation, spi: median(times.spi), raw: raw === undefined ? undefined : median(times.raw) }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
