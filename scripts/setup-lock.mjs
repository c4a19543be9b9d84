/** Lets one process at a time set up the clone: three servers started at once on a fresh clone install once. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'

const POLL_MS = 200

/**
 * Runs `action` while this process holds `file`, waiting for another process that holds it. A lock left by a process
 * that is gone is taken over.
 * @param {string} file
 * @param {() => void} action
 */
export function withLock(file, action) {
  const signal = new Int32Array(new SharedArrayBuffer(4))
  while (!take(file)) Atomics.wait(signal, 0, 0, POLL_MS)
  try {
    action()
  } finally {
    rmSync(file, { force: true })
  }
}

/** @param {string} file */
function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
  const holder = readHolder(file)
  if (holder !== undefined && !isAlive(holder)) rmSync(file, { force: true })
  return false
}

/** @param {string} file the pid in it; undefined while it is being written, or when it has just gone */
function readHolder(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    return pid > 0 ? pid : undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) !== 'ESRCH'
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
