/**
 * A follow on a store that counts its commits and can tell of all since one of them (etcd, keta, memory): a snapshot,
 * then a watch from the next revision on, resumed where it broke off. Only if the store no longer knows what happened
 * since (compaction) there is another snapshot.
 */
import { CoordinationError, type PluginContext } from '../../spi/index.ts'
import { backoffMs, sleep } from '../../spi/helpers/backoff.ts'
import type { Follow, FollowSink } from './driver.ts'
import { endsFollow, reportBreak } from './follow-failures.ts'

export interface RevisionSource<T> {
  /** `key /a`, `group brokers`; for messages. */
  readonly what: string
  /** All there is, linearizably, and the revision that shows it. Throws CoordinationError. */
  snapshot(signal: AbortSignal): Promise<{ readonly at: bigint; readonly all: ReadonlyMap<string, T> }>
  /**
   * Tells of all changes from the revision `from` on, in order; a revision's changes are not spread over two calls.
   * Ends only by rejecting: with {@link CompactedError} if the store has forgotten `from`, with CoordinationError if
   * the watch broke off, after the signal's abort with anything.
   */
  watch(from: bigint, sink: RevisionSink<T>, signal: AbortSignal): Promise<never>
}

export interface RevisionSink<T> {
  /** What has changed up to and including the revision `at`; undefined: it is gone. */
  changed(changes: ReadonlyMap<string, T | undefined>, at: bigint): void
  /** There is nothing more to tell up to and including `at`: a later resumption starts from there. Optional. */
  progress(at: bigint): void
}

/** The changes that a watch was to begin with are no longer known to the store. */
export class CompactedError extends Error {
  override readonly name = 'CompactedError'
}

export type FollowContext = Pick<PluginContext, 'clock' | 'random' | 'logger'>

export function followByRevision<T>(context: FollowContext, source: RevisionSource<T>, sink: FollowSink<T>): Follow {
  return new RevisionFollow(context, source, sink)
}

class RevisionFollow<T> implements Follow {
  readonly active: Promise<void>
  readonly #context: FollowContext
  readonly #source: RevisionSource<T>
  readonly #sink: FollowSink<T>
  readonly #closing = new AbortController()
  #activated: () => void = () => undefined
  #refused: (error: Error) => void = () => undefined
  /** The last revision that has been told; undefined: a snapshot is needed. */
  #told: bigint | undefined
  /** The greatest that ever was: a snapshot from a server that lags must not lead back behind it. */
  #greatest = -1n
  /** Failures in a row. */
  #failures = 0

  constructor(context: FollowContext, source: RevisionSource<T>, sink: FollowSink<T>) {
    this.#context = context
    this.#source = source
    this.#sink = sink
    this.active = new Promise((resolve, reject) => {
      this.#activated = resolve
      this.#refused = reject
    })
    // whoever does not wait for it is told by the sink
    this.active.catch(() => undefined)
    this.#run().catch((error: unknown) => this.#fail(error as Error))
  }

  close(): void {
    this.#closing.abort()
    this.#refused(new CoordinationError('CLOSED', `nobody follows ${this.#source.what} any more`))
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        await this.#step(signal)
      } catch (error) {
        // closing is no failure, whatever it makes of what was under way
        if (this.#closing.signal.aborted) return
        if (error instanceof CompactedError) this.#told = undefined
        else if (endsFollow(error)) {
          this.#fail(error)
          return
        } else reportBreak(this.#context.logger, this.#source.what, error, this.#failures)
        this.#failures++
        await this.#pause(signal)
      }
    }
  }

  /** One snapshot, or one watch until it breaks off. */
  async #step(signal: AbortSignal): Promise<void> {
    if (this.#told !== undefined) {
      await this.#source.watch(this.#told + 1n, this.#watchSink(), signal)
      return
    }
    const { at, all } = await this.#source.snapshot(signal)
    if (signal.aborted) return
    if (at < this.#greatest) {
      this.#failures++
      await this.#pause(signal)
      return
    }
    this.#advance(at)
    this.#sink.reset(all)
    this.#activated()
  }

  #watchSink(): RevisionSink<T> {
    const isNews = (at: bigint) => !this.#closing.signal.aborted && this.#told !== undefined && at > this.#told
    return {
      changed: (changes, at) => {
        if (!isNews(at)) return
        this.#advance(at)
        this.#sink.changed(changes)
      },
      progress: (at) => {
        if (isNews(at)) this.#advance(at)
      },
    }
  }

  #advance(at: bigint): void {
    this.#told = at
    this.#greatest = at
    this.#failures = 0
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#context
    try {
      await sleep(clock, backoffMs(this.#failures, random), signal)
    } catch {
      // closed meanwhile
    }
  }

  #fail(error: Error): void {
    this.#closing.abort()
    this.#refused(error)
    this.#sink.failed(error)
  }
}
