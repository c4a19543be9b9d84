/** The statements that read and write the tables, for one cluster. */
import { types } from 'cassandra-driver'
import type { Agreement, Cluster, Statement } from './cluster.ts'
import type { Call } from '../shared/driver.ts'
import { type Kind, type Place, ROOT, type Slice } from './layout.ts'
import type { Content, Row } from './row.ts'

/** Rows as of one moment. */
export interface Rows {
  /** What the store had come to then: 0 if nothing was ever written. */
  readonly revision: bigint
  readonly rows: readonly Row[]
}

/** As Rows; the revision is undefined if there is no row that shows it. */
export interface SliceRows extends Omit<Rows, 'revision'> {
  readonly revision: bigint | undefined
}

export interface SliceOptions {
  readonly limit: number
  /** Without what stands in them. */
  readonly keysOnly: boolean
}

const SMALL: readonly Kind[] = ['leader', 'mark', 'member', 'session']

const COLUMNS = 'kind, name, rev, at, data, since, holder, session, nonce, number, changed'
const NAMES_ONLY = 'kind, name, rev, at'

export class Tables {
  readonly #cluster: Cluster
  readonly #id: string
  readonly #store: string

  /** @param id of the cluster whose rows these are. */
  constructor(cluster: Cluster, id: string) {
    this.#cluster = cluster
    this.#id = id
    this.#store = `"${cluster.settings.keyspace}".store`
  }

  /** These places, as far as something stands there; and the revision. */
  places(places: readonly Place[], agreement: Agreement, call: Call): Promise<Rows> {
    const wanted = [ROOT, ...places].map(({ kind, name }) => types.Tuple.fromArray([kind, name]))
    return this.#withRoot('(kind, name) IN ?', wanted, agreement, call)
  }

  /** All leaders, marks, members and sessions; and the revision. */
  small(call: Call): Promise<Rows> {
    return this.#withRoot('kind IN ?', [ROOT.kind, ...SMALL], 'serial', call)
  }

  /** @param where selects the root's row too, which is there once anything was written. */
  async #withRoot(where: string, wanted: readonly unknown[], agreement: Agreement, call: Call): Promise<Rows> {
    const query = `SELECT ${COLUMNS} FROM ${this.#store} WHERE cluster = ? AND ${where}`
    const { rows } = await this.#cluster.read({ query, params: [this.#id, wanted] }, agreement, call)
    return { revision: revisionOf(rows) ?? 0n, rows: rows.map(rowOf).filter(({ kind }) => kind !== ROOT.kind) }
  }

  /** Ascending by the bytes of their names. */
  async slice(
    { kind, from, to }: Slice,
    { limit, keysOnly }: SliceOptions,
    agreement: Agreement,
    call: Call,
  ): Promise<SliceRows> {
    const columns = keysOnly ? NAMES_ONLY : COLUMNS
    const query =
      `SELECT ${columns} FROM ${this.#store} WHERE cluster = ? AND kind = ? AND name >= ? AND name < ? ` + 'LIMIT ?'
    const { rows } = await this.#cluster.read({ query, params: [this.#id, kind, from, to, limit] }, agreement, call)
    return { revision: revisionOf(rows), rows: rows.map(rowOf) }
  }

  /** Writes in one step, if the store has not gone on since `revision`. @returns whether it has been done. */
  async write(
    revision: bigint,
    contents: Iterable<{ readonly place: Place; readonly become: Content | undefined }>,
    call: Call,
  ): Promise<boolean> {
    const next = revision + 1n
    const statements = [this.#advance(revision)]
    if (revision === 0n) statements.push(this.#put(ROOT, {}, next))
    for (const { place, become } of contents) {
      statements.push(become === undefined ? this.#remove(place) : this.#put(place, become, next))
    }
    const result = await this.#cluster.batch(statements, call)
    return result.wasApplied()
  }

  /**
   * Lets the statements be prepared that are needed when servers hang: preparing is asking too. Who may not write
   * learns it as well. @throws CoordinationError
   */
  async prepare(call: Call): Promise<void> {
    await this.places([], 'serial', call)
    await this.small(call)
    // no store ever was at this revision
    const nothing = [undefined, {}].map((become) => ({ place: ROOT, become }))
    await this.write(-1n, nothing, call)
  }

  #advance(revision: bigint): Statement {
    const query = `UPDATE ${this.#store} SET rev = ? WHERE cluster = ? IF rev = ?`
    return { query, params: [revision + 1n, this.#id, revision === 0n ? null : revision] }
  }

  #put({ kind, name }: Place, content: Content, at: bigint): Statement {
    const { data, since, holder, session, nonce, number, changed } = content
    const query =
      `INSERT INTO ${this.#store} (cluster, kind, name, at, data, since, holder, session, nonce, number, changed) ` +
      'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
    // what is undefined is not written
    const bytes = data && Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    return { query, params: [this.#id, kind, name, at, bytes, since, holder, session, nonce, number, changed] }
  }

  #remove({ kind, name }: Place): Statement {
    return {
      query: `DELETE FROM ${this.#store} WHERE cluster = ? AND kind = ? AND name = ?`,
      params: [this.#id, kind, name],
    }
  }
}

function revisionOf(rows: readonly types.Row[]): bigint | undefined {
  return (rows[0]?.['rev'] as bigint | null | undefined) ?? undefined
}

function rowOf(row: types.Row): Row {
  const columns = Object.entries(row).filter(([name, value]) => value !== null && name !== 'rev')
  return { at: 0n, ...Object.fromEntries(columns) } as unknown as Row
}
