/**
 * A follow on persistent watches, which say what has changed but not to what. Everything is read once, then again what
 * events name, each time all of it at one moment. An event reaches us before any answer that shows what it is about; so
 * when no event has come meanwhile but for what was read, the whole is as it was at that moment, and is told. A new
 * connection begins with everything again.
 */
import { CoordinationError, type PluginContext } from '../../spi/index.ts'
import { backoffMs, sleep } from '../../spi/helpers/backoff.ts'
import { type Deferred, deferred } from '../shared/deferred.ts'
import type { Call, Follow, FollowSink } from '../shared/driver.ts'
import { endsFollow, reportBreak } from '../shared/follow-failures.ts'
import type { Reads } from './reads.ts'
import type { Watches } from './watches.ts'

export interface WatchedSource<T> {
  /** `key /a`, `group brokers`; for messages. */
  readonly what: string
  readonly path: string
  /** Also all below the path. */
  readonly recursive: boolean
  /** The name of what is at a path; undefined: nothing that is followed. */
  nameOf(path: string): string | undefined
  /** What there is under all names that there are. */
  all(call: Call): Promise<readonly Looked<T>[]>
  /** What there is under these names. */
  look(names: readonly string[], call: Call): Promise<readonly Looked<T>[]>
}

export interface Looked<T> {
  readonly name: string
  readonly state: T | undefined
  /** How many events had come when the answer did; see Watches.count. */
  readonly at: number
}

export interface WatchedContext {
  readonly context: Pick<PluginContext, 'clock' | 'random' | 'logger' | 'sessionTimeoutMs'>
  readonly watches: Pick<Watches, 'add' | 'set' | 'count'>
  readonly reads: Pick<Reads, 'barrier'>
}

export function followByWatch<T>(given: WatchedContext, source: WatchedSource<T>, sink: FollowSink<T>): Follow {
  return new WatchedFollow(given, source, sink)
}

class WatchedFollow<T> implements Follow {
  readonly #given: WatchedContext
  readonly #source: WatchedSource<T>
  readonly #sink: FollowSink<T>
  readonly #closing = new AbortController()
  readonly #activated: Deferred<void> = deferred()
  readonly #watch: Disposable
  /** Of what events have come that no read has shown yet, with the number of the last one. */
  readonly #dirty = new Map<string, number>()
  /** Grows with every connection. */
  #epoch = 0
  #news: Deferred<void> = deferred()
  /** The names under which something was told. */
  #told = new Set<string>()
  #failures = 0

  constructor(given: WatchedContext, source: WatchedSource<T>, sink: FollowSink<T>) {
    this.#given = given
    this.#source = source
    this.#sink = sink
    this.#watch = given.watches.add(source.path, source.recursive, {
      changed: (path) => {
        const name = source.nameOf(path)
        if (name === undefined) return
        this.#dirty.set(name, given.watches.count)
        this.#news.resolve()
      },
      broken: () => {
        this.#epoch++
        this.#news.resolve()
      },
    })
    this.#run().catch((error: unknown) => this.#fail(error as Error))
  }

  get active(): Promise<void> {
    return this.#activated.promise
  }

  close(): void {
    this.#end(new CoordinationError('CLOSED', `nobody follows ${this.#source.what} any more`))
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        await this.#once(signal)
      } catch (error) {
        // closing is no failure, whatever it makes of what was under way
        if (this.#closing.signal.aborted) return
        if (endsFollow(error)) {
          this.#fail(error)
          return
        }
        const { clock, random, logger } = this.#given.context
        reportBreak(logger, this.#source.what, error, this.#failures)
        this.#failures++
        await sleep(clock, backoffMs(this.#failures, random), signal).catch(() => undefined)
      }
    }
  }

  /** From everything to the end of the connection. */
  async #once(signal: AbortSignal): Promise<void> {
    const { context, watches, reads } = this.#given
    const call = { signal, timeoutMs: context.sessionTimeoutMs }
    const epoch = this.#epoch
    const isBroken = () => this.#epoch !== epoch || signal.aborted
    await watches.set(this.#source.path, call)
    await reads.barrier(call)
    this.#dirty.clear()
    const looked = await this.#source.all(call)
    const all = new Map(looked.map(({ name, state }) => [name, state]))
    // an event of what was read early may have come before the last answer
    await this.#settle(all, call, isBroken)
    // the watch may have been set on another connection than what was read
    if (isBroken()) return
    this.#failures = 0
    this.#tellAll(all)
    this.#activated.resolve()
    while (await this.#newsOrEnd(isBroken)) {
      const changes = new Map<string, T | undefined>()
      await this.#settle(changes, call, isBroken)
      if (isBroken()) return
      this.#tell(changes)
    }
  }

  /** Reads what has changed until nothing else has. */
  async #settle(states: Map<string, T | undefined>, call: Call, isBroken: () => boolean): Promise<void> {
    for (let shown = Infinity; [...this.#dirty.values()].some((event) => event <= shown) && !isBroken(); ) {
      shown = 0
      for (const { name, state, at } of await this.#source.look([...this.#dirty.keys()], call)) {
        states.set(name, state)
        shown = Math.max(shown, at)
        // what an event told of before the answer came, the answer shows
        if ((this.#dirty.get(name) ?? Infinity) <= at) this.#dirty.delete(name)
      }
    }
  }

  #tellAll(states: ReadonlyMap<string, T | undefined>): void {
    const all = new Map<string, T>()
    for (const [name, state] of states) if (state !== undefined) all.set(name, state)
    this.#told = new Set(all.keys())
    this.#sink.reset(all)
  }

  #tell(changes: Map<string, T | undefined>): void {
    for (const [name, state] of changes) {
      if (state !== undefined) this.#told.add(name)
      else if (!this.#told.delete(name)) changes.delete(name)
    }
    if (changes.size > 0) this.#sink.changed(changes)
  }

  /** @returns false when the connection has ended. */
  async #newsOrEnd(isBroken: () => boolean): Promise<boolean> {
    while (this.#dirty.size === 0 && !isBroken()) {
      this.#news = deferred()
      await this.#news.promise
    }
    return !isBroken()
  }

  #fail(error: Error): void {
    this.#end(error)
    this.#sink.failed(error)
  }

  #end(reason: Error): void {
    this.#closing.abort(reason)
    this.#watch[Symbol.dispose]()
    this.#news.resolve()
    this.#activated.reject(reason)
  }
}
