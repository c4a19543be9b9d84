/**
 * The reference store: what backends/shared/driver.ts asks for, said as plainly as it can be said.
 *
 * A state machine: no input or output, no chance, and no time – that a lease has ended is something it is told
 * (store-host.ts). One counter of revisions runs through everything: a value's version is the revision of its last
 * write, a seat's token the revision at which it was taken. Neither can come back, because the counter cannot.
 */
import { CoordinationError, type Effect, prefixOf, type FencingToken } from '../../spi/index.ts'
import type { Commit, CommitId, Holder, KeyChange, Seat } from '../shared/driver.ts'
import { type Change, type Edit, type HistoryLimits, type Range, type Row, Tables } from './tables.ts'

/** How messages and errors call this backend. */
export const BACKEND = 'memory'

export interface PageQuery extends Range {
  readonly limit: number
  readonly keysOnly: boolean
  /** The revision to be shown; undefined: the present one. */
  readonly at: number | undefined
}

export interface Page {
  readonly rows: readonly Row[]
  readonly more: boolean
  readonly revision: number
}

/** What a commit came to; see CommitOutcome in driver.ts. */
export type Outcome =
  | {
      readonly committed: true
      /** The version of all that was written. */
      readonly revision: number
      readonly written: readonly string[]
    }
  | {
      readonly committed: false
      readonly found: ReadonlyMap<string, Row | undefined>
      readonly token: FencingToken | undefined
    }

interface StoredSession {
  readonly ttlMs: number
  /** What it holds, by table and key. */
  readonly seats: Map<string, Place>
  /** The last commit of each slot: no other can still be asked about. */
  readonly slots: Map<number, { readonly number: number; readonly outcome: Outcome | 'never' }>
}

interface Place {
  readonly table: string
  readonly key: string
}

/** A page ends when it has so many bytes of values, but has one row at least. */
const PAGE_BYTES = 4 * 1024 * 1024

const NO_BYTES = new Uint8Array()

export class Store {
  readonly #tables: Tables
  readonly #sessions = new Map<string, StoredSession>()

  /** @param revision where the counter starts. */
  constructor(revision = 0, limits?: HistoryLimits) {
    this.#tables = new Tables(revision, limits)
  }

  get revision(): number {
    return this.#tables.revision
  }

  /** The sessions that live, with their time to live. */
  sessions(): ReadonlyMap<string, number> {
    return new Map([...this.#sessions].map(([id, { ttlMs }]) => [id, ttlMs]))
  }

  /** What was written after `revision`, in its order; undefined if some of it is forgotten. */
  changesSince(revision: number): readonly Change[] | undefined {
    return this.#tables.changesSince(revision)
  }

  /** A session is named by who opens it: repeated, it opens none a second time. */
  openSession(id: string, ttlMs: number): void {
    if (this.#sessions.has(id)) return
    this.#sessions.set(id, { ttlMs, seats: new Map(), slots: new Map() })
  }

  /** @returns its time to live, which whoever counts the time starts anew; undefined if the session is over. */
  renewSession(id: string): number | undefined {
    return this.#sessions.get(id)?.ttlMs
  }

  /** All its seats are empty in the same step. */
  endSession(id: string): void {
    const seats = this.#sessions.get(id)?.seats.values() ?? []
    this.#tables.write([...seats].map((place) => ({ ...place, become: undefined })))
    this.#sessions.delete(id)
  }

  /** Seats the holder if the seat is empty. @returns whoever sits there now. */
  takeSeat(cluster: string, seat: Seat, { id, session, nonce, data }: Holder): Row {
    const place = placeOf(cluster, seat)
    const { seats } = this.#live(session)
    if (this.#at(place) === undefined) {
      this.#tables.write([{ ...place, become: { bytes: data, occupant: { id, session, nonce } } }])
      seats.set(nameOf(place), place)
    }
    const row = this.#at(place)
    if (row === undefined)
      throw new CoordinationError('INTERNAL', 'a seat was taken and is empty', { backend: BACKEND })
    return row
  }

  amendSeat(cluster: string, seat: Seat, token: FencingToken, data: Uint8Array): boolean {
    const place = placeOf(cluster, seat)
    const row = this.#at(place)
    if (row === undefined || tokenOf(row) !== token) return false
    this.#tables.write([{ ...place, become: { bytes: data, occupant: row.occupant } }])
    return true
  }

  emptySeat(cluster: string, seat: Seat, token: FencingToken): void {
    const place = placeOf(cluster, seat)
    const row = this.#at(place)
    if (row?.occupant === undefined || tokenOf(row) !== token) return
    this.#sessions.get(row.occupant.session)?.seats.delete(nameOf(place))
    this.#tables.write([{ ...place, become: undefined }])
  }

  /** A commit that has been here already is not done again: it gets the same answer. */
  commit(cluster: string, commit: Commit): Outcome {
    const known = this.#recall(commit.id)
    if (known === 'never') {
      throw new CoordinationError('TIMEOUT', 'the commit came after it was given up', {
        backend: BACKEND,
        effect: 'none',
      })
    }
    return known ?? this.#remember(commit.id, this.#attempt(cluster, commit))
  }

  /** What the commit came to. If it has not been here, it will not be: its number is used up. */
  outcomeOf(id: CommitId): Outcome | 'never' {
    this.#live(id.session, 'unknown')
    return this.#recall(id) ?? this.#remember(id, 'never')
  }

  /** A part of a table at one moment. */
  page({ limit, keysOnly, at, ...range }: PageQuery): Page {
    const rows = this.#tables.rows(range, at)
    if (rows === undefined) {
      throw new CoordinationError('OVERLOADED', `revision ${at} is forgotten`, { backend: BACKEND })
    }
    const shown: Row[] = []
    let bytes = 0
    for (const row of rows.slice(0, limit)) {
      if (bytes >= PAGE_BYTES) break
      shown.push(keysOnly ? { ...row, bytes: NO_BYTES } : row)
      bytes += keysOnly ? 0 : row.bytes.length
    }
    return { rows: shown, more: shown.length < rows.length, revision: at ?? this.revision }
  }

  forgetHistory(): void {
    this.#tables.forgetHistory()
  }

  #at({ table, key }: Place): Row | undefined {
    return this.#tables.get(table, key)
  }

  /** @param effect of what is asked about, if the session is over. */
  #live(id: string, effect: Effect = 'none'): StoredSession {
    const session = this.#sessions.get(id)
    if (session !== undefined) return session
    throw new CoordinationError('SESSION_LOST', 'the session is over', { backend: BACKEND, effect })
  }

  #recall({ session, slot, number }: CommitId): Outcome | 'never' | undefined {
    const last = this.#live(session).slots.get(slot)
    if (last === undefined || last.number < number) return undefined
    // numbers of a slot follow each other: an older one is a straggler whose outcome was known long ago
    return last.number === number ? last.outcome : 'never'
  }

