/** Tells processes apart, also after a number was given to another one, and says whether one still runs. */
import { readFileSync } from 'node:fs'

export interface ProcessIdentity {
  readonly pid: number
  /** Boot and start time of the process, opaque; empty where there is no /proc. */
  readonly start: string
}

export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, start: startOf(process.pid) ?? '' }
}

/** Whether the process runs. Without /proc a process that got the same number since counts as the same. */
export function isRunning({ pid, start }: ProcessIdentity): boolean {
  return start === '' ? acceptsSignals(pid) : startOf(pid) === start
}

/** Undefined if there is no such process, if it is dead and only not yet reaped, or if there is no /proc. */
function startOf(pid: number): string | undefined {
  const stat = readProc(`/proc/${pid}/stat`)
  const boot = readProc('/proc/sys/kernel/random/boot_id')
  if (stat === undefined || boot === undefined) {
    return undefined
  }
  // The second field is the program's name in parentheses and may hold anything; behind it come state and, 20th, start.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, startTime] = [fields[0], fields[19]]
  return state === 'Z' || state === 'X' || startTime === undefined ? undefined : `${boot.trim()}/${startTime}`
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    // ESRCH: the process ended between open and read.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) {
      return undefined
    }
    throw error
  }
}

function acceptsSignals(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, under another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
