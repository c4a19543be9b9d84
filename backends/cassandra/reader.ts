/**
 * Reads. All of them are serial ones, the sequential ones too: a plain read may show the revision of a change and not
 * the change, where a server had to be told of the one by an earlier read and not yet of the other.
 */
import { CoordinationError, type Entry } from '../../spi/index.ts'
import type { Call, ScanPage, ScanRange, Seat, Seated } from '../shared/driver.ts'
import { BACKEND } from './capabilities.ts'
import { memberIdOf, membersOf, type Place, seatAt, type Slice, valueAt } from './layout.ts'
import { entryOf, type Row, seatedOf } from './row.ts'
import type { Tables } from './tables.ts'

interface Snapshot {
  readonly at: bigint
  readonly rows: readonly Row[]
}

/** Rows that are read at once: as many as do no harm if each is as large as can be. */
const ROWS_OF_VALUES = 64
const ROWS_OF_NAMES = 1024
/** Attempts to read all of a slice between two changes of the store. */
const MAX_ATTEMPTS = 10

export class Reader {
  readonly #tables: Pick<Tables, 'places' | 'slice'>

  constructor(tables: Pick<Tables, 'places' | 'slice'>) {
    this.#tables = tables
  }

  async read(key: string, call: Call): Promise<Entry | undefined> {
    const [row] = (await this.place(valueAt(key), call)).rows
    return row && entryOf(row)
  }

  async readSeat(seat: Seat, call: Call): Promise<Seated | undefined> {
    const [row] = (await this.place(seatAt(seat), call)).rows
    return row && seatedOf(row)
  }

  async readGroup(group: string, call: Call): Promise<ReadonlyMap<string, Seated>> {
    const { rows } = await this.whole(membersOf(group), { keysOnly: false }, call)
    return new Map(rows.map((row) => [memberIdOf(row.name), seatedOf(row)]))
  }

  async scan({ from, to, limit, keysOnly }: ScanRange, call: Call): Promise<ScanPage> {
    const most = Math.min(limit, keysOnly ? ROWS_OF_NAMES : ROWS_OF_VALUES)
    const { rows } = await this.#tables.slice({ kind: 'value', from, to }, { limit: most, keysOnly }, 'serial', call)
    return { entries: rows.map(entryOf), more: rows.length === most, at: undefined }
  }

  /** What stands there, and when it did. */
  async place(place: Place, call: Call): Promise<Snapshot> {
    const { revision, rows } = await this.#tables.places([place], 'serial', call)
    return { at: revision, rows }
  }

  /** All rows of a slice at one moment. @throws CoordinationError OVERLOADED if the store changes all the time. */
  async whole(slice: Slice, options: { readonly keysOnly: boolean }, call: Call): Promise<Snapshot> {
    const limit = options.keysOnly ? ROWS_OF_NAMES : ROWS_OF_VALUES
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const snapshot = await this.#attempt(slice, { ...options, limit }, call)
      if (snapshot !== undefined) return snapshot
    }
    throw new CoordinationError('OVERLOADED', 'the store changes faster than it can be read', { backend: BACKEND })
  }

  /** undefined: it has changed between two pages. */
  async #attempt(
    slice: Slice,
    options: { limit: number; keysOnly: boolean },
    call: Call,
  ): Promise<Snapshot | undefined> {
    const first = await this.#tables.slice(slice, options, 'serial', call)
    // of an empty slice no row tells the revision: what it was a little later serves, if it is still empty then
    if (first.rows.length === 0) return this.#empty(slice, options, call)
    const { revision: at = 0n } = first
    const rows = [...first.rows]
    for (let page = first; page.rows.length === options.limit; ) {
      const from = `${rows.at(-1)?.name ?? ''}\0`
      page = await this.#tables.slice({ ...slice, from }, options, 'serial', call)
      if (page.rows.length > 0 && page.revision !== at) return undefined
      rows.push(...page.rows)
    }
    return { at, rows }
  }

  async #empty(slice: Slice, options: { limit: number; keysOnly: boolean }, call: Call): Promise<Snapshot | undefined> {
    const { revision: at } = await this.#tables.places([], 'serial', call)
    const again = await this.#tables.slice(slice, { ...options, limit: 1 }, 'serial', call)
    return again.rows.length === 0 ? { at, rows: [] } : undefined
  }
}
