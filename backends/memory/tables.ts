/**
 * Ordered tables under one revision, and their history. Everything in the store is a row of some table; the history is
 * what resumes a watch, and what a scan takes back to show a moment that has passed.
 */
import { compareKeys } from '../../spi/index.ts'

/** A seat's row says who sits there. */
export interface Occupant {
  readonly id: string
  readonly session: string
  readonly nonce: string
}

export interface Row {
  readonly key: string
  readonly bytes: Uint8Array
  /** Of the write that created the row: a fencing token. Deleted and created again it has another one. */
  readonly since: number
  /** Of its last write: a version. */
  readonly revision: number
  readonly occupant?: Occupant
}

export interface Edit {
  readonly table: string
  readonly key: string
  /** undefined: the row is removed. */
  readonly become: { readonly bytes: Uint8Array; readonly occupant?: Occupant | undefined } | undefined
}

export interface Change {
  readonly revision: number
  readonly table: string
  readonly key: string
  readonly before: Row | undefined
  readonly after: Row | undefined
}

/** The keys from `from` up to `to`, which is not among them; undefined: to the end of the table. */
export interface Range {
  readonly table: string
  readonly from: string
  readonly to: string | undefined
}

/** As much of the past as is kept: so many changes, and so many bytes of values in them. */
export interface HistoryLimits {
  readonly changes: number
  readonly bytes: number
}

interface Table {
  /** Ascending. */
  readonly keys: string[]
  readonly rows: Map<string, Row>
}

const HISTORY_LIMITS: HistoryLimits = { changes: 10_000, bytes: 64 * 1024 * 1024 }

export class Tables {
  readonly #tables = new Map<string, Table>()
  readonly #limits: HistoryLimits
  #history: Change[] = []
  #historyBytes = 0
  #revision: number
  #forgotten: number

  constructor(revision: number, limits: HistoryLimits = HISTORY_LIMITS) {
    this.#revision = revision
    this.#forgotten = revision
    this.#limits = limits
  }

  /** Of the last write. */
  get revision(): number {
    return this.#revision
  }

  get(table: string, key: string): Row | undefined {
    return this.#tables.get(table)?.rows.get(key)
  }

  /** All of the edits – of different rows – in one step. Without any, nothing happens. */
  write(edits: readonly Edit[]): void {
    if (edits.length === 0) return
    this.#revision++
    for (const edit of edits) this.#apply(edit)
    this.#trim()
  }

  /** What was written after `revision`, in its order; undefined if some of it is forgotten. */
  changesSince(revision: number): readonly Change[] | undefined {
    if (revision < this.#forgotten) return undefined
    return this.#history.slice(this.#firstAfter(revision))
  }

  forgetHistory(): void {
    this.#history = []
    this.#historyBytes = 0
    this.#forgotten = this.#revision
  }

  /** The rows of a range, ascending, as of a revision; undefined if its history is forgotten. */
  rows(range: Range, at: number = this.#revision): readonly Row[] | undefined {
    const present = this.#present(range)
    if (at >= this.#revision) return present
    const since = this.changesSince(at)
    return since === undefined ? undefined : takenBack(present, since, range)
  }

  #present({ table: name, from, to }: Range): Row[] {
    const table = this.#tables.get(name)
    if (table === undefined) return []
    const end = to === undefined ? table.keys.length : lowerBound(table.keys, to)
    const rows: Row[] = []
    for (const key of table.keys.slice(lowerBound(table.keys, from), end)) {
      const row = table.rows.get(key)
      if (row !== undefined) rows.push(row)
    }
    return rows
  }

  #apply({ table: name, key, become }: Edit): void {
    const table = this.#tables.get(name) ?? { keys: [], rows: new Map<string, Row>() }
    this.#tables.set(name, table)
    const before = table.rows.get(key)
    const after = become && rowOf(key, become, before?.since ?? this.#revision, this.#revision)
    const index = lowerBound(table.keys, key)
    if (after === undefined) {
      table.rows.delete(key)
      if (before !== undefined) table.keys.splice(index, 1)
      if (table.keys.length === 0) this.#tables.delete(name)
    } else {
      table.rows.set(key, after)
      if (before === undefined) table.keys.splice(index, 0, key)
    }
    this.#history.push({ revision: this.#revision, table: name, key, before, after })
    this.#historyBytes += after?.bytes.length ?? 0
  }

  /**
   * In large steps, because each one copies what is left. Whole revisions, and never the last: who is told at once is
   * told of it.
   */
  #trim(): void {
    const { changes, bytes } = this.#limits
    if (this.#history.length <= 2 * changes && this.#historyBytes <= 2 * bytes) return
    let first = this.#history.length
    for (let keptBytes = 0; first > this.#history.length - changes && keptBytes <= bytes && first > 0; first--) {
      keptBytes += this.#history[first - 1]?.after?.bytes.length ?? 0
    }
    this.#forgotten = Math.min(this.#history[first - 1]?.revision ?? this.#forgotten, this.#revision - 1)
    this.#history = this.#history.slice(this.#firstAfter(this.#forgotten))
    this.#historyBytes = this.#history.reduce((sum, { after }) => sum + (after?.bytes.length ?? 0), 0)
  }

  #firstAfter(revision: number): number {
    return partition(this.#history, (change) => change.revision <= revision)
  }
}

function rowOf(
  key: string,
  { bytes, occupant }: { readonly bytes: Uint8Array; readonly occupant?: Occupant | undefined },
  since: number,
  revision: number,
): Row {
  return { key, bytes, since, revision, ...(occupant !== undefined && { occupant }) }
}

/** The rows as they were before the changes: of each changed key what stood there before its first change. */
function takenBack(present: readonly Row[], changes: readonly Change[], range: Range): readonly Row[] {
  const before = new Map<string, Row | undefined>()
  for (const change of changes) {
    if (inRange(range, change) && !before.has(change.key)) before.set(change.key, change.before)
  }
  if (before.size === 0) return present
  const untouched = present.filter((row) => !before.has(row.key))
  const restored = [...before.values()].filter((row) => row !== undefined)
  return [...untouched, ...restored].sort((a, b) => compareKeys(a.key, b.key))
}

export function inRange({ table, from, to }: Range, change: Change): boolean {
  if (change.table !== table || compareKeys(change.key, from) < 0) return false
  return to === undefined || compareKeys(change.key, to) < 0
}

function lowerBound(keys: readonly string[], key: string): number {
  return partition(keys, (other) => compareKeys(other, key) < 0)
}

/** The index of the first element that is not before, where all that are before stand before all that are not. */
function partition<T>(sorted: readonly T[], isBefore: (element: T) => boolean): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const element = sorted[middle]
    if (element !== undefined && isBefore(element)) low = middle + 1
    else high = middle
  }
  return low
}
