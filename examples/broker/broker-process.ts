/** A broker as tests and the demo see it: a process that is killed, and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Address } from './wire/connection.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const TYPESCRIPT_LOADER = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const OUTPUT_KEPT = 20_000

/** Whoever started them leaves none behind, however it ends – not even a stopped one. */
const living = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

export class BrokerProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  #output = ''

  constructor(serverProperties: string) {
    const child = spawn(process.execPath, ['--import', TYPESCRIPT_LOADER, MAIN, serverProperties], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    living.add(child)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_KEPT)
      })
    }
    this.#exited = once(child, 'exit').finally(() => living.delete(child))
  }

  /** Where it listens; undefined before. */
  get address(): Address | undefined {
    const [, host, port] = /^broker \d+ listens on (.+):(\d+)$/m.exec(this.#output) ?? []
    return host === undefined ? undefined : { host, port: Number(port) }
  }

  get output(): string {
    return this.#output
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error(`it was not started: ${this.#output}`)
    return pid
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.isAlive) this.#child.kill('SIGKILL')
    await this.#exited
  }

  continue(): void {
    this.#child.kill('SIGCONT')
  }

  /** SIGTERM. Resolves with its exit code, null if a signal ended it. */
  async end(): Promise<number | null> {
    if (this.isAlive) this.#child.kill('SIGTERM')
    return this.exit()
  }

  async exit(): Promise<number | null> {
    await this.#exited
    return this.#child.exitCode
  }
}