  #remember<O extends Outcome | 'never'>({ session, slot, number }: CommitId, outcome: O): O {
    this.#live(session).slots.set(slot, { number, outcome })
    return outcome
  }

  #attempt(cluster: string, { changes, fence }: Commit): Outcome {
    const table = valuesOf(cluster)
    const found = new Map(changes.map(({ key }) => [key, this.#tables.get(table, key)]))
    const leader = fence && this.#at(placeOf(cluster, { kind: 'leader', service: fence.service }))
    const token = leader && tokenOf(leader)
    const fenced = fence !== undefined && fence.token !== token
    if (fenced || !changes.every((change) => isExpected(change, found.get(change.key)))) {
      return { committed: false, found, token }
    }
    const written: string[] = []
    const edits: Edit[] = []
    for (const { key, become } of changes) {
      if (become === 'unchanged') continue
      if (become !== 'absent') {
        written.push(key)
        edits.push({ table, key, become: { bytes: become } })
      } else if (found.get(key) !== undefined) {
        edits.push({ table, key, become: undefined })
      }
    }
    this.#tables.write(edits)
    return { committed: true, revision: this.revision, written }
  }
}

/** The token of whoever sits there. */
export function tokenOf(row: Row): FencingToken {
  return BigInt(row.since)
}

/** The version of a value, as text. */
export function versionTextOf(revision: number): string {
  return String(revision)
}

function isExpected({ expect }: KeyChange, row: Row | undefined): boolean {
  if (expect === 'anything') return true
  if (expect === 'absent') return row === undefined
  if (expect === 'present') return row !== undefined
  return row !== undefined && versionTextOf(row.revision) === expect
}

/** Whose table it is. */
export function clusterOf({ table }: Range): string {
  const [cluster] = JSON.parse(table) as [string]
  return cluster
}

/** Names of tables; no cluster's and no group's name can be mistaken for another's. */
function valuesOf(cluster: string): string {
  return JSON.stringify([cluster, 'values'])
}

function leadersOf(cluster: string): string {
  return JSON.stringify([cluster, 'leaders'])
}

function membersOf(cluster: string, group: string): string {
  return JSON.stringify([cluster, 'members', group])
}

function placeOf(cluster: string, seat: Seat): Place {
  if (seat.kind === 'leader') return { table: leadersOf(cluster), key: seat.service }
  return { table: membersOf(cluster, seat.group), key: seat.id }
}

function nameOf({ table, key }: Place): string {
  return JSON.stringify([table, key])
}

export function rangeOfSeat(cluster: string, seat: Seat): Range {
  const { table, key } = placeOf(cluster, seat)
  return { table, from: key, to: after(key) }
}

export function rangeOfGroup(cluster: string, group: string): Range {
  return { table: membersOf(cluster, group), from: '', to: undefined }
}

export function rangeOfKey(cluster: string, key: string): Range {
  return { table: valuesOf(cluster), from: key, to: after(key) }
}

export function rangeOfKeys(cluster: string, from: string, to: string): Range {
  return { table: valuesOf(cluster), from, to }
}

/** All keys below a namespace. */
export function rangeBelow(cluster: string, namespace: string): Range {
  const prefix = prefixOf(namespace)
  // '0' is the character after '/': the first text after all that begin with the prefix
  return rangeOfKeys(cluster, prefix, `${prefix.slice(0, -1)}0`)
}

/** The first text after `key`. */
function after(key: string): string {
  return `${key}\0`
}
