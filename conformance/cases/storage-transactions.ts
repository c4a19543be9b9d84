/** Case S21: transactions. */
import { expect } from 'chai'
import type { ErrorCode, Storage, StorageOp } from '../../spi/index.ts'
import { isCoordinationError } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { calmParties, calmParty, type Parties } from './storage-clients.ts'
import { collect, entryOf, expectValue, numbered, patient, refusal } from './storage-steps.ts'

export const storageTransactions: readonly ConformanceCase[] = [
  {
    id: 'S21',
    title: 'a transaction is all or nothing, and as if its operations came one after another',
    capability: 'transactions',
    run: transactions,
    otherwise: unsupported,
    extraTtls: 10,
  },
]

async function transactions(given: Given): Promise<void> {
  const clients = await calmParties(given, 4)
  const [one, two] = clients
  await allOfIt(one.storage, two.storage)
  await noneOfIt(one.storage, two.storage)
  await oneAfterAnother(one.storage)
  await sizes(given, one.storage)
  await accounts(given, clients)
}

async function unsupported(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  await refusal('UNSUPPORTED', 'transact', storage.transact([{ op: 'put', key: '/k', data: 'x' }]))
  await expectValue(storage, '/k', undefined)
}

async function allOfIt(storage: Storage, reader: Storage): Promise<void> {
  const before = await storage.put('/all/updated', 'old')
  const checked = await storage.put('/all/checked', 'same')
  await storage.put('/all/deleted', 'x')
  await storage.put('/all/blind', 'old')
  const versions = await storage.transact([
    { op: 'check', key: '/all/checked', version: checked },
    { op: 'check', key: '/all/absent', version: null },
    { op: 'put', key: '/all/created', data: Uint8Array.of(255) },
    { op: 'update', key: '/all/updated', data: 'new', ifVersion: before },
    { op: 'update', key: '/all/blind', data: 'new' },
    { op: 'delete', key: '/all/deleted' },
    { op: 'delete', key: '/all/never-was' },
  ])
  expect(versions.length, 'how many results seven operations have').to.equal(7)
  const written = versions.map((version) => version !== undefined)
  expect(written, 'which operations have a version').to.deep.equal([false, false, true, true, true, false, false])
  await expectValue(reader, '/all/created', Uint8Array.of(255), versions[2])
  await expectValue(reader, '/all/updated', 'new', versions[3])
  await expectValue(reader, '/all/blind', 'new', versions[4])
  await expectValue(reader, '/all/deleted', undefined)
  await expectValue(reader, '/all/checked', 'same', checked)
  await expectValue(reader, '/all/absent', undefined)
  const next = await storage.update('/all/updated', 'newer', {
    ifVersion: (await entryOf(reader, '/all/updated')).version,
  })
  expect([before, versions[3]], 'earlier versions').not.to.include(next)
}

async function noneOfIt(storage: Storage, reader: Storage): Promise<void> {
  const stale = await storage.put('/none/there', 'old')
  const current = await storage.update('/none/there', 'new')
  const refused: readonly (readonly [string, ErrorCode, StorageOp])[] = [
    ['a put of a key that is there', 'KEY_EXISTS', { op: 'put', key: '/none/there', data: 'x' }],
    ['an update of an absent key', 'KEY_NOT_FOUND', { op: 'update', key: '/none/absent', data: 'x' }],
    ['a stale update', 'VERSION_MISMATCH', { op: 'update', key: '/none/there', data: 'x', ifVersion: stale }],
    ['a stale delete', 'VERSION_MISMATCH', { op: 'delete', key: '/none/there', ifVersion: stale }],
    ['a stale check', 'VERSION_MISMATCH', { op: 'check', key: '/none/there', version: stale }],
    ['a check that a key is absent', 'VERSION_MISMATCH', { op: 'check', key: '/none/there', version: null }],
    ['a check that an absent key is there', 'VERSION_MISMATCH', { op: 'check', key: '/none/absent', version: current }],
  ]
  const before: StorageOp = { op: 'put', key: '/none/before', data: 'x' }
  const after: StorageOp = { op: 'put', key: '/none/after', data: 'x' }
  for (const [what, code, op] of refused) {
    const error = await refusal(code, `a transaction with ${what}`, storage.transact([before, op, after]))
    expect(error.index, `the index that the error of ${what} names`).to.equal(1)
    const keys = (await collect(reader.scan('/none'))).map(({ key }) => key)
    expect(keys, `the keys after a transaction with ${what}`).to.deep.equal(['/none/there'])
    await expectValue(reader, '/none/there', 'new', current)
  }
  const twice = storage.transact([before, ...refused.slice(0, 3).map(([, , op]) => op)])
  expect((await refusal('KEY_EXISTS', 'a transaction with three failures', twice)).index, 'the first of them').to.equal(
    1,
  )
  const alone = storage.transact([{ op: 'check', key: '/none/there', version: stale }])
  expect((await refusal('VERSION_MISMATCH', 'a stale check alone', alone)).index, 'its index').to.equal(0)
  const held = await storage.transact([{ op: 'check', key: '/none/there', version: current }])
  expect(held, 'what a check alone returns').to.deep.equal([undefined])
}

