/** Cases S15–S19 and S25: several clients on the same keys, and beside each other. */
import { expect } from 'chai'
import { isCoordinationError, type Storage } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { calmParties, calmParty } from './storage-clients.ts'
import { countTogether, expectSum } from './storage-counter.ts'
import {
  collect,
  entryOf,
  expectValue,
  failure,
  inParallel,
  numbered,
  patient,
  pick,
  refusal,
} from './storage-steps.ts'

export const storageRaces: readonly ConformanceCase[] = [
  {
    id: 'S15',
    title: 'what was acknowledged to one client is what all others read from then on',
    capability: 'linearizableReads',
    run: readAfterWrite,
    otherwise: noLinearizableReads,
  },
  { id: 'S16', title: 'the reads of one client never go back, sequential ones included', run: neverBack },
  { id: 'S17', title: 'no increment of a shared counter is lost or doubled', run: sharedCounter, extraTtls: 10 },
  { id: 'S18', title: 'of many puts of one key at once one succeeds', run: racingPuts },
  { id: 'S19', title: 'of a delete and an update that expect the same version one succeeds', run: deleteOrUpdate },
  { id: 'S25', title: 'many clients at once do not get each other’s answers', run: noCrossTalk, extraTtls: 10 },
]

async function readAfterWrite(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  await inParallel(
    numbered('/k', given.scale(48, 500)),
    async (key, number) => {
      const version = await writer.storage.put(key, 'one', patient(given))
      await expectValue(reader.storage, key, 'one', version)
      const updated = await reader.storage.update(key, 'two', patient(given))
      await expectValue(writer.storage, key, 'two', updated)
      if (number % 2 === 0) return
      await writer.storage.delete(key, patient(given))
      await expectValue(reader.storage, key, undefined)
      const name = key.slice('/k/'.length)
      expect((await reader.storage.list('/k')).has(name), `whether the deleted ${key} is listed`).to.equal(false)
      await reader.storage.put(`/s${key}`, 'x', patient(given))
      const entries = await collect(writer.storage.scan('/s', patient(given)))
      expect(
        entries.map((entry) => entry.key),
        'a scan after a put',
      ).to.include(`/s${key}`)
    },
    4,
  )
}

async function noLinearizableReads(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const read = storage.fetch('/k', { consistency: 'linearizable' })
  await refusal('UNSUPPORTED', 'a linearizable read', read)
}

/** The writer counts up the first key and then the second: whoever has read the second must find the first as high. */
async function neverBack(given: Given): Promise<void> {
  const [writer, ...readers] = await calmParties(given, 3)
  await writer.storage.put('/first', '0')
  await writer.storage.put('/second', '0')
  const rounds = given.scale(40, 2_000)
  let writing = true
  const write = async () => {
    for (let value = 1; value <= rounds; value++) {
      await writer.storage.update('/first', String(value), patient(given))
      await writer.storage.update('/second', String(value), patient(given))
    }
    writing = false
  }
  const read = async (storage: Storage) => {
    // from here on this client has seen both: a sequential read alone may lag behind their creation
    await storage.fetch('/second', patient(given))
    let seen = 0
    for (let turn = 0; writing; turn++) {
      const key = turn % 2 === 0 ? '/first' : '/second'
      const consistency = turn % 5 === 4 ? 'linearizable' : 'sequential'
      const value = Number((await storage.fetch(key, { ...patient(given), consistency })) ?? -2)
      const lowest = key === '/first' ? seen : seen - 1
      expect(value, `a ${consistency} read of ${key}, after this client had seen ${seen}`).to.be.at.least(lowest)
      seen = Math.max(seen, value)
    }
  }
  await Promise.all([write(), ...readers.map(({ storage }) => read(storage))])
}

async function sharedCounter(given: Given): Promise<void> {
  const clients = await calmParties(given, given.scale(8, 16))
  const counted = await countTogether(given, clients, { key: '/counter', each: given.scale(10, 250) })
  // a machine that is too busy may leave some in doubt
  const most = clients.length * given.scale(10, 250) * 0.9
  expect(counted.acknowledged, 'acknowledged increments, without any fault').to.be.at.least(most)
  await expectSum(clients[0], '/counter', counted)
}

