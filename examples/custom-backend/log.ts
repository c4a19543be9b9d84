/**
 * The log, as one client sees it: reads what there is, and appends. A command has happened when its file has got the
 * next number: `link` gives a name to one of all who want it, and tells the others that they were late.
 */
import { randomUUID } from 'node:crypto'
import { type FSWatcher, watch } from 'node:fs'
import { link, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Call } from 'keta/backends/shared'
import { type Clock, CoordinationError } from 'keta/spi'
import {
  createSegment,
  isCode,
  nameOf,
  readFromSegment,
  readLatest,
  removeSegments,
  syncFolder,
  writeDurably,
} from './segments.ts'
import { type Command, type Reply, State, type Touched } from './state.ts'

/** What a file holds. Commands that wait at the same time share one. */
interface Batch {
  readonly id: string
  readonly commands: readonly Command[]
  /** The last file of its segment. */
  readonly seal: boolean
}

interface Waiting {
  readonly command: Command
  readonly call: Call
  readonly until: number
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
}

interface Offer {
  readonly batch: Batch
  readonly waiting: readonly Waiting[]
  readonly segment: number
  readonly file: string
  /** Whether it may have got its name, for all we know. */
  offered: boolean
}

export interface LogOptions {
  readonly folder: string
  readonly clock: Clock
  /** A segment is sealed after so many files. */
  readonly segmentFiles: number
  /** What has changed; 'everything' after files that this client has not read. */
  onChange(touched: readonly Touched[] | 'everything'): void
}

export class Log {
  readonly #options: LogOptions
  #state = new State()
  #segment = -1
  /** Number of the next file. */
  #next = 0
  readonly #readers: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
  readonly #queue: Waiting[] = []
  #offer: Offer | undefined
  #working: Promise<void> | undefined
  #watcher: FSWatcher | undefined
  /** The segment is at its end: whatever would be written to it now, nobody would read. */
  #sealed = false
  /** The next batch is to be the last of its segment. */
  #sealing = false
  #closed = false

  constructor(options: LogOptions) {
    this.#options = options
  }

  /** As of the last file that was read. */
  get state(): State {
    return this.#state
  }

  /** Resolves when the state shows all that was in the log at the moment of the call. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject })
      this.#work()
    })
  }

  append(command: Command, call: Call): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const until = this.#options.clock.now() + call.timeoutMs
      this.#queue.push({ command, call, until, resolve, reject })
      this.#work()
    })
  }

  /** Ends the segment: all before it becomes a snapshot. */
  async seal(): Promise<void> {
    await this.sync()
    const segment = this.#segment
    while (this.#segment === segment) {
      this.#sealing = true
      await this.sync()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#watcher?.close()
    await this.#working
  }

  #work(): void {
    this.#working ??= this.#rounds()
  }

  /** One thing after another, so that each sees the state that the one before has left. */
  async #rounds(): Promise<void> {
    // what is asked for in the same turn shares a round
    await Promise.resolve()
    while (this.#readers.length + this.#queue.length > 0 || this.#offer !== undefined) {
      const readers = this.#readers.splice(0)
      try {
        if (this.#closed) throw new CoordinationError('CLOSED', 'the log is closed', { backend: 'directory' })
        await this.#advance()
        for (const reader of readers) reader.resolve()
        await this.#tryAppend()
      } catch (error) {
        for (const reader of readers) reader.reject(asError(error, 'none'))
        this.#fail(error)
      }
    }
    this.#working = undefined
  }