/** Of two operations on one key the second sees the first. */
async function oneAfterAnother(storage: Storage): Promise<void> {
  const put = (data: string): StorageOp => ({ op: 'put', key: '/twice', data })
  const update = (data: string): StorageOp => ({ op: 'update', key: '/twice', data })
  const remove: StorageOp = { op: 'delete', key: '/twice' }
  const absent: StorageOp = { op: 'check', key: '/twice', version: null }
  const created = await storage.transact([absent, put('one'), update('two')])
  await expectValue(storage, '/twice', 'two', created[2])
  const replaced = await storage.transact([remove, absent, put('three')])
  await expectValue(storage, '/twice', 'three', replaced[2])
  const ifVersion = replaced[2]
  if (ifVersion === undefined) throw new Error('a put in a transaction has no version')
  const stale: StorageOp = { op: 'update', key: '/twice', data: 'five', ifVersion }
  const wrong: readonly (readonly [string, ErrorCode, readonly StorageOp[]])[] = [
    ['a second put', 'KEY_EXISTS', [remove, put('a'), put('b')]],
    ['an update after a delete', 'KEY_NOT_FOUND', [update('a'), remove, update('b')]],
    ['a version that the same transaction has replaced', 'VERSION_MISMATCH', [absentNow('/else'), update('a'), stale]],
    ['a check of absence after a put', 'VERSION_MISMATCH', [remove, put('a'), absent]],
  ]
  for (const [what, code, operations] of wrong) {
    const error = await refusal(code, `a transaction with ${what}`, storage.transact(operations))
    expect(error.index, `the index that the error of ${what} names`).to.equal(2)
    await expectValue(storage, '/twice', 'three', ifVersion)
  }
  await storage.transact([{ op: 'check', key: '/twice', version: ifVersion }, stale])
  await expectValue(storage, '/twice', 'five')
  await storage.transact([update('six'), remove])
  await expectValue(storage, '/twice', undefined)
  await storage.transact([put('seven'), remove])
  await expectValue(storage, '/twice', undefined)
  expect([...(await storage.list('/'))], 'what is listed after put and delete in one').not.to.include('twice')
}

function absentNow(key: string): StorageOp {
  return { op: 'check', key, version: null }
}

async function sizes(given: Given, storage: Storage): Promise<void> {
  const { transactions } = given.capabilities
  const maxOps = transactions === false ? 0 : Math.min(transactions.maxOps, 10_000)
  const puts = (namespace: string, count: number) => {
    return numbered(namespace, count).map((key): StorageOp => ({ op: 'put', key, data: 'x' }))
  }
  await storage.transact(puts('/largest', maxOps), patient(given))
  expect((await storage.list('/largest', patient(given))).size, 'keys of the largest transaction').to.equal(maxOps)
  if (transactions === false || maxOps < transactions.maxOps) return
  await refusal('TOO_LARGE', 'a transaction of one more operation', storage.transact(puts('/larger', maxOps + 1)))
  expect((await storage.list('/larger')).size, 'keys of a transaction that was too large').to.equal(0)
}

/** Money moves between two accounts; nobody ever sees more or less of it. */
async function accounts(given: Given, clients: Parties): Promise<void> {
  const [{ storage }] = clients
  const total = 1_000
  await storage.transact([
    { op: 'put', key: '/account/a', data: String(total) },
    { op: 'put', key: '/account/b', data: '0' },
  ])
  let moved = 0
  const move = async (own: Storage) => {
    const [a, b] = [await entryOf(own, '/account/a'), await entryOf(own, '/account/b')]
    const amount = Math.floor(given.random() * 100) - 50
    try {
      await own.transact(
        [
          { op: 'update', key: a.key, data: String(Number(a.text) - amount), ifVersion: a.version },
          { op: 'update', key: b.key, data: String(Number(b.text) + amount), ifVersion: b.version },
        ],
        patient(given),
      )
      moved++
      // only a transaction that took place proves that both were read of one moment
      expect(Number(a.text) + Number(b.text), 'what both accounts held').to.equal(total)
    } catch (error) {
      if (!isCoordinationError(error, 'VERSION_MISMATCH')) throw error
    }
  }
  const rounds = given.scale(15, 200)
  await Promise.all(
    clients.map(async (party) => {
      for (let round = 0; round < rounds; round++) await move(party.storage)
    }),
  )
  const entries = await collect(storage.scan('/account'))
  const sum = entries.reduce((held, { text }) => held + Number(text), 0)
  expect(sum, `what the accounts hold after ${moved} transfers`).to.equal(total)
  expect(moved, 'how many transfers got through').to.be.above(0)
}
