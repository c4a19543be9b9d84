/**
 * The state of a node in an LMDB database. A start rebuilds the key index, leases, alarms and the position in the log
 * from it, without reading a single value; then only what the log has beyond that position is to be applied.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MalformedMessage } from '../../bytes/proto-reader.ts'
import { StoreRestorer } from '../../mvcc/store-restorer.ts'
import { createStore, type MvccStore } from '../../mvcc/store.ts'
import { restoreState } from '../../state/restore.ts'
import { SnapshotError } from '../../state/snapshot-header.ts'
import { SnapshotLoader } from '../../state/snapshot.ts'
import { StateMachine } from '../../state/state-machine.ts'
import { BackingError, type StateBacking } from '../backing.ts'
import { type Database, openDatabase, STATE_KEY } from './database.ts'
import { LmdbValues } from './lmdb-values.ts'
import { Pending } from './pending.ts'
import { type LeaseRow, readLease, readState, readVersion, type StoredHeader } from './rows.ts'

const FORMAT = 1
const FORMAT_KEY = Buffer.from('format')
const LOG_KEY = Buffer.from('log')

/** Rows that are read in one turn of the event loop. */
const ROWS_PER_TURN = 20_000

export interface LmdbOptions {
  /** Of the database alone; made if need be. No other process may have it open. */
  readonly directory: string
  /** Names the log that the state is of: a database of another log is refused. */
  readonly logId: string
  /** Told of what was found and thrown away. */
  readonly warn: (message: string, fields: object) => void
  /** Versions read of all, while the state is restored. */
  readonly onProgress?: (done: number, total: number) => void
}

/**
 * Opens or makes the database and restores the state that it holds, if it holds one.
 * @throws BackingError 'FOREIGN', 'UNSUPPORTED', 'CORRUPT', 'UNAVAILABLE', 'WRITE_FAILED'. The database is then closed
 *   and as it was.
 */
export async function openLmdbBacking(options: LmdbOptions): Promise<StateBacking> {
  const database = await openDatabase(options.directory)
  try {
    return await openBacking(database, options)
  } catch (error) {
    await database.close()
    throw error
  }
}

/** As `openLmdbBacking`, with a database that is open. */
export async function openBacking(database: Database, options: LmdbOptions): Promise<StateBacking> {
  await identify(database, options)
  const row = database.read('meta', STATE_KEY)
  if (row === undefined && database.rowCount('versions') > 0) {
    options.warn('the database of the state holds a snapshot that was not loaded to its end: it is emptied', {
      directory: options.directory,
    })
    await cleared(database)
  }
  const backing = new LmdbBacking(database)
  if (row !== undefined) await readable(options, () => backing.restore(row, options.onProgress))
  return backing
}

class LmdbBacking implements StateBacking {
  readonly failed: Promise<Error>
  readonly #database: Database
  #fail: (error: BackingError) => void = () => undefined
  #values: LmdbValues
  #restored: StateMachine | undefined
  #closing: Promise<void> | undefined

  constructor(database: Database) {
    this.#database = database
    this.failed = new Promise((resolve) => {
      this.#fail = resolve
    })
    this.#values = this.#newValues(new Pending(0, []), -1)
  }

  get restored(): StateMachine | undefined {
    return this.#restored
  }

  get durableOffset(): number {
    return this.#values.durableOffset
  }

