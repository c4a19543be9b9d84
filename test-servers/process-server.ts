/** A TestServer that is one child process in its own process group, with its data in a temporary directory. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pauseProcess } from '../conformance/kit/pause-process.ts'
import { guardDirectory, guardGroup, releaseGroup } from './reaper.ts'
import type { TestServer } from './server.ts'

export interface ProcessServerOptions {
  readonly name: string
  readonly endpoint: string
  readonly command: string
  /** The arguments, given the directory that the server may write to. */
  readonly arguments: (dataDir: string) => readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Run once before the first start, given the same directory as `arguments`. */
  readonly prepare?: (dataDir: string) => Promise<void>
  /** Resolves to true when the server answers; asked again until then. */
  readonly isReady: () => Promise<boolean>
  /** How long a start may take, in milliseconds. */
  readonly startTimeout?: number
  /** How long `stop` waits for a graceful end, in milliseconds; 0: SIGKILL at once. Default 10 s. */
  readonly stopGrace?: number
}

const GRACE_MS = 10_000
const LOG_FILE = 'server.log'

/** @throws with the end of the server's log, if it ends or is not ready in time. */
export async function startProcessServer(options: ProcessServerOptions): Promise<TestServer> {
  const server = new ProcessServer(options)
  try {
    await options.prepare?.(server.writableDir)
    await server.start()
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

class ProcessServer implements TestServer {
  readonly name: string
  readonly endpoint: string
  readonly dataDir: string
  readonly #options: ProcessServerOptions
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(options: ProcessServerOptions) {
    this.name = options.name
    this.endpoint = options.endpoint
    this.#options = options
    this.dataDir = mkdtempSync(join(tmpdir(), `keta-test-${options.name}-`))
    guardDirectory(this.dataDir)
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`${this.name} is not running`)
    return pid
  }

  get writableDir(): string {
    return join(this.dataDir, 'data')
  }

  log(): string {
    return readFileSync(join(this.dataDir, LOG_FILE), 'utf8')
  }

  async start(): Promise<void> {
    const { command, environment, isReady, startTimeout = 30_000 } = this.#options
    const output = openSync(join(this.dataDir, LOG_FILE), 'a')
    const child = spawn(command, this.#options.arguments(this.writableDir), {
      detached: true,
      stdio: ['ignore', output, output],
      env: { ...foreignEnvironment(), ...environment },
    })
    closeSync(output)
    this.#adopt(child)
    const deadline = performance.now() + startTimeout
    while (!(await isReady())) {
      if (this.#child === undefined) throw new Error(`${this.name} ended at its start:\n${tail(this.log())}`)
      if (performance.now() > deadline) {
        throw new Error(`${this.name} was not ready after ${startTimeout} ms:\n${tail(this.log())}`)
      }
      await delay(20)
    }
  }

  async stop(): Promise<void> {
    const { stopGrace = GRACE_MS } = this.#options
    await (stopGrace > 0 ? this.#terminate(stopGrace) : this.kill())
    rmSync(this.dataDir, { recursive: true, force: true })
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) signalGroup(this.pid, 'SIGKILL')
    await this.#ended
  }

  pause(): void {
    pauseProcess(-this.pid)
  }

  resume(): void {
    signalGroup(this.pid, 'SIGCONT')
  }

  async restart(): Promise<void> {
    await this.#terminate(GRACE_MS)
    await this.start()
  }

  #adopt(child: ChildProcess): void {
    const { pid } = child
    this.#child = child
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        if (this.#child === child) this.#child = undefined
        if (pid !== undefined) releaseGroup(pid)
        resolve()
      }
      child.once('exit', end)
      child.once('error', end)
    })
    if (pid !== undefined) guardGroup(pid)
  }

  async #terminate(grace: number): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined) return
    const { pid } = child
    signalGroup(pid, 'SIGTERM')
    signalGroup(pid, 'SIGCONT')
    const timer = setTimeout(() => {
      signalGroup(pid, 'SIGKILL')
    }, grace)
    await this.#ended
    clearTimeout(timer)
  }
}

/**
 * Without the variables that would configure a server behind the test's back, but for KETA_TRANSPORT: with it any test
 * runs on either transport.
 */
export function foreignEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env)
  return Object.fromEntries(entries.filter(([name]) => !/^(ETCD_|KETA_(?!TRANSPORT$))/.test(name)))
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function tail(text: string): string {
  return text.slice(-4000)
}
