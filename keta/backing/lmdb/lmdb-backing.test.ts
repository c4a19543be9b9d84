/** What the backing makes durable, when, and what a start makes of it. The database is a double that can be held. */
import { expect } from 'chai'
import fc from 'fast-check'
import type { Command } from '../../command/command.ts'
import { commandOrAuth } from '../../state/commands.arbitraries.ts'
import { del, put } from '../../state/operations.fixture.ts'
import { contents, Replica } from '../../state/replica.fixture.ts'
import { StateMachine } from '../../state/state-machine.ts'
import { BackingError, type StateBacking } from '../backing.ts'
import { FakeDatabase } from './fake-database.fixture.ts'
import { openBacking } from './lmdb-backing.ts'

const LEASE: Command = { kind: 'leaseGrant', id: 1n, ttl: 60 }

describe('a state on lmdb', () => {
  it('is, after a crash at any moment, the state after a record, and no older than was reported', () => {
    const commands = fc.array(
      fc.oneof(
        { weight: 8, arbitrary: commandOrAuth },
        { weight: 4, arbitrary: fc.constantFrom('scrub', 'turn', 'flush', 'hold', 'release', 'restart', 'crash') },
      ),
      { maxLength: 60, size: 'max' },
    )
    return fc.assert(
      fc.asyncProperty(commands, async (steps) => {
        const run = await Run.start()
        for (const each of steps) await (typeof each === 'string' ? run.step(each) : run.apply(each))
        await run.crash()
        await run.step('release')
        await run.restart()
        expect(run.state.position).to.deep.equal(run.reference.state.position)
      }),
      { numRuns: 200 },
    )
  })

  it('has in no commit a part of a record', async () => {
    const { database, backing, replica } = await started()
    replica.run(put('a', '1'))
    const txn = replica.state.store.begin()
    txn.put('b' as never, Buffer.from('half'), 0n)
    await backing.flush()
    expect(database.rowCount('versions')).to.equal(1)
    txn.commit()
    replica.run(put('c'))
    await backing.flush()
    expect(database.rowCount('versions')).to.equal(3)
  })

  it('reads what is being committed from memory, and then from the database', async () => {
    const { database, backing, replica } = await started()
    replica.run(put('a', 'value'))
    const version = replica.state.store.get('a' as never, 2)!
    database.holding = true
    const flushed = backing.flush()
    expect(Buffer.from(version.value()).toString()).to.equal('value')
    expect(replica.state.store.allocatedBytes).to.be.at.least(version.encodedLength)
    database.release()
    await flushed
    expect(Buffer.from(version.value()).toString()).to.equal('value')
    for (const key of database.keys('values')) database.set('values', Buffer.from(key, 'latin1'), Buffer.from('other'))
    expect(() => version.value()).to.throw(BackingError, 'version 2.0 has 5 bytes')
  })

  it('gives back what a compaction has left, and only after the compaction is durable', async () => {
    const { database, backing, replica } = await started()
    for (let index = 0; index < 50; index++) replica.run(put('k', `value ${index}`))
    await backing.flush()
    replica.run({ kind: 'compact', revision: 51, physical: false })
    while (!replica.state.store.scrub(10));
    expect(database.rowCount('values')).to.equal(50)
    await backing.flush()
    expect([database.rowCount('values'), database.rowCount('versions')]).to.deep.equal([1, 1])
    expect(replica.state.store.liveBytes).to.equal(replica.state.store.get('k' as never, 51)!.encodedLength)
  })

  it('removes at the start what an earlier run had compacted and not yet removed', async () => {
    const { database, backing, replica } = await started()
    for (let index = 0; index < 10; index++) replica.run(put('k', `value ${index}`))
    replica.run(del('k'))
    replica.run(put('last'))
    replica.run({ kind: 'compact', revision: 13, physical: false })
    await backing.close()
    expect(database.rowCount('values')).to.equal(12)
    const again = await open(database)
    expect(contents(again.restored!)).to.equal(contents(replica.state))
    expect(again.restored!.store.liveBytes).to.equal(again.restored!.store.get('last' as never, 13)!.encodedLength)
    await again.flush()
    expect(database.rowCount('values')).to.equal(1)
  })

  it('keeps leases in the order of their grants, also those of an earlier run', async () => {
    const { database, backing, replica } = await started()
    for (const id of [9n, -3n, 5n]) replica.run({ kind: 'leaseGrant', id, ttl: 60 })
    await backing.close()
    const again = await open(database)
    const next = new Replica(again.restored)
    next.run({ kind: 'leaseRevoke', id: -3n })
    next.run({ kind: 'leaseGrant', id: 2n, ttl: 7 })
    await again.close()
    const { leases } = (await open(database)).restored!
    expect(Array.from(leases.leases(), ({ id, ttl }) => [id, ttl])).to.deep.equal([
      [9n, 60],
      [5n, 60],
      [2n, 7],
    ])
  })

  it('can be dumped while it changes and is committed', async () => {
    const { backing, replica } = await started()
    replica.run(LEASE)
    for (let index = 0; index < 40; index++) replica.run(put(`k${index % 20}`, `v${index}`, { lease: 1n }))
    const before = contents(replica.state)
    const dump = replica.state.dump()
    const other = await open(new FakeDatabase())
    const loader = await other.loader()
    for (const chunk of dump.chunks) {
      replica.run(put('k1', 'later'))
      await backing.flush()
      loader.add(chunk)
    }
    dump.close()
    expect(contents(loader.finish())).to.equal(before)
  })

  it('asks whoever applies to wait when much is not yet stored', async () => {
    const { database, backing, replica } = await started()
    expect(backing.ready()).to.equal(undefined)
    database.holding = true
    const large = 'x'.repeat(1024 * 1024)
    for (let index = 0; index < 34; index++) replica.run(put('k', large))
    let isReady = false
    const ready = backing.ready()!.then(() => {
      isReady = true
    })
    await turn()
    expect(isReady).to.equal(false)
    database.release()
    await ready
    expect(backing.ready()).to.equal(undefined)
  })

  it('stores nothing more after a commit has failed, says so, and stays readable', async () => {
    const { database, backing, replica } = await started()
    replica.run(put('a', 'stored'))
    await backing.flush()
    database.failure = new Error('no space left')
    replica.run(put('a', 'not stored'))
    expect(await rejection(backing.flush())).to.have.property('code', 'WRITE_FAILED')
    expect(await backing.failed).to.have.nested.property('cause.message', 'no space left')
    database.failure = undefined
    replica.run(put('b'))
    expect(await rejection(backing.ready()!)).to.have.property('code', 'WRITE_FAILED')
    expect(await rejection(backing.flush())).to.have.property('code', 'WRITE_FAILED')
    expect(Buffer.from(replica.state.store.get('a' as never, 3)!.value()).toString()).to.equal('not stored')
    expect(await rejection(backing.close())).to.have.property('code', 'WRITE_FAILED')
    expect(database.isOpen).to.equal(false)
    expect((await open(database)).restored!.store.revision).to.equal(2)
  })
})

