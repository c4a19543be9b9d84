/** Makes a process stand still, and knows when it does. */
import { readdirSync, readFileSync } from 'node:fs'

/** A process may be writing to its disk, which no signal interrupts. */
const LIMIT_MS = 10_000
const STANDING = 'TtZX'
const sleeper = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/**
 * SIGSTOP. Returns when all threads stand: on a busy machine they go on for tens of milliseconds after the signal, in
 * which a server still answers and a client still renews its lease. Blocks as long; without /proc (Linux has it) it
 * does not wait.
 *
 * @param pid negative: of a process group, as for process.kill; what is waited for is the process that leads it
 * @throws what process.kill throws; an Error after 10 s
 */
export function pauseProcess(pid: number): void {
  process.kill(pid, 'SIGSTOP')
  const deadline = performance.now() + LIMIT_MS
  while (!stands(Math.abs(pid))) {
    if (performance.now() > deadline) throw new Error(`process ${pid} runs ${LIMIT_MS} ms after SIGSTOP`)
    Atomics.wait(sleeper, 0, 0, 1)
  }
}

function stands(pid: number): boolean {
  const folder = `/proc/${pid}/task`
  return (unlessGone(() => readdirSync(folder)) ?? []).every((thread) => {
    const stat = unlessGone(() => readFileSync(`${folder}/${thread}/stat`, 'utf8'))
    // "<thread> (<name>) <state> …", and the name may hold anything
    return stat === undefined || STANDING.includes(stat.charAt(stat.lastIndexOf(')') + 2))
  })
}

/** Undefined for a thread that has ended, or a system without /proc. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
