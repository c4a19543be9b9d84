/** Runs the real executable, and watches what it says. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ketaProgram } from '../../test-servers/keta.ts'
import { foreignEnvironment } from '../../test-servers/process-server.ts'
import { guardGroup, releaseGroup } from '../../test-servers/reaper.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

export class KetaProcess {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  #stdout = ''
  #stderr = ''

  /**
   * Of the environment it inherits what `foreignEnvironment` does.
   * @param fileBlocks how long a file may grow, in the shell's blocks: beyond it, writing fails as on a broken disk.
   */
  constructor(words: readonly string[], environment: Readonly<Record<string, string>> = {}, fileBlocks?: number) {
    const { npm_lifecycle_event: _, ...inherited } = foreignEnvironment()
    const limit = fileBlocks === undefined ? '' : `ulimit -f ${fileBlocks}; `
    const command = [process.execPath, ...ketaProgram(), ...words]
    this.child = spawn('sh', ['-c', `${limit}exec "$@"`, 'sh', ...command], {
      cwd: ROOT,
      env: { ...inherited, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const { pid } = this.child
    if (pid !== undefined) {
      guardGroup(pid)
      this.child.once('exit', () => releaseGroup(pid))
    }
    this.child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()))
    this.child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()))
    this.finished = once(this.child, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }))
  }

  /** The log so far; whole lines only. */
  get log(): readonly LogLine[] {
    const lines = this.#stderr.split('\n').slice(0, -1)
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine)
  }

  /** Resolves when standard output has said so. @throws if the process ends without */
  async said(text: string): Promise<void> {
    while (!this.#stdout.includes(text)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`ended without "${text}"`)
      await Promise.race([once(this.child.stdout ?? this.child, 'data'), this.finished])
    }
  }

  /** Resolves to the line with this message. @throws if the process ends without having logged it. */
  async logged(message: string): Promise<LogLine> {
    for (;;) {
      const line = this.log.find(({ msg }) => msg === message)
      if (line !== undefined) return line
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`ended without "${message}":\n${this.#stderr}`)
      await Promise.race([once(this.child.stderr ?? this.child, 'data'), this.finished])
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }
}

/** Runs to the end. */
export function runKeta(words: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Finished> {
  return new KetaProcess(words, environment).finished
}
