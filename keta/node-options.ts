/** What an engine is given by the configuration, whatever log it stands on: its options, and where its state lies. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { StateBacking } from './backing/backing.ts'
import { openLmdbBacking } from './backing/lmdb/lmdb-backing.ts'
import { memoryBacking } from './backing/memory-backing.ts'
import type { Config } from './config/options.ts'
import { retentionMs } from './config/values.ts'
import type { AutoCompaction, EngineOptions, ReplayProgress } from './engine/ports.ts'
import { systemClock } from './engine/system-clock.ts'
import type { DataDir } from './log/local/data-dir.ts'
import type { EngineCounts } from './metrics/engine-counts.ts'
import type { Logger } from './observe/logger.ts'
import type { Opened } from './opened.ts'

export interface EngineParts {
  readonly config: Config
  readonly logger: Logger
  readonly counts: EngineCounts
  readonly onReplay: ((progress: ReplayProgress) => void) | undefined
}

export function engineOptions({
  config,
  logger,
  counts,
  onReplay,
}: EngineParts): Omit<EngineOptions, 'identity' | 'snapshots' | 'backing'> {
  return {
    clock: systemClock,
    random: randomBytes,
    logger: logger.child({ part: 'engine' }),
    quotaBytes: config.quotaBackendBytes,
    maxRequestBytes: config.maxRequestBytes,
    progressNotifyIntervalMs: config.watchProgressNotifyInterval,
    ...(config.authTokenTtl > 0 && { simpleTokenTtlMs: config.authTokenTtl * 1000 }),
    snapshotLogBytes: config.snapshotLogBytes,
    autoCompaction: autoCompactionOf(config),
    observer: counts,
    ...(onReplay === undefined ? {} : { onReplay }),
  }
}

export interface BackingParts {
  readonly config: Config
  readonly directory: DataDir
  readonly logger: Logger
  readonly opened: Opened
  readonly onReplay: ((progress: ReplayProgress) => void) | undefined
}

/** @param logId names the log that the state is of. @throws BackingError */
export async function openBacking(parts: BackingParts, logId: string): Promise<StateBacking> {
  const { config, directory, logger, opened, onReplay } = parts
  if (config.backingCache === 'memory') return memoryBacking()
  const backing = await openLmdbBacking({
    directory: join(directory.path, 'state'),
    logId,
    warn: (message, fields) => logger.warn(message, fields),
    onProgress: (done, total) => onReplay?.({ phase: 'state', done, total }),
  })
  opened.add('close the state', () => backing.close())
  return backing
}

function autoCompactionOf({ autoCompactionMode, autoCompactionRetention }: Config): AutoCompaction {
  if (autoCompactionMode === 'revision') {
    const retention = Number(autoCompactionRetention)
    return retention === 0 ? { mode: 'off' } : { mode: 'revision', retention }
  }
  const period = retentionMs(autoCompactionRetention)
  return period === 0 ? { mode: 'off' } : { mode: 'periodic', retentionMs: period }
}
