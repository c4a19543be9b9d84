/** The log in the data directory of a stopped server. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openDataDir } from '../../log/local/data-dir.ts'
import { inspectLog } from '../../log/local/inspect.ts'
import { openSnapshotFiles } from '../../log/local/snapshot-files.ts'
import type { LogSource } from './log-source.ts'

/** Locks the directory, so that it stands still. @throws Error: it is none, or another process has it */
export async function openDirectorySource(dataDir: string): Promise<LogSource> {
  if (!existsSync(join(dataDir, 'meta.json'))) throw new Error(`${dataDir} is not a data directory of Keta`)
  if (existsSync(join(dataDir, 'shared-log'))) {
    throw new Error(`the log of ${dataDir} is a topic in Kafka: say with --config which one`)
  }
  const directory = openDataDir(dataDir)
  try {
    let unfinished: string | undefined
    const { logDirectory, logId, snapshotDirectory } = directory
    const log = await inspectLog(logDirectory, logId, ({ path, position, reason }) => {
      unfinished = `${path}, byte ${position}: ${reason}`
    })
    return {
      startOffset: log.startOffset,
      records: () => log.records(),
      tailOffset: () => log.startOffset,
      follow: undefined,
      snapshots: () => openSnapshotFiles({ directory: snapshotDirectory, logId }),
      get unfinished() {
        return unfinished
      },
      close: async () => directory.close(),
    }
  } catch (error) {
    directory.close()
    throw error
  }
}
