/** Runs the real etcdctl against a server. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { ensureEtcd } from '../../test-servers/etcd.ts'
import { guardGroup, releaseGroup } from '../../test-servers/reaper.ts'
import type { TestServer } from '../../test-servers/server.ts'

export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const TIMEOUT_MS = 60_000

/** Runs one command to its end. */
export async function etcdctl(
  server: TestServer,
  options: readonly string[],
  input = '',
  timeout = TIMEOUT_MS,
): Promise<Output> {
  const program = (await ensureEtcd()).etcdctl
  return new Promise((resolve) => {
    const child = execFile(
      program,
      [...connection(server), ...options],
      { timeout, env: { PATH: process.env['PATH'] } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, stdout, stderr })
      },
    )
    // Some commands end without reading what is typed: that is no failure.
    child.stdin?.once('error', () => undefined)
    child.stdin?.end(input)
  })
}

const running = new Set<RunningEtcdctl>()

/** Ends what a test that failed has left running. */
export async function endAllRunning(): Promise<void> {
  await Promise.all([...running].map((command) => command.end('SIGKILL')))
}

/** A command that runs until it is ended. */
export class RunningEtcdctl {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  /** It has ended, and all that it printed has come. */
  readonly #closed: Promise<unknown>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#closed = once(child, 'close')
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    const { pid } = child
    if (pid === undefined) return
    guardGroup(pid)
    running.add(this)
    child.once('exit', () => {
      running.delete(this)
      releaseGroup(pid)
    })
  }

  static async start(server: TestServer, options: readonly string[]): Promise<RunningEtcdctl> {
    const program = (await ensureEtcd()).etcdctl
    const child = spawn(program, [...connection(server), ...options], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] },
    })
    return new RunningEtcdctl(child)
  }

  type(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** @throws with what was printed instead */
  async untilPrinted(pattern: RegExp, timeout = 10_000): Promise<void> {
    const deadline = performance.now() + timeout
    while (!pattern.test(this.stdout)) {
      if (performance.now() > deadline) {
        throw new Error(`etcdctl did not print ${String(pattern)} but:\n${this.stdout}\n${this.stderr}`)
      }
      await delay(5)
    }
  }

  /** @returns the exit code, null if the signal ended it */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal)
    await this.#closed
    return this.#child.exitCode
  }
}

function connection(server: TestServer): readonly string[] {
  return [`--endpoints=${server.endpoint}`, '--command-timeout=20s']
}
