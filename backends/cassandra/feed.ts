/**
 * Tells of every change of the store, in order, by looking again and again. One look is shared by all followers of a
 * driver, and costs one small read as long as nothing has changed; nobody looks while nobody follows.
 *
 * Each revision says which places it has changed, in one of a ring of rows. Having read that, the feed reads the
 * places that somebody follows – serially, so that it is what stands there at one moment, and all of it. If the store
 * has gone on meanwhile, it reads what else has changed, until the two agree.
 */
import { CoordinationError, isCoordinationError, type PluginContext } from '../../spi/index.ts'
import { sleep } from '../../spi/helpers/backoff.ts'
import { closedError } from '../shared/calls.ts'
import type { Call } from '../shared/driver.ts'
import { CompactedError } from '../shared/follow-by-revision.ts'
import { onAbort } from '../shared/on-abort.ts'
import { BACKEND } from './capabilities.ts'
import { changeAt, type Kind, type Place, placeText, REMEMBERED_CHANGES } from './layout.ts'
import type { Row } from './row.ts'
import type { Tables } from './tables.ts'

export interface Subscription {
  covers(place: Place): boolean
  /** What stands in places that have changed, as of a revision; undefined: nothing. */
  changed(rows: readonly { readonly place: Place; readonly row: Row | undefined }[], at: bigint): void
  /** There is nothing more to tell up to and including `at`. */
  progress(at: bigint): void
}

interface Follower extends Subscription {
  /** The revision up to which it has been told. */
  told: bigint
  readonly fail: (error: unknown) => void
}

export interface FeedOptions {
  readonly context: Pick<PluginContext, 'clock' | 'sessionTimeoutMs'>
  readonly tables: Pick<Tables, 'places'>
  readonly pollMs: number
}

/** Places that are read at once. */
const CHUNK = 128
/** Revisions whose changes are read with the rows. */
const AHEAD = 32n
/** Looks at a store that goes on all the time, before all is read anew. */
const MAX_ROUNDS = 20

export class Feed {
  readonly #options: FeedOptions
  readonly #closing = new AbortController()
  readonly #followers = new Set<Follower>()
  #isRunning = false

  constructor(options: FeedOptions) {
    this.#options = options
  }