async function racingPuts(given: Given): Promise<void> {
  const clients = await calmParties(given, given.scale(4, 16))
  const attempts = Array.from({ length: 16 }, (_, at) => ({ by: clients[at % clients.length], value: `value ${at}` }))
  for (const key of numbered('/race', given.scale(4, 20))) {
    const puts = attempts.map(async ({ by, value }) => by?.storage.put(key, value, patient(given)))
    const results = await Promise.allSettled(puts)
    const won = attempts.filter((_, at) => results[at]?.status === 'fulfilled').map(({ value }) => value)
    for (const result of results) {
      if (result.status === 'rejected') await refusal('KEY_EXISTS', `a put of ${key} that came too late`, fail(result))
    }
    expect(won, `the puts of ${key} that succeeded`).to.have.lengthOf(1)
    await expectValue(pick(given, clients).storage, key, won[0])
  }
}

async function fail({ reason }: PromiseRejectedResult): Promise<never> {
  throw reason
}

async function deleteOrUpdate(given: Given): Promise<void> {
  const [one, two] = await calmParties(given, 2)
  await inParallel(
    numbered('/race', given.scale(30, 300)),
    async (key) => {
      const ifVersion = await one.storage.put(key, 'before', patient(given))
      const condition = { ...patient(given), ifVersion }
      const [deleting, updating] = await Promise.allSettled([
        one.storage.delete(key, condition),
        two.storage.update(key, 'after', condition),
      ])
      const entry = await one.storage.fetchEntry(key)
      if (deleting.status === 'rejected') {
        await refusal('VERSION_MISMATCH', `the delete of ${key} that lost`, fail(deleting))
        if (updating.status === 'rejected') throw new Error(`neither won for ${key}: ${String(updating.reason)}`)
        expect(entry?.version, `the version of ${key} after the update won`).to.equal(updating.value)
        return
      }
      expect(deleting.value, `what the delete of ${key} says of a key that was there`).to.equal(true)
      if (updating.status === 'fulfilled')
        throw new Error(`a delete and an update of one version of ${key} both succeeded`)
      await refusal('KEY_NOT_FOUND', `the update of ${key} that lost`, fail(updating))
      expect(entry?.version, `the version of ${key} after the delete won`).to.equal(undefined)
    },
    4,
  )
}

/** Each on keys of its own, many calls at once, all names and values telling whose they are. */
async function noCrossTalk(given: Given): Promise<void> {
  const clients = await calmParties(given, given.scale(10, 50))
  const rounds = given.scale(4, 20)
  const work = async (storage: Storage, own: string) => {
    const keys = numbered(own, rounds)
    await inParallel(keys, async (key) => {
      const version = await storage.put(key, `${key} put`, patient(given))
      const entry = await storage.fetchEntry(key, patient(given))
      expect([entry?.key, entry?.text, entry?.version], `the entry of ${key}`).to.deep.equal([
        key,
        `${key} put`,
        version,
      ])
      await storage.update(key, `${key} updated`, { ...patient(given), ifVersion: version })
      const absent = await storage.fetch(`${key}x`, patient(given))
      expect(absent, `the value of the absent ${key}x`).to.equal(undefined)
      await refused(storage, key, given)
      expect(await storage.fetch(key, patient(given)), `the value of ${key}`).to.equal(`${key} updated`)
    })
    const entries = await collect(storage.scan(own, patient(given)))
    const expected = keys.map((key) => `${key} updated`)
    expect(
      entries.map(({ text }) => text),
      `the values below ${own}`,
    ).to.deep.equal(expected)
    await inParallel(keys.slice(1), (key) => storage.delete(key, patient(given)))
  }
  await Promise.all(clients.map(({ storage }, at) => work(storage, `/own${at}`)))
  for (const [at, { storage }] of clients.entries()) {
    const left = await storage.list(`/own${(at + 1) % clients.length}`, patient(given))
    expect([...left], 'what the next client has left').to.deep.equal(['000000'])
  }
  const last = await entryOf(clients[0].storage, '/own0/000000')
  expect(last.text, 'the value that stays').to.equal('/own0/000000 updated')
}

async function refused(storage: Storage, key: string, given: Given): Promise<void> {
  const error = await failure(`a second put of ${key}`, storage.put(key, 'again', patient(given)))
  if (!isCoordinationError(error, 'KEY_EXISTS')) throw error
  if (error.key !== undefined) expect(error.key, 'the key that the error names').to.equal(key)
}