  /** @throws MalformedMessage, SnapshotError */
  async restore(row: Buffer, onProgress: LmdbOptions['onProgress']): Promise<void> {
    const stored = readState(row)
    const leases = readLeases(this.#database)
    const { position, alarms } = stored.header
    this.#values = this.#newValues(new Pending((leases.at(-1)?.ordinal ?? -1) + 1, alarms), position.offset)
    const store = await restoreStore(this.#database, this.#values, stored, onProgress)
    this.#restored = restoreState({ ...stored.header, leases }, store, this.#values)
  }

  async empty(): Promise<StateMachine> {
    await this.#clear()
    return new StateMachine({ store: createStore(this.#values), journal: this.#values })
  }

  async loader(): Promise<SnapshotLoader> {
    await this.#clear()
    this.#values.beginLoading()
    return new SnapshotLoader(this.#values, this.#values)
  }

  ready(): Promise<void> | undefined {
    return this.#values.ready()
  }

  flush(): Promise<void> {
    return this.#values.flush()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#values.flush()
    } finally {
      await this.#values.stop()
      await this.#database.close()
    }
  }

  async #clear(): Promise<void> {
    this.#restored = undefined
    await this.#values.stop()
    await cleared(this.#database)
    this.#values = this.#newValues(new Pending(0, []), -1)
  }

  #newValues(pending: Pending, durableOffset: number): LmdbValues {
    const onFailure = (error: BackingError): void => this.#fail(error)
    return new LmdbValues({ database: this.#database, durableOffset, pending, onFailure })
  }
}

/** Marks a new database; refuses one that is not for this log or this version. */
async function identify(database: Database, { directory, logId }: LmdbOptions): Promise<void> {
  const format = database.read('meta', FORMAT_KEY)
  if (format === undefined) {
    const value = Buffer.alloc(4)
    value.writeUInt32BE(FORMAT)
    await written(() =>
      database.commit([
        { table: 'meta', key: FORMAT_KEY, value },
        { table: 'meta', key: LOG_KEY, value: Buffer.from(logId) },
      ]),
    )
    return
  }
  const number = format.length === 4 ? format.readUInt32BE() : -1
  if (number !== FORMAT) {
    const formats = `has format ${number}; known is ${FORMAT}`
    throw new BackingError('UNSUPPORTED', `the database of the state in ${directory} ${formats}. ${REMEDY}`)
  }
  const other = database.read('meta', LOG_KEY)?.toString()
  if (other !== logId) {
    const ids = `is that of log ${other ?? '(unknown)'}, not of ${logId}`
    throw new BackingError('FOREIGN', `the database of the state in ${directory} ${ids}. ${REMEDY}`)
  }
}

const REMEDY = 'If it may go, remove that directory: the state is then built anew from snapshot and log.'

/** The store that the database holds. @throws MalformedMessage */
export async function restoreStore(
  database: Database,
  values: LmdbValues,
  { header, compactRevision }: StoredHeader,
  onProgress?: LmdbOptions['onProgress'],
): Promise<MvccStore> {
  const total = database.rowCount('versions')
  if (database.rowCount('values') !== total) throw new MalformedMessage('there are versions without values')
  const restorer = new StoreRestorer(values, values, header.revision, compactRevision)
  let done = 0
  for (const { key, value } of database.rows('versions')) {
    const { fields, sub } = readVersion(key, value)
    values.restored(restorer.add(fields, sub))
    if (++done % ROWS_PER_TURN !== 0) continue
    onProgress?.(done, total)
    await nextTurn()
  }
  onProgress?.(done, total)
  return restorer.finish()
}

/** Oldest grant first. */
function readLeases(database: Database): readonly LeaseRow[] {
  const leases = Array.from(database.rows('leases'), ({ key, value }) => readLease(key, value))
  return leases.sort((a, b) => a.ordinal - b.ordinal)
}

/** Whatever a decoder finds wrong means that the database cannot be used. */
async function readable({ directory }: LmdbOptions, read: () => Promise<void>): Promise<void> {
  try {
    await read()
  } catch (error) {
    if (!(error instanceof MalformedMessage || error instanceof SnapshotError)) throw error
    const code = error instanceof SnapshotError && error.code === 'UNSUPPORTED_SNAPSHOT' ? 'UNSUPPORTED' : 'CORRUPT'
    const message = `the database of the state in ${directory} cannot be used: ${error.message}. ${REMEDY}`
    throw new BackingError(code, message, { cause: error })
  }
}

function cleared(database: Database): Promise<void> {
  return written(() => database.clear())
}

async function written(write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (cause) {
    throw new BackingError('WRITE_FAILED', 'the database of the state cannot be written to', { cause })
  }
}