  /**
   * Tells of all changes from the revision `from` on. Ends only by rejecting: with CompactedError if the store has
   * forgotten some of them, with CoordinationError if it cannot be asked, or on abort.
   */
  async follow(from: bigint, subscription: Subscription, signal: AbortSignal): Promise<never> {
    const end = AbortSignal.any([signal, this.#closing.signal])
    let follower: Follower | undefined
    try {
      return await new Promise<never>((_resolve, reject) => {
        follower = {
          told: from - 1n,
          covers: (place) => subscription.covers(place),
          changed: (rows, at) => subscription.changed(rows, at),
          progress: (at) => subscription.progress(at),
          fail: reject,
        }
        this.#followers.add(follower)
        onAbort(end, () => reject(closedError(BACKEND)))
        this.#start()
      })
    } finally {
      if (follower !== undefined) this.#followers.delete(follower)
    }
  }

  close(): void {
    this.#closing.abort()
  }

  #start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#run().catch((error: unknown) => {
      this.#isRunning = false
      this.#failAll(error)
    })
  }

  async #run(): Promise<void> {
    const { context, pollMs } = this.#options
    const { signal } = this.#closing
    while (this.#followers.size > 0 && !signal.aborted) {
      try {
        await this.#look()
      } catch (error) {
        if (!isCoordinationError(error)) throw error
        this.#failAll(error)
      }
      await sleep(context.clock, pollMs, signal).catch(() => undefined)
    }
    this.#isRunning = false
  }

  #failAll(error: unknown): void {
    for (const { fail } of this.#followers) fail(error)
  }

  async #look(): Promise<void> {
    const { revision } = await this.#places([], 'plain')
    const behind = [...this.#followers].filter(({ told }) => told < revision)
    if (behind.length === 0) return
    const earliest = behind.reduce((least, { told }) => (told < least ? told : least), revision)
    const kept = behind.filter((follower) => {
      if (revision - follower.told <= BigInt(REMEMBERED_CHANGES)) return true
      follower.fail(new CompactedError(`revision ${follower.told + 1n} is forgotten`))
      return false
    })
    if (kept.length > 0) await this.#tell(kept, maximum(earliest, revision - BigInt(REMEMBERED_CHANGES)), revision)
  }

  /** Brings followers, who have been told of all up to `told` or more, to the present state. */
  async #tell(followers: readonly Follower[], told: bigint, revision: bigint): Promise<void> {
    const isWanted = (place: Place) => followers.some((one) => one.covers(place))
    const changed: Changed = new Map()
    let [from, to] = [told, revision]
    for (let round = 1; round <= MAX_ROUNDS; round++) {
      if (!(await this.#changes(from, to, changed))) {
        const forgotten = new CompactedError(`some of the revisions from ${from + 1n} to ${to} are forgotten`)
        for (const { fail } of followers) fail(forgotten)
        return
      }
      const wanted = [...changed.values()].filter(({ place }) => isWanted(place))
      const { at, rows, ahead } = await this.#rows(
        wanted.map(({ place }) => place),
        to,
      )
      const news: Changed = new Map()
      const isWhole = collect(ahead, revisionsOf(to, at), news)
      if (isWhole && ![...news.values()].some(({ place }) => isWanted(place))) {
        deliver(followers, wanted, rows, at)
        return
      }
      from = to
      to = at
    }
    throw new CoordinationError('OVERLOADED', 'the store changes faster than it can be read', { backend: BACKEND })
  }

  /** Adds what the revisions have changed. @returns false if some are forgotten. */
  async #changes(from: bigint, to: bigint, changed: Changed): Promise<boolean> {
    const revisions = revisionsOf(from, to)
    for (let first = 0; first < revisions.length; first += CHUNK) {
      const some = revisions.slice(first, first + CHUNK)
      const { rows } = await this.#places(some.map(changeAt), 'serial')
      if (!collect(rows, some, changed)) return false
    }
    return true
  }

  /**
   * What stands in the places at the moment `at`, if nothing of it has changed since `to`; and what the revisions after
   * `to` have changed, as far as a few of them go.
   */
  async #rows(
    places: readonly Place[],
    to: bigint,
  ): Promise<{ at: bigint; rows: ReadonlyMap<string, Row>; ahead: readonly Row[] }> {
    const next = revisionsOf(to, to + AHEAD).map(changeAt)
    const rows = new Map<string, Row>()
    for (let first = 0; ; first += CHUNK) {
      const isLast = first + CHUNK >= places.length
      const some = places.slice(first, first + CHUNK)
      const read = await this.#places(isLast ? [...some, ...next] : some, 'serial')
      for (const row of read.rows) rows.set(placeText(row), row)
      if (isLast) return { at: read.revision, rows, ahead: read.rows }
    }
  }

  #places(places: readonly Place[], agreement: 'plain' | 'serial') {
    const call: Call = { signal: this.#closing.signal, timeoutMs: this.#options.context.sessionTimeoutMs }
    return this.#options.tables.places(places, agreement, call)
  }
}

/** What was changed last by which revision, by the place's text. */
type Changed = Map<string, { readonly place: Place; readonly at: bigint }>

/** Adds what the rows say that the revisions have changed. @returns false if one of them is not there. */
function collect(rows: readonly Row[], revisions: readonly bigint[], changed: Changed): boolean {
  const byRevision = new Map(rows.filter(({ kind }) => kind === 'change').map((row) => [row.at, row]))
  for (const revision of revisions) {
    const row = byRevision.get(revision)
    if (row === undefined) return false
    for (const text of row.changed ?? []) changed.set(text, { place: placeOf(text), at: revision })
  }
  return true
}

/** After the one, up to the other. */
function revisionsOf(from: bigint, to: bigint): readonly bigint[] {
  return Array.from({ length: Math.max(0, Number(to - from)) }, (_, index) => from + BigInt(index + 1))
}

function deliver(
  followers: readonly Follower[],
  changed: readonly { readonly place: Place; readonly at: bigint }[],
  rows: ReadonlyMap<string, Row>,
  at: bigint,
): void {
  for (const follower of followers) {
    const theirs = changed.filter((one) => one.at > follower.told && follower.covers(one.place))
    follower.told = at
    if (theirs.length > 0) {
      follower.changed(
        theirs.map(({ place }) => ({ place, row: rows.get(placeText(place)) })),
        at,
      )
    } else follower.progress(at)
  }
}

/** What {@link placeText} was made of. */
function placeOf(text: string): Place {
  const end = text.indexOf(' ')
  return { kind: text.slice(0, end) as Kind, name: text.slice(end + 1) }
}

function maximum(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