describe('opening a state on lmdb', () => {
  it('finds nothing in a new database', async () => {
    const backing = await open(new FakeDatabase())
    expect([backing.restored, backing.durableOffset]).to.deep.equal([undefined, -1])
  })

  it('refuses the state of another log', async () => {
    const { database } = await stored()
    const error = await rejection(open(database, 'another log'))
    expect(error).to.have.property('code', 'FOREIGN')
    expect(error)
      .to.have.property('message')
      .that.includes('log one')
      .and.includes('another log')
      .and.includes('/state')
  })

  it('refuses a newer format', async () => {
    const { database } = await stored()
    database.set('meta', Buffer.from('format'), Buffer.from([0, 0, 0, 2]))
    expect(await rejection(open(database))).to.have.property('code', 'UNSUPPORTED')
    database.set('meta', Buffer.from('format'), Buffer.from([0, 0, 0, 1]))
    const row = database.read('meta', Buffer.from('state'))!
    row[16] = 2
    database.set('meta', Buffer.from('state'), row)
    expect(await rejection(open(database))).to.have.property('code', 'UNSUPPORTED')
  })

  it('empties what a load that was interrupted has left, and says so', async () => {
    const { replica } = await stored()
    const database = new FakeDatabase()
    const loading = await open(database)
    const loader = await loading.loader()
    const dump = replica.state.dump()
    for (const chunk of dump.chunks) loader.add(chunk)
    await loading.flush()
    expect(database.rowCount('versions')).to.equal(2)
    const warnings: string[] = []
    const next = await open(database.copy(), 'log one', warnings)
    expect([next.restored, warnings.length]).to.deep.equal([undefined, 1])
    expect(contents(loader.finish())).to.equal(contents(replica.state))
    await loading.flush()
    expect(contents((await open(database, 'log one', warnings)).restored!)).to.equal(contents(replica.state))
    expect(warnings).to.have.lengthOf(1)
  })

  it('forgets what was restored when an empty state is asked for', async () => {
    const { database, backing } = await stored()
    const state = await backing.empty()
    expect([state.position.offset, backing.restored, backing.durableOffset]).to.deep.equal([-1, undefined, -1])
    new Replica(state).run(put('new'))
    await backing.close()
    expect(contents((await open(database)).restored!)).to.equal(contents(state))
  })

  const version = (revision: number): Buffer => Buffer.from([0, 0, 0, 0, 0, 0, 0, revision, 0, 0, 0, 0])
  const damages: readonly (readonly [string, (database: FakeDatabase) => void])[] = [
    ['a version lacks its value', (database) => database.set('values', version(2), undefined)],
    ['the row of a version is cut short', (database) => database.set('versions', version(2), Buffer.alloc(2))],
    ['a version has the key of another', (database) => move(database, version(2), version(1))],
    ['a version is of the future', (database) => database.set('meta', STATE, rowOf(new StateMachine(), database))],
    [
      'a lease is missing',
      (database) => database.set('leases', Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]), Buffer.alloc(3)),
    ],
    ['the row of the state is cut short', (database) => database.set('meta', STATE, Buffer.alloc(3))],
    ['the row of the state is something else', (database) => database.set('meta', STATE, Buffer.alloc(40))],
  ]
  for (const [what, damage] of damages) {
    it(`refuses a database in which ${what}`, async () => {
      const { database } = await stored()
      damage(database)
      const error = await rejection(open(database))
      expect(error, String(error)).to.be.an.instanceOf(BackingError).with.property('code', 'CORRUPT')
      expect(error).to.have.property('message').that.includes('remove that directory')
    })
  }
})

