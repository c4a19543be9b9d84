/** For tests: an engine with a log of its own in memory. */
import { memoryBacking } from '../backing/memory-backing.ts'
import { MemoryLog } from '../log/memory/memory-log.ts'
import { MemorySnapshots } from '../log/memory/memory-snapshots.ts'
import type { OpenedEngine } from './api.ts'
import { ManualClock } from './manual-clock.fixture.ts'
import { openEngine } from './open-engine.ts'
import type { SoleEngineOptions } from './ports.ts'

export const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** What the options do not say is new, and does nothing by itself. */
export function openTestEngine(options: Partial<SoleEngineOptions> = {}): Promise<OpenedEngine> {
  return openEngine({
    identity: { clusterId: 1n, memberId: 2n, name: 'test' },
    clientUrls: () => [],
    log: new MemoryLog(),
    snapshots: new MemorySnapshots(),
    backing: memoryBacking(),
    clock: new ManualClock(),
    random: (count) => new Uint8Array(count).fill(7),
    logger: quiet,
    quotaBytes: 0,
    maxRequestBytes: 1_572_864,
    progressNotifyIntervalMs: 600_000,
    snapshotLogBytes: 1 << 30,
    autoCompaction: { mode: 'off' },
    ...options,
  })
}
