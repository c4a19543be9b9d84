/**
 * What a put costs in our own code: everything but the gRPC transport, in this process. The service table is called
 * as a transport calls it, with encoded requests; CPU is that of the whole process, so the fsync thread and the
 * garbage collector count.
 */
import { memoryBacking } from '../keta/backing/memory-backing.ts'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyFromText } from '../keta/bytes/key.ts'
import { encodeCommandBody } from '../keta/command/codec.ts'
import { openEngine } from '../keta/engine/open-engine.ts'
import { systemClock } from '../keta/engine/system-clock.ts'
import { openLocalLog } from '../keta/log/local/local-log.ts'
import type { Log } from '../keta/log/log.ts'
import { MemoryLog } from '../keta/log/memory/memory-log.ts'
import { MemorySnapshots } from '../keta/log/memory/memory-snapshots.ts'
import { BcryptPasswords } from '../keta/credentials/passwords.ts'
import { createServices } from '../keta/rpc/services.ts'
import type { UnaryMethod } from '../keta/transport/transport.ts'

export interface CoreCost {
  /** µs of CPU per put on the local log, with fdatasync. */
  readonly cpuPerPut: number
  /** µs of CPU per put on the in-memory log. */
  readonly cpuPerPutNoSync: number
  readonly puts: number
  readonly inFlight: number
}

const PUTS = 200_000
const WARM_UP = 40_000
const IN_FLIGHT = 100
const KEYS = 20_000
const VALUE_BYTES = 256

export async function measureCore(): Promise<CoreCost> {
  const directory = mkdtempSync(join(tmpdir(), 'keta-bench-core-'))
  try {
    const local = await openLocalLog({ directory, logId: randomBytes(16) })
    const cpuPerPut = await cpuOf(local)
    await local.close()
    const cpuPerPutNoSync = await cpuOf(new MemoryLog())
    return { cpuPerPut, cpuPerPutNoSync, puts: PUTS, inFlight: IN_FLIGHT }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function cpuOf(log: Log): Promise<number> {
  const engine = await openEngine({
    identity: { clusterId: 1n, memberId: 2n, name: 'bench' },
    clientUrls: () => [],
    log,
    snapshots: new MemorySnapshots(),
    backing: memoryBacking(),
    clock: systemClock,
    random: randomBytes,
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    quotaBytes: -1,
    maxRequestBytes: 1_572_864,
    progressNotifyIntervalMs: 600_000,
    snapshotLogBytes: 1 << 30,
    autoCompaction: { mode: 'off' },
  })
  const { table: services } = createServices(engine, {
    version: '3.6.16',
    readiness: { serving: true, onChange: () => ignore },
    random: randomBytes,
    credentials: { passwords: new BcryptPasswords(10) },
  })
  const method = services.get('etcdserverpb.KV')?.get('Put')
  if (method?.kind !== 'unary') throw new Error('there is no Put')
  const put = callOf(method)
  await run(put, WARM_UP)
  const before = process.cpuUsage()
  await run(put, PUTS)
  const used = process.cpuUsage(before)
  await engine.stop()
  return (used.user + used.system) / PUTS
}

function callOf(method: UnaryMethod<never, unknown>): (request: Buffer) => Promise<void> {
  const call = { metadata: () => undefined, peer: 'bench', onClosed: () => undefined }
  return async (request) => {
    method.encode(await method.handle(method.decode(request), call))
  }
}

/** So many callers, each with one put in flight. */
async function run(put: (request: Buffer) => Promise<void>, puts: number): Promise<void> {
  const requests = makeRequests()
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < puts) {
      const request = requests[next++ % requests.length]
      if (request !== undefined) await put(request)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller))
}

function makeRequests(): readonly Buffer[] {
  const value = randomBytes(VALUE_BYTES)
  return Array.from({ length: KEYS }, (_, index) => {
    const key = keyFromText(String((index * 7919) % KEYS).padStart(16, '0'))
    const options = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false }
    return encodeCommandBody({ kind: 'put', key, value, ...options })
  })
}

function ignore(): void {
  // For listeners and loggers that a measurement does not need.
}
