/** A store that runs: leases end when their time is over, watches are told, and a journal knows first. */
import type { Clock } from '../../spi/index.ts'
import { CompactedError } from '../shared/follow-by-revision.ts'
import { type Args, isWrite, type Operation, perform, type Result } from './operations.ts'
import type { Store } from './store.ts'
import { type Change, inRange, type Range, type Row } from './tables.ts'

export interface WatchQuery extends Range {
  readonly keysOnly: boolean
}

/** One revision's changes of a watched range. */
export type Told = (changes: ReadonlyMap<string, Row | undefined>, revision: number) => void

/** Where operations are written before they are answered. */
export interface OperationLog {
  append(operation: Operation, args: readonly unknown[]): void
}

interface Watch {
  readonly query: WatchQuery
  readonly told: Told
}

export class StoreHost {
  readonly #store: Store
  readonly #log: OperationLog | undefined
  readonly #leases = new Map<string, Disposable>()
  readonly #watches = new Set<Watch>()
  /** The revision up to which all watches have been told. */
  #told: number

  constructor(store: Store, log?: OperationLog) {
    this.#store = store
    this.#log = log
    this.#told = store.revision
  }

  /**
   * @param clock counts the time of the session that the operation opens or renews. Each session has its client's
   * clock: clients in one process may live in different times.
   */
  run<O extends Operation>(operation: O, args: Args<O>, clock: Clock): Result<O> {
    if (isWrite(operation)) this.#log?.append(operation, args)
    const result = perform(this.#store, operation, args)
    const [session] = args
    if (operation === 'openSession' || operation === 'renewSession') this.#startLease(session as string, clock)
    if (operation === 'endSession') this.#dropLease(session as string)
    this.#tell()
    return result
  }

  /** All sessions that live have their whole time before them again: after a restart nobody knows what is left. */
  startLeases(clock: Clock): void {
    for (const id of this.#store.sessions().keys()) this.#startLease(id, clock)
  }

  /**
   * Tells of all changes of the range from the revision `from` on: past ones before it returns.
   * @throws CompactedError if the store has forgotten some of them.
   */
  watch(query: WatchQuery, from: number, told: Told): Disposable {
    const past = this.#store.changesSince(from - 1)
    if (past === undefined) throw new CompactedError(`revision ${from} is forgotten`)
    const watch = { query, told }
    tell(watch, past)
    this.#watches.add(watch)
    return { [Symbol.dispose]: () => this.#watches.delete(watch) }
  }

  /** Ends the counting of time, for a process that ends. */
  close(): void {
    for (const id of this.#leases.keys()) this.#dropLease(id)
    this.#watches.clear()
  }

  #startLease(id: string, clock: Clock): void {
    this.#dropLease(id)
    const ttlMs = this.#store.renewSession(id)
    if (ttlMs === undefined) return
    this.#leases.set(
      id,
      clock.setTimeout(() => this.run('endSession', [id], clock), ttlMs),
    )
  }

  #dropLease(id: string): void {
    this.#leases.get(id)?.[Symbol.dispose]()
    this.#leases.delete(id)
  }

  #tell(): void {
    if (this.#store.revision === this.#told) return
    const changes = this.#store.changesSince(this.#told) ?? []
    this.#told = this.#store.revision
    for (const watch of this.#watches) tell(watch, changes)
  }
}

function tell({ query, told }: Watch, changes: readonly Change[]): void {
  const revisions = new Map<number, Map<string, Row | undefined>>()
  for (const change of changes) {
    if (!inRange(query, change)) continue
    const rows = revisions.get(change.revision) ?? new Map<string, Row | undefined>()
    rows.set(change.key, query.keysOnly && change.after !== undefined ? withoutBytes(change.after) : change.after)
    revisions.set(change.revision, rows)
  }
  for (const [revision, rows] of revisions) told(rows, revision)
}

const NO_BYTES = new Uint8Array()

export function withoutBytes(row: Row): Row {
  return { ...row, bytes: NO_BYTES }
}
