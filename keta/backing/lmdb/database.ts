/** The LMDB environment: opening it, its four tables, one atomic commit at a time. See database-format.md. */
import { mkdirSync } from 'node:fs'
import type { Database as LmdbTable, RootDatabase } from 'lmdb'
import { BackingError } from '../backing.ts'
import { checkDatabaseFile } from './database-file.ts'

type BinaryTable = LmdbTable<Buffer, Buffer>

const BINARY = { keyEncoding: 'binary', encoding: 'binary' } as const
const TABLES = ['meta', 'leases', 'versions', 'values'] as const

/** Of a new database. A value that does not fit into half a page has pages of its own, so small pages waste more. */
const PAGE_BYTES = 8192

/** LMDB's own, which every environment has. */
const META_PAGES = 2

export type TableName = (typeof TABLES)[number]

export interface Row {
  readonly key: Buffer
  readonly value: Buffer
}

/** One step of a commit: a row to write, or, without a value, to remove. */
export interface Change {
  readonly table: TableName
  /** Copied at once. */
  readonly key: Buffer
  /** Left alone until the commit is done. */
  readonly value: Buffer | undefined
}

/** What the adapter needs of a database, so that tests can have one that fails. */
export interface Database {
  /** A copy of its own. Sees every commit whose promise was resolved. */
  read(table: TableName, key: Buffer): Buffer | undefined
  /** In the order of keys. */
  rows(table: TableName): Iterable<Row>
  rowCount(table: TableName): number
  /**
   * Makes all changes durable in their order, or none. `changes` is pulled within the call and must not throw; the next
   * call waits for the promise of this one.
   */
  commit(changes: Iterable<Change>): Promise<void>
  /** Empties the tables of the state: all but `meta`'s rows of format and log. */
  clear(): Promise<void>
  /** Bytes of the pages that hold something. Pages that were given back are used again and not counted. */
  usedBytes(): number
  close(): Promise<void>
}

/**
 * Opens the environment in `directory`, which is made, mode 0700, if need be.
 * @throws BackingError 'CORRUPT', 'UNAVAILABLE'
 */
export async function openDatabase(directory: string): Promise<Database> {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    checkDatabaseFile(directory)
    // Only who chooses LMDB loads its native part.
    const { open } = await import('lmdb')
    const options = {
      path: directory,
      noSubdir: false,
      ...BINARY,
      // One fsync before the page that makes a commit valid is written, as LMDB was proved crash-safe with.
      overlappingSync: false,
      // Versions are read at random: what lies beside one is of another key.
      noReadAhead: true,
      maxDbs: TABLES.length,
      pageSize: PAGE_BYTES,
    }
    const root: RootDatabase = open(options)
    const [meta, leases, versions, values] = TABLES.map((name) => root.openDB<Buffer, Buffer>({ name, ...BINARY }))
    if (meta === undefined || leases === undefined || versions === undefined || values === undefined) {
      throw new Error('a table is missing')
    }
    return new LmdbDatabase(root, { meta, leases, versions, values })
  } catch (error) {
    if (error instanceof BackingError) throw error
    throw new BackingError('UNAVAILABLE', `the LMDB database in ${directory} cannot be opened`, { cause: error })
  }
}

export const STATE_KEY = Buffer.from('state')

class LmdbDatabase implements Database {
  readonly #root: RootDatabase
  readonly #tables: Readonly<Record<TableName, BinaryTable>>

  constructor(root: RootDatabase, tables: Readonly<Record<TableName, BinaryTable>>) {
    this.#root = root
    this.#tables = tables
  }

  read(table: TableName, key: Buffer): Buffer | undefined {
    return this.#tables[table].getBinary(key)
  }

  rows(table: TableName): Iterable<Row> {
    return this.#tables[table].getRange({})
  }

  rowCount(table: TableName): number {
    return pageCounts(this.#tables[table]).entryCount
  }

  commit(changes: Iterable<Change>): Promise<void> {
    return this.#atomically((settle) => {
      for (const { table, key, value } of changes) {
        settle(value === undefined ? this.#tables[table].remove(key) : this.#tables[table].put(key, value))
      }
    })
  }

  clear(): Promise<void> {
    const { meta, leases, versions, values } = this.#tables
    return this.#atomically((settle) => {
      settle(meta.remove(STATE_KEY))
      for (const table of [leases, versions, values]) settle(table.clearAsync())
    })
  }

  usedBytes(): number {
    let pages = META_PAGES
    let pageSize = 0
    for (const name of TABLES) {
      const counts = pageCounts(this.#tables[name])
      pages += counts.treeBranchPageCount + counts.treeLeafPageCount + counts.overflowPages
      pageSize = counts.pageSize
    }
    return pages * pageSize
  }

  async close(): Promise<void> {
    await this.#root.close()
  }

  /** LMDB's writer aborts the whole transaction if it cannot do one step of it. */
  async #atomically(write: (settle: (step: Promise<unknown>) => void) => void): Promise<void> {
    // Most steps of a batch share one promise.
    const steps = new Set<Promise<unknown>>()
    try {
      steps.add(this.#root.batch(() => write((step) => steps.add(step))))
      await Promise.all(steps)
    } catch (error) {
      throw await causeOf(error)
    }
  }
}

/** What LMDB said: the error of a failed commit has it behind a promise, which rejects and must be taken notice of. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && 'commitError' in error)) return error
  try {
    await error.commitError
    return error
  } catch (cause) {
    return cause
  }
}

interface PageCounts {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly entryCount: number
}

function pageCounts(table: BinaryTable): PageCounts {
  // The package types this as {}.
  return table.getStats() as PageCounts
}
