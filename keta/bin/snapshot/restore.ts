/** Makes a data directory from a backup. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { openDataDir } from '../../log/local/data-dir.ts'
import { makeEmptyLog } from '../../log/local/new-log.ts'
import { openSnapshotFiles } from '../../log/local/snapshot-files.ts'
import { BackupError, readBackup } from './backup-file.ts'

/**
 * The directory must not exist, or be empty; after a failure it does not exist. It is a new cluster: its ids are new,
 * revisions and lease ids are those of the backup.
 * @returns the revision. @throws BackupError, SnapshotError, LogError
 */
export async function restoreBackup(path: string, dataDir: string): Promise<number> {
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw new BackupError(`${dataDir} is not empty: a backup is restored into a new directory`)
  }
  const backup = await readBackup(path)
  const { state } = backup
  try {
    const directory = openDataDir(dataDir)
    try {
      const { logDirectory, snapshotDirectory, logId } = directory
      const { offset } = state.position
      const snapshots = await openSnapshotFiles({ directory: snapshotDirectory, logId })
      await snapshots.save(offset, backup.chunks())
      await makeEmptyLog(logDirectory, logId, offset + 1)
    } finally {
      directory.close()
    }
  } catch (error) {
    rmSync(dataDir, { recursive: true, force: true })
    throw error
  }
  return state.store.revision
}
