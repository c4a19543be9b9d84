/** The real LMDB: what the adapter's double (fake-database.fixture.ts) stands for. */
import { expect } from 'chai'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackingError } from '../backing.ts'
import { type Change, type Database, openDatabase, type TableName } from './database.ts'

describe('an LMDB database', () => {
  let directory: string
  let database: Database
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'keta-lmdb-'))
    database = await openDatabase(join(directory, 'with.dot'))
  })
  afterEach(async () => {
    await database.close()
    rmSync(directory, { recursive: true })
  })

  it('has what was committed, in the order of keys, also after it was opened again', async () => {
    await database.commit([row('values', 'b', '2'), row('values', 'a', '1'), row('versions', 'a', 'other')])
    expect(contents('values')).to.deep.equal(['a=1', 'b=2'])
    await database.close()
    database = await openDatabase(join(directory, 'with.dot'))
    expect(contents('values')).to.deep.equal(['a=1', 'b=2'])
    expect(contents('versions')).to.deep.equal(['a=other'])
    expect(database.read('values', Buffer.from('c'))).to.equal(undefined)
  })

  it('does the steps of a commit in their order', async () => {
    await database.commit([row('values', 'a', '1'), row('values', 'a', undefined), row('values', 'b', undefined)])
    await database.commit([row('values', 'c', undefined), row('values', 'c', '3')])
    expect(contents('values')).to.deep.equal(['c=3'])
  })

  it('copies keys at once, so that one buffer can serve for all', async () => {
    const key = Buffer.from('a')
    await database.commit(
      (function* (): Generator<Change> {
        for (const name of ['a', 'b', 'c']) {
          key.write(name)
          yield { table: 'values', key, value: Buffer.from(name.toUpperCase()) }
        }
      })(),
    )
    expect(contents('values')).to.deep.equal(['a=A', 'b=B', 'c=C'])
  })

  it('shows a commit as soon as it is done, and gives out copies', async () => {
    await database.commit([row('values', 'a', '1')])
    const first = database.read('values', Buffer.from('a'))
    await database.commit([row('values', 'a', '2')])
    expect(String(database.read('values', Buffer.from('a')))).to.equal('2')
    expect(String(first)).to.equal('1')
  })

  it('holds values of every size', async () => {
    const sizes = [1, 2000, 5000, 70_000, 3_000_000]
    await database.commit(sizes.map((size) => row('values', String(size), 'x'.repeat(size))))
    const read = sizes.map((size) => database.read('values', Buffer.from(String(size))))
    expect(read.map((value) => value?.length)).to.deep.equal(sizes)
    expect(read.every((value) => value?.every((byte) => byte === 'x'.charCodeAt(0)))).to.equal(true)
  })

  it('uses the room of what was removed again, and counts it as free', async () => {
    const large = 'x'.repeat(500_000)
    await database.commit([row('values', 'a', large)])
    const used = database.usedBytes()
    const size = (): number => statSync(join(directory, 'with.dot', 'data.mdb')).size
    for (let round = 0; round < 20; round++) await database.commit([row('values', 'a', large)])
    const grown = size()
    await database.commit([row('values', 'a', undefined)])
    expect(database.usedBytes()).to.be.lessThan(used - 450_000)
    expect(grown).to.be.lessThan(5 * large.length)
  })

  it('is emptied but for its format and log', async () => {
    const rows = [
      row('values', 'a', '1'),
      row('versions', 'a', '1'),
      row('leases', 'a', '1'),
      row('meta', 'state', '1'),
    ]
    await database.commit([...rows, row('meta', 'log', 'id')])
    await database.clear()
    expect((['values', 'versions', 'leases', 'meta'] as const).flatMap(contents)).to.deep.equal(['log=id'])
    expect(database.rowCount('values')).to.equal(0)
  })

  const others: readonly (readonly [string, (path: string) => void])[] = [
    ['is something else', (path) => writeFileSync(path, Buffer.alloc(100_000, 'not a database'))],
    ['has a broken second page', (path) => breakAt(path, 8192 + 24)],
    ['is of another version of the format', (path) => breakAt(path, 28)],
    ['ends within its first pages', (path) => truncateSync(path, 8200)],
  ]
  for (const [what, change] of others) {
    it(`is refused if the file ${what}`, async () => {
      const other = join(directory, 'other')
      await (await openDatabase(other)).close()
      change(join(other, 'data.mdb'))
      const error: unknown = await openDatabase(other).catch((caught: unknown) => caught)
      expect(error).to.be.instanceOf(BackingError).with.property('code', 'CORRUPT')
      expect(error).to.have.property('message').that.includes(other)
    })
  }

  it('is made anew if the file is empty', async () => {
    const other = join(directory, 'other')
    await (await openDatabase(other)).close()
    truncateSync(join(other, 'data.mdb'), 0)
    const anew = await openDatabase(other)
    expect(anew.rowCount('versions')).to.equal(0)
    await anew.close()
  })

  it('cannot be where its directory cannot be', async () => {
    writeFileSync(join(directory, 'file'), '')
    const error: unknown = await openDatabase(join(directory, 'file')).catch((caught: unknown) => caught)
    expect(error).to.be.instanceOf(BackingError).with.property('code', 'UNAVAILABLE')
  })

  function contents(table: TableName): string[] {
    return Array.from(database.rows(table), ({ key, value }) => `${key.toString()}=${value.toString()}`)
  }
})

function breakAt(path: string, position: number): void {
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.from([0xff]), 0, 1, position)
  closeSync(file)
}

function row(table: TableName, key: string, value: string | undefined): Change {
  return { table, key: Buffer.from(key), value: value === undefined ? undefined : Buffer.from(value) }
}
