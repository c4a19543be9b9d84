/** What an engine is given by the configuration, whatever log it stands on. */
import { randomBytes } from 'node:crypto'
import type { Config } from './config/options.ts'
import { retentionMs } from './config/values.ts'
import type { AutoCompaction, EngineOptions, ReplayProgress } from './engine/ports.ts'
import { systemClock } from './engine/system-clock.ts'
import type { Logger } from './observe/logger.ts'

export function engineOptions(
  config: Config,
  logger: Logger,
  onReplay: ((progress: ReplayProgress) => void) | undefined,
): Omit<EngineOptions, 'identity' | 'snapshots'> {
  return {
    clock: systemClock,
    random: randomBytes,
    logger: logger.child({ part: 'engine' }),
    quotaBytes: config.quotaBackendBytes,
    maxRequestBytes: config.maxRequestBytes,
    progressNotifyIntervalMs: config.watchProgressNotifyInterval,
    snapshotLogBytes: config.snapshotLogBytes,
    autoCompaction: autoCompactionOf(config),
    ...(onReplay === undefined ? {} : { onReplay }),
  }
}

function autoCompactionOf({ autoCompactionMode, autoCompactionRetention }: Config): AutoCompaction {
  if (autoCompactionMode === 'revision') {
    const retention = Number(autoCompactionRetention)
    return retention === 0 ? { mode: 'off' } : { mode: 'revision', retention }
  }
  const period = retentionMs(autoCompactionRetention)
  return period === 0 ? { mode: 'off' } : { mode: 'periodic', retentionMs: period }
}