const STATE = Buffer.from('state')

/** A database under test, next to a state in memory that applies the same records. */
class Run {
  readonly reference = new Replica()
  /** What the state must be after the record of an offset. */
  readonly #contents = [contents(this.reference.state)]
  database = new FakeDatabase()
  state = new StateMachine()
  #backing: StateBacking | undefined

  static async start(): Promise<Run> {
    const run = new Run()
    await run.#open(run.database)
    return run
  }

  async apply(each: Command): Promise<void> {
    this.reference.run(each)
    this.#contents.push(contents(this.reference.state))
    this.#catchUp()
  }

  async step(name: string): Promise<void> {
    if (name === 'scrub') this.state.store.scrub(3)
    else if (name === 'turn') await turn()
    else if (name === 'hold') this.database.holding = true
    else if (name === 'crash') await this.crash()
    else {
      this.database.release()
      if (name === 'flush') await this.#backing?.flush()
      if (name === 'restart') await this.restart()
    }
  }

  async crash(): Promise<void> {
    const reported = this.#backing?.durableOffset ?? -1
    await this.#open(this.database.copy())
    expect(this.#backing?.durableOffset).to.be.at.least(reported)
  }

  async restart(): Promise<void> {
    await this.#backing?.close()
    await this.#open(this.database)
    expect(this.#backing?.durableOffset).to.equal(this.reference.state.position.offset)
  }

  async #open(database: FakeDatabase): Promise<void> {
    this.database = database
    this.#backing = await open(database)
    const { restored } = this.#backing
    this.state = restored ?? (await this.#backing.empty())
    if (restored !== undefined) expect(contents(restored)).to.equal(this.#contents[restored.position.offset])
    this.#catchUp()
  }

  #catchUp(): void {
    const { records, state } = this.reference
    for (let next = this.state.position.offset + 1; next < records.length; next++)
      this.state.apply(next, records[next]!)
    expect(contents(this.state)).to.equal(contents(state))
    expect(this.state.position).to.deep.equal(state.position)
    expect(this.state.claimer).to.deep.equal(state.claimer)
    expect(this.state.featureLevel).to.equal(state.featureLevel)
  }
}

interface Started {
  readonly database: FakeDatabase
  readonly backing: StateBacking
  readonly replica: Replica
}

async function started(): Promise<Started> {
  const database = new FakeDatabase()
  const backing = await open(database)
  return { database, backing, replica: new Replica(await backing.empty()) }
}

/** With something in every table, and committed. */
async function stored(): Promise<Started> {
  const all = await started()
  all.replica.run(LEASE)
  all.replica.run(put('a', 'with a lease', { lease: 1n }))
  all.replica.run(put('b', 'without'))
  await all.backing.flush()
  return all
}

function open(database: FakeDatabase, logId = 'log one', warnings: string[] = []): Promise<StateBacking> {
  return openBacking(database, { directory: '/state', logId, warn: (message) => warnings.push(message) })
}

function move(database: FakeDatabase, from: Buffer, to: Buffer): void {
  database.set('versions', to, database.read('versions', from))
  database.set('versions', from, undefined)
}

/** The row of the state, with its revision set back. */
function rowOf(state: StateMachine, database: FakeDatabase): Buffer {
  const header = state.dump().chunks[Symbol.iterator]().next().value as Uint8Array
  return Buffer.concat([database.read('meta', STATE)!.subarray(0, 8), header])
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