  async #advance(): Promise<void> {
    if (this.#segment === -1) await this.#reload()
    for (;;) {
      if (this.#sealed) await this.#enterNextSegment()
      const text = await readFromSegment(this.#options.folder, this.#segment, this.#next)
      if (text === 'removed') await this.#reload()
      else if (text === undefined) return
      else this.#applyBatch(parse(text, this.#next))
    }
  }

  #applyBatch({ id, commands, seal }: Batch): void {
    const offer = this.#offer?.batch.id === id ? this.#offer : undefined
    const touched: Touched[] = []
    const replies = commands.map((command) => this.#state.apply(command, touched))
    this.#next++
    this.#sealed = seal
    if (offer !== undefined) this.#offer = undefined
    this.#options.onChange(touched)
    for (const [at, reply] of replies.entries()) offer?.waiting[at]?.resolve(reply)
    if (offer !== undefined) rm(offer.file, { force: true }).catch(() => undefined)
  }

  async #enterNextSegment(): Promise<void> {
    const { folder } = this.#options
    const previous = this.#segment
    await createSegment(folder, previous, this.#next, this.#state)
    this.#enter(this.#next)
    // readers that are a little late find the files that they miss
    await removeSegments(folder, previous)
  }

  async #reload(): Promise<void> {
    const { segment, state } = await readLatest(this.#options.folder)
    this.#state = state
    this.#next = segment
    this.#enter(segment)
    this.#options.onChange('everything')
  }

  #enter(segment: number): void {
    this.#segment = segment
    this.#sealed = false
    this.#watcher?.close()
    this.#watcher = undefined
    const folder = join(this.#options.folder, nameOf(segment))
    const hint = () => {
      this.sync().catch(() => undefined)
    }
    try {
      // only a hint: where it is not supported, or there are too many, the poll finds out
      this.#watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name !== null && name >= `${nameOf(this.#next)}.json` && name.endsWith('.json')) hint()
      }).on('error', () => undefined)
    } catch {
      this.#watcher = undefined
    }
  }

  async #tryAppend(): Promise<void> {
    this.#offer ??= await this.#prepare()
    const offer = this.#offer
    if (offer === undefined) return
    // the file went with its segment, or would seal another; or holds what nobody may find done from now on
    if (offer.segment !== this.#segment || offer.waiting.some(({ call }) => call.signal.aborted)) {
      this.#takeBack(offer)
      return
    }
    const folder = join(this.#options.folder, nameOf(this.#segment))
    try {
      offer.offered = true
      await link(offer.file, join(folder, `${nameOf(this.#next)}.json`))
    } catch (error) {
      offer.offered = !isCode(error, 'EEXIST', 'ENOENT')
      if (offer.offered) throw error
      if (isCode(error, 'ENOENT')) this.#takeBack(offer)
      return
    }
    await syncFolder(folder)
    this.#applyBatch(offer.batch)
  }

  #takeBack({ waiting, file }: Offer): void {
    this.#offer = undefined
    rm(file, { force: true }).catch(() => undefined)
    this.#queue.unshift(...waiting)
  }

  async #prepare(): Promise<Offer | undefined> {
    const now = this.#options.clock.now()
    const waiting = this.#queue.splice(0).filter(({ call, until, reject }) => {
      const isLate = call.signal.aborted || now >= until
      if (isLate) reject(new CoordinationError('TIMEOUT', 'given up', { backend: 'directory', effect: 'none' }))
      return !isLate
    })
    const seal = this.#sealing || this.#next + 1 - this.#segment >= this.#options.segmentFiles
    if (waiting.length === 0 && !this.#sealing) return undefined
    this.#sealing = false
    const batch = { id: randomUUID(), commands: waiting.map(({ command }) => command), seal }
    const segment = this.#segment
    const file = join(this.#options.folder, nameOf(segment), `${batch.id}.new`)
    try {
      await writeDurably(file, JSON.stringify(batch))
    } catch (error) {
      this.#queue.unshift(...waiting)
      if (isCode(error, 'ENOENT')) return undefined
      throw error
    }
    return { batch, waiting, segment, file, offered: false }
  }

  #fail(error: unknown): void {
    const offer = this.#offer
    this.#offer = undefined
    for (const { reject } of this.#readers.splice(0)) reject(asError(error, 'none'))
    for (const { reject } of this.#queue.splice(0)) reject(asError(error, 'none'))
    for (const { reject } of offer?.waiting ?? []) reject(asError(error, offer?.offered ? 'unknown' : 'none'))
  }
}

function parse(text: string, number: number): Batch {
  try {
    return JSON.parse(text) as Batch
  } catch (cause) {
    throw new CoordinationError('CORRUPTED', `file ${number} of the log is not JSON`, { backend: 'directory', cause })
  }
}

/** In the words of the SPI: of a file system that cannot be used just now, or not by us. */
export function asError(error: unknown, effect: 'none' | 'unknown'): CoordinationError {
  if (error instanceof CoordinationError) return error
  const code = isCode(error, 'EACCES', 'EPERM', 'EROFS')
    ? 'AUTHORIZATION'
    : isCode(error, 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE')
      ? 'OVERLOADED'
      : 'CONNECTION'
  const message = error instanceof Error ? error.message : String(error)
  return new CoordinationError(code, message, { backend: 'directory', effect, cause: error })
}
