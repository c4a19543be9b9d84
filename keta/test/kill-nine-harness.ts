/**
 * Starts a process, kills it with SIGKILL at a chosen moment, and collects what it had said by then. The process
 * reports each fact as one line on stdout, written at once: what was written before the kill is still in the pipe.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** When to kill: so long after 'start', or after the process has said a line that begins with `after`. */
export interface KillMoment {
  readonly after: string
  readonly delayMs: number
}

/** Numbers from 0 up to, not including, 1, that follow from the seed. */
export type Random = () => number

/** @throws Error when the process ends by itself, with what it wrote to stderr. */
export async function runUntilKilled(
  command: readonly string[],
  { after, delayMs }: KillMoment,
): Promise<readonly string[]> {
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] })
  let timer: NodeJS.Timeout | undefined
  const arm = (): void => {
    timer ??= setTimeout(() => child.kill('SIGKILL'), delayMs)
  }
  let out = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    if (out.startsWith(after) || out.includes(`\n${after}`)) {
      arm()
    }
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  if (after === 'start') {
    arm()
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  clearTimeout(timer)
  if (signal !== 'SIGKILL') {
    throw new Error(
      `the process ended by itself with ${String(code ?? signal)} after saying\n${out.slice(-500)}\n${errors}`,
    )
  }
  // The kill may have come in the middle of a line; half a line is not a fact.
  return out.split('\n').slice(0, -1)
}

/** mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** KETA_SEED, or one made from the clock. */
export function chosenSeed(): number {
  return Number(process.env['KETA_SEED'] ?? Date.now() % 1_000_000_007)
}
