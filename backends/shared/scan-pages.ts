/** Reads namespaces page by page. */
import { childOf, type Entry, prefixOf, type ReadOptions } from '../../spi/index.ts'
import { reasonOf } from '../../spi/helpers/backoff.ts'
import type { ScanPage } from './driver.ts'
import type { Kernel } from './kernel.ts'

const PAGE_SIZE = 500

/**
 * The entries below a namespace, ascending. The time limit is that of each page: the loop's body is slow as it likes.
 */
export async function* scanEntries(
  kernel: Kernel,
  namespace: string,
  options: ReadOptions = {},
): AsyncGenerator<Entry, undefined> {
  const pages = new Pages(kernel, { what: 'scan', namespace, keysOnly: false, options })
  for (let page = await pages.read(); page !== undefined; page = await pages.read()) {
    for (const entry of page.entries) {
      yield entry
      // the loop's body took its time
      for (const end of [options.signal, kernel.closing]) if (end?.aborted === true) throw reasonOf(end)
    }
  }
  return undefined
}

/** The names of the immediate children. What lies below a child is skipped, not read. */
export async function listNames(
  kernel: Kernel,
  namespace: string,
  options: ReadOptions = {},
): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  const { clock, sessionTimeoutMs } = kernel.context
  const until = clock.now() + (options.timeoutMs ?? sessionTimeoutMs)
  const pages = new Pages(kernel, { what: 'list', namespace, keysOnly: true, options, until })
  for (let page = await pages.read(); page !== undefined; page = await pages.read()) {
    for (const { key } of page.entries) {
      const name = childOf(namespace, key)
      if (name !== undefined) names.add(name)
    }
    const last = page.entries.at(-1)?.key
    const child = last === undefined ? undefined : childOf(namespace, last)
    const below = child === undefined ? undefined : prefixOf(`${prefixOf(namespace)}${child}`)
    if (below !== undefined && last?.startsWith(below) === true) pages.seek(endOf(below))
  }
  return names
}

/** All keys below a namespace with their entries, whose bytes may be empty. */
export async function readKeys(kernel: Kernel, namespace: string): Promise<ReadonlyMap<string, Entry>> {
  const all = new Map<string, Entry>()
  const options = { timeoutMs: Infinity }
  const pages = new Pages(kernel, { what: 'listener', namespace, keysOnly: true, options })
  for (let page = await pages.read(); page !== undefined; page = await pages.read()) {
    for (const entry of page.entries) all.set(entry.key, entry)
  }
  return all
}

interface Reading {
  readonly what: string
  readonly namespace: string
  readonly keysOnly: boolean
  readonly options: ReadOptions
  /** The time at which all of the pages must be there. Default: the options' limit, for each. */
  readonly until?: number
}

class Pages {
  readonly #kernel: Kernel
  readonly #reading: Reading
  readonly #to: string
  #from: string
  #at: string | undefined
  #more = true

  constructor(kernel: Kernel, reading: Reading) {
    this.#kernel = kernel
    this.#reading = reading
    this.#from = prefixOf(reading.namespace)
    this.#to = endOf(this.#from)
  }

  /** The next page; undefined: there is none. */
  async read(): Promise<ScanPage | undefined> {
    if (!this.#more) return undefined
    const { driver, calls, capabilities, context } = this.#kernel
    const { what, namespace, keysOnly, options, until } = this.#reading
    const range = { from: this.#from, to: this.#to, limit: PAGE_SIZE, keysOnly, at: this.#at }
    const limits = until === undefined ? options : { ...options, timeoutMs: Math.max(0, until - context.clock.now()) }
    const page = await calls.read({ what, key: namespace }, limits, (call) => driver.scan(range, call))
    const last = page.entries.at(-1)
    this.#more = page.more && last !== undefined
    if (capabilities.snapshotScan) this.#at = page.at
    // the least key after it
    if (last !== undefined) this.#from = `${last.key}\0`
    return page
  }

  /** Goes on from there. */
  seek(from: string): void {
    this.#from = from
    if (from >= this.#to) this.#more = false
  }
}

/** The least text that is greater than all that begin with the prefix, which ends with '/': '0' comes next. */
function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`
}
