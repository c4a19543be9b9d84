/** A headless Chromium, spoken to over pipes: opens a page, and says what is in it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update', '--remote-debugging-pipe'],
  '--window-size=960,680',
]

interface Reply {
  readonly id?: number
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message: string }
}

export async function findBrowser(): Promise<string | undefined> {
  for (const name of BROWSERS) {
    try {
      await promisify(execFile)(name, ['--version'])
      return name
    } catch {
      continue
    }
  }
  return undefined
}

export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #profile = mkdtempSync(join(tmpdir(), 'keta-browser-'))
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  #orders = 0
  #session: string | undefined

  constructor(program: string) {
    this.#child = spawn(program, [...FLAGS, `--user-data-dir=${this.#profile}`], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    })
    let text = ''
    const replies = this.#child.stdio[4] as Readable
    replies.setEncoding('utf8').on('data', (piece: string) => {
      const whole = (text + piece).split('\0')
      text = whole.pop() ?? ''
      for (const message of whole) this.#receive(JSON.parse(message) as Reply)
    })
  }

  async open(url: string): Promise<void> {
    const { targetId } = await this.#order('Target.createTarget', { url })
    const { sessionId } = await this.#order('Target.attachToTarget', { targetId, flatten: true })
    this.#session = String(sessionId)
  }

  /** What an expression is in the page, as text. */
  async evaluate(expression: string): Promise<string> {
    const { result } = await this.#order('Runtime.evaluate', { expression: `String(${expression})` })
    return String((result as { readonly value?: unknown }).value)
  }

  /** PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#order('Page.captureScreenshot', { format: 'png' })
    return Buffer.from(String(data), 'base64')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#child, 'exit')
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL')
      await gone
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 })
  }

  async #order(method: string, params: object): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#orders
    const answered = new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve)
    })
    const session = this.#session === undefined ? {} : { sessionId: this.#session }
    const orders = this.#child.stdio[3] as Writable
    orders.write(`${JSON.stringify({ id, method, params, ...session })}\0`)
    const { result, error } = await answered
    if (result === undefined) throw new Error(`${method}: ${error?.message ?? 'no result'}`)
    return result
  }

  #receive(reply: Reply): void {
    if (reply.id === undefined) return
    this.#waiting.get(reply.id)?.(reply)
    this.#waiting.delete(reply.id)
  }
}
