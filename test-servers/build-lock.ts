/** Lets one process at a time build into a shared directory. */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 200

/** Runs `work` while holding the lock file; a lock whose owner has died is taken over. */
export async function withBuildLock<T>(lockFile: string, work: () => Promise<T>): Promise<T> {
  while (!tryLock(lockFile)) {
    if (!isAlive(ownerOf(lockFile))) rmSync(lockFile, { force: true })
    else await delay(POLL_MS)
  }
  try {
    return await work()
  } finally {
    rmSync(lockFile, { force: true })
  }
}

function tryLock(lockFile: string): boolean {
  try {
    const file = openSync(lockFile, 'wx')
    writeSync(file, `${process.pid}\n`)
    closeSync(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** The pid in the lock file; 0 if the file has just gone or its owner died before writing. */
function ownerOf(lockFile: string): number {
  try {
    return Number.parseInt(readFileSync(lockFile, 'utf8'), 10) || 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}

function isAlive(pid: number): boolean {
  if (pid === 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
