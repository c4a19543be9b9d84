/** A server that is killed and started by shell commands: for harnesses of stores that others run. */
import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import type { ServerHook } from './harness.ts'

/** Each a line for `sh -c`: `docker kill acme-1`. One that is to be done fails if it exits with anything but 0. */
export interface ShellCommands {
  readonly endpoint: string
  /** Must end the server without giving it time to tidy up; over when it is gone. */
  readonly kill: string
  /** Over when it answers. */
  readonly start: string
  readonly pause: string
  readonly resume: string
}

const run = promisify(execFile)

export function shellServer({ endpoint, kill, start, pause, resume }: ShellCommands): ServerHook {
  const shell = async (command: string) => {
    await run('sh', ['-c', command])
  }
  const atOnce = (command: string) => {
    execFileSync('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  return {
    endpoint,
    kill: () => shell(kill),
    start: () => shell(start),
    pause: () => atOnce(pause),
    resume: () => atOnce(resume),
  }
}
