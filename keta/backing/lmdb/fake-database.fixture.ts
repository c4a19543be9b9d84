/** A database in memory that shows what was committed, can hold commits back, and can fail. */
import type { Change, Database, Row, TableName } from './database.ts'

export class FakeDatabase implements Database {
  /** By table, then by key as latin1. */
  readonly #tables = new Map<TableName, Map<string, Buffer>>()
  /** The commits that wait, while they are held. */
  readonly #held: (() => void)[] = []
  holding = false
  failure: Error | undefined
  commits = 0
  isOpen = true

  /** As the disk is after a crash: what was committed, in a database of its own. */
  copy(): FakeDatabase {
    const copy = new FakeDatabase()
    for (const [name, table] of this.#tables) copy.#tables.set(name, new Map(table))
    return copy
  }

  /** Lets the commits that are held go on. */
  release(): void {
    this.holding = false
    for (const resolve of this.#held.splice(0)) resolve()
  }

  keys(table: TableName): readonly string[] {
    return [...this.#table(table).keys()].sort()
  }

  set(table: TableName, key: Buffer, value: Buffer | undefined): void {
    if (value === undefined) this.#table(table).delete(key.toString('latin1'))
    else this.#table(table).set(key.toString('latin1'), Buffer.from(value))
  }

  read(table: TableName, key: Buffer): Buffer | undefined {
    const value = this.#table(table).get(key.toString('latin1'))
    return value && Buffer.from(value)
  }

  *rows(table: TableName): Iterable<Row> {
    for (const key of this.keys(table)) {
      yield { key: Buffer.from(key, 'latin1'), value: this.#table(table).get(key)! }
    }
  }

  rowCount(table: TableName): number {
    return this.#table(table).size
  }

  async commit(changes: Iterable<Change>): Promise<void> {
    const taken = Array.from(changes, ({ table, key, value }) => ({ table, key: Buffer.from(key), value }))
    if (this.holding) {
      await new Promise<void>((resolve) => {
        this.#held.push(resolve)
      })
    }
    if (this.failure !== undefined) throw this.failure
    for (const { table, key, value } of taken) this.set(table, key, value)
    this.commits++
  }

  async clear(): Promise<void> {
    await this.commit([{ table: 'meta', key: Buffer.from('state'), value: undefined }])
    for (const name of ['leases', 'versions', 'values'] as const) this.#table(name).clear()
  }

  usedBytes(): number {
    return [...this.#tables.values()].reduce((sum, table) => sum + table.size, 1) * 4096
  }

  async close(): Promise<void> {
    this.isOpen = false
  }

  #table(name: TableName): Map<string, Buffer> {
    const table = this.#tables.get(name) ?? new Map<string, Buffer>()
    this.#tables.set(name, table)
    return table
  }
}
