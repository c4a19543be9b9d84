/** An agent as the suite sees it: a forked process that answers requests and tells events. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Message, type Order, type Request, unpackError, unpackValue } from './agent-protocol.ts'
import { clockEnvironment } from './machine-time.ts'
import type { RemoteEvent } from './party.ts'
import { pauseProcess } from './pause-process.ts'

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** The living ones: a suite that ends, however it does, leaves none behind – not even a stopped one. */
const living = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

export class AgentProcess {
  readonly #child: ChildProcess
  readonly #events: RemoteEvent[] = []
  readonly #onEvent = new Set<(event: RemoteEvent) => void>()
  readonly #waiting = new Map<number, Waiting>()
  readonly #exited: Promise<unknown>
  #requests = 0
  #output = ''
  #isStopped = false
  #isOrdered = false

  constructor() {
    const child = forkAgent()
    this.#child = child
    living.add(child)
    child.on('message', (message: Message) => this.#receive(message))
    // a failed fork; 'exit' may not follow
    child.once('error', (error) => this.#rejectAll(error))
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-10_000)
      })
    }
    this.#exited = once(child, 'exit')
    this.#exited.then(
      () => {
        living.delete(child)
        this.#rejectAll(this.#goneError())
      },
      () => living.delete(child),
    )
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the agent could not be started')
    return this.#child.pid
  }

  get events(): readonly RemoteEvent[] {
    return this.#events
  }

  /** What it wrote to its standard streams; the end of it. */
  get output(): string {
    return this.#output
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** By SIGSTOP. */
  get isStopped(): boolean {
    return this.#isStopped
  }

  /** It has been told to end. */
  get isOrdered(): boolean {
    return this.#isOrdered
  }

  /** @returns a function that ends it. */
  onEvent(listener: (event: RemoteEvent) => void): () => void {
    this.#onEvent.add(listener)
    return () => this.#onEvent.delete(listener)
  }

  /** Rejects with what the agent threw, or when it is gone. */
  async request(order: Order): Promise<unknown> {
    if (!this.isAlive || !this.#child.connected) throw this.#goneError()
    const id = ++this.#requests
    const reply = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
    })
    const request: Request = { id, order }
    this.#child.send(request, (error) => {
      if (error !== null) this.#settle(id)?.reject(error)
    })
    return reply
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.isAlive) this.#child.kill('SIGKILL')
    await this.#exited
  }

  stop(): void {
    if (!this.isAlive) return
    pauseProcess(this.pid)
    this.#isStopped = true
  }

  continue(): void {
    this.#child.kill('SIGCONT')
    this.#isStopped = false
  }

  /** Orders it to shut down and to end by itself. @returns its exit code, undefined if it has not ended in time. */
  async end(withinMs: number): Promise<number | undefined> {
    if (!this.#isOrdered) {
      this.#isOrdered = true
      const ordered = this.request({ is: 'end', withinMs })
      // the reply may be lost with the channel; what counts is the exit
      ordered.catch(() => undefined)
    }
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(), withinMs)
    try {
      await Promise.race([this.#exited, once(limit.signal, 'abort')])
    } finally {
      clearTimeout(timer)
    }
    if (this.isAlive) return undefined
    if (this.#child.exitCode === null) throw this.#goneError()
    return this.#child.exitCode
  }

  #receive(message: Message): void {
    if (message.is === 'event') {
      this.#events.push(message.event)
      for (const listener of [...this.#onEvent]) listener(message.event)
    } else if (message.is === 'reply') {
      this.#settle(message.id)?.resolve(unpackValue(message.value))
    } else {
      this.#settle(message.id)?.reject(unpackError(message.error))
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }

  #rejectAll(error: Error): void {
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(error)
  }

  #goneError(): Error {
    const { exitCode, signalCode } = this.#child
    const how = signalCode === null ? `ended with ${exitCode ?? 'no exit code'}` : `was ended by ${signalCode}`
    const said = this.#output === '' ? '' : `; it said: ${this.#output.trimEnd()}`
    return new Error(`the agent ${how}${said}`)
  }
}

/** In the form – sources or built – that this file has. */
function forkAgent(): ChildProcess {
  const here = fileURLToPath(import.meta.url)
  const extension = extname(here)
  const loader = () => ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href]
  return fork(fileURLToPath(new URL(`agent${extension}`, import.meta.url)), [], {
    execArgv: extension === '.ts' ? loader() : loadersOf(process.execArgv),
    env: { ...process.env, ...clockEnvironment() },
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
}

/** The options by which this process loads modules: a backend under test may be in TypeScript. */
function loadersOf(options: readonly string[]): string[] {
  return options.flatMap((option, at) => {
    const isLoader = /^--(import|loader|experimental-loader|require)(=|$)|^-r$/.test(option)
    if (!isLoader) return []
    return option.includes('=') ? [option] : [option, ...options.slice(at + 1, at + 2)]
  })
}
