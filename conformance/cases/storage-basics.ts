/** Cases S1–S8: what each call of a storage answers, and what versions are worth. */
import { expect } from 'chai'
import type { Entry, Storage, Version } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { calmParty } from './storage-clients.ts'
import { entryOf, expectBytes, expectValue, refusal } from './storage-steps.ts'

export const storageBasics: readonly ConformanceCase[] = [
  { id: 'S1', title: 'a key that was never written is absent, as text and as an entry', run: absentKey },
  {
    id: 'S2',
    title: 'what was put is read back: the same bytes, under the version that put returned',
    run: putAndFetch,
  },
  { id: 'S3', title: 'put refuses a key that is there, and leaves its value and version alone', run: putExisting },
  { id: 'S4', title: 'update refuses a key that is absent, and creates nothing', run: updateAbsent },
  { id: 'S5', title: 'every update gives another version, also with equal bytes', run: versionsDiffer },
  { id: 'S6', title: 'update with ifVersion writes over that version only', run: compareAndSet },
  { id: 'S7', title: 'delete says whether the key was there, and with ifVersion spares a changed one', run: deleting },
  { id: 'S8', title: 'a version does not come back after delete and re-create', run: noAba },
]

async function absentKey(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  for (const key of ['/absent', '/absent/below']) {
    expect(await storage.fetch(key), `fetch of the absent ${key}`).to.equal(undefined)
    expect(await storage.fetchEntry(key), `fetchEntry of the absent ${key}`).to.equal(undefined)
  }
  await storage.put('/there/below', 'x')
  expect(await storage.fetch('/there'), 'fetch of a parent that is only implied').to.equal(undefined)
  expect(await storage.fetch('/there/below/that'), 'fetch below a key').to.equal(undefined)
}

async function putAndFetch(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const other = await calmParty(given, 'B')
  const version = await storage.put('/text', 'grüße')
  const binary = Uint8Array.of(0, 255, 128, 10)
  const binaryVersion = await storage.put('/bytes', binary)
  for (const reader of [storage, other.storage]) {
    expect(await reader.fetch('/text'), 'the text that was put').to.equal('grüße')
    await expectValue(reader, '/text', 'grüße', version)
    await expectValue(reader, '/bytes', binary, binaryVersion)
    const entry = await entryOf(reader, '/text')
    expect(entry.key, 'the key of the entry').to.equal('/text')
    expect(entry.text, 'the text of the entry').to.equal('grüße')
  }
  const updated = await storage.update('/text', 'anders')
  await expectValue(other.storage, '/text', 'anders', updated)
}

async function putExisting(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const other = await calmParty(given, 'B')
  const version = await storage.put('/k', 'first')
  for (const writer of [storage, other.storage]) {
    for (const data of ['second', 'first', '']) {
      const error = await refusal('KEY_EXISTS', `put of ${JSON.stringify(data)} over a key`, writer.put('/k', data))
      expectTruth(error.current, 'first', version)
    }
  }
  await expectValue(storage, '/k', 'first', version)
  await storage.put('/empty', '')
  await refusal('KEY_EXISTS', 'put over an empty value', storage.put('/empty', 'x'))
  await storage.delete('/k')
  const again = await storage.put('/k', 'third')
  await expectValue(storage, '/k', 'third', again)
}

async function updateAbsent(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  await refusal('KEY_NOT_FOUND', 'update of an absent key', storage.update('/k', 'x'))
  await storage.put('/k/below', 'x')
  await refusal('KEY_NOT_FOUND', 'update of a parent that is only implied', storage.update('/k', 'x'))
  await expectValue(storage, '/k', undefined)
  await storage.put('/k', 'x')
  await storage.delete('/k')
  await refusal('KEY_NOT_FOUND', 'update of a deleted key', storage.update('/k', 'x'))
  await expectValue(storage, '/k', undefined)
  expect([...(await storage.list('/'))], 'what the root lists').to.deep.equal(['k'])
}

async function versionsDiffer(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const other = await calmParty(given, 'B')
  const versions = [await storage.put('/k', 'same')]
  const count = given.scale(60, 200)
  while (versions.length < count) {
    const writer = versions.length % 2 === 0 ? storage : other.storage
    versions.push(await writer.update('/k', 'same'))
  }
  expect(new Set(versions).size, `how many of ${count} versions of one key are different`).to.equal(count)
  await expectValue(storage, '/k', 'same', versions.at(-1))
  const again = await entryOf(storage, '/k')
  expect(again.version, 'the version, read twice').to.equal((await entryOf(storage, '/k')).version)
}

async function compareAndSet(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const other = await calmParty(given, 'B')
  const first = await storage.put('/k', 'one')
  const second = await other.storage.update('/k', 'two', { ifVersion: first })
  await expectValue(storage, '/k', 'two', second)
  const stale = await refusal(
    'VERSION_MISMATCH',
    'update with a stale version',
    storage.update('/k', 'three', { ifVersion: first }),
  )
  expectTruth(stale.current, 'two', second)
  await expectValue(storage, '/k', 'two', second)
  const foreign = await storage.put('/other', 'two')
  const update = storage.update('/k', 'three', { ifVersion: foreign })
  await refusal('VERSION_MISMATCH', 'update with the version of another key', update)
  await storage.delete('/k')
  const late = storage.update('/k', 'three', { ifVersion: second })
  await refusal('KEY_NOT_FOUND', 'update of a deleted key with its last version', late)
  await expectValue(storage, '/k', undefined)
}

async function deleting(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const other = await calmParty(given, 'B')
  expect(await storage.delete('/k'), 'delete of an absent key').to.equal(false)
  const first = await storage.put('/k', 'one')
  const second = await other.storage.update('/k', 'two')
  const stale = storage.delete('/k', { ifVersion: first })
  expectTruth((await refusal('VERSION_MISMATCH', 'delete with a stale version', stale)).current, 'two', second)
  await expectValue(storage, '/k', 'two', second)
  expect(await storage.delete('/k', { ifVersion: second }), 'delete of the current version').to.equal(true)
  await expectValue(other.storage, '/k', undefined)
  expect(await storage.delete('/k', { ifVersion: second }), 'delete with ifVersion of an absent key').to.equal(false)
  await storage.put('/k', 'three')
  expect(await other.storage.delete('/k'), 'delete of a key that is there').to.equal(true)
  expect(await other.storage.delete('/k'), 'delete of a key that was deleted').to.equal(false)
  await storage.put('/empty', '')
  expect(await storage.delete('/empty'), 'delete of an empty value').to.equal(true)
}

/** Also where a counter of the key's writes would have come back to where it was. */
async function noAba(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const lives: Version[][] = []
  for (let life = 0; life < 3; life++) {
    const versions = await liveOnce(storage, '/k', given.scale(4, 20))
    for (const earlier of lives.flat()) {
      const overwrite = storage.update('/k', 'stolen', { ifVersion: earlier })
      await refusal('VERSION_MISMATCH', 'update with a version from before the key was deleted', overwrite)
    }
    const old = lives[0]?.at(-1)
    if (old !== undefined) {
      await refusal('VERSION_MISMATCH', 'delete with such a version', storage.delete('/k', { ifVersion: old }))
    }
    await expectValue(storage, '/k', 'same', versions.at(-1))
    expect(await storage.delete('/k'), 'the end of a life').to.equal(true)
    lives.push(versions)
  }
  const all = lives.flat()
  expect(new Set(all).size, `how many of ${all.length} versions over three lives are different`).to.equal(all.length)
}

async function liveOnce(storage: Storage, key: string, updates: number): Promise<Version[]> {
  const versions = [await storage.put(key, 'same')]
  while (versions.length <= updates) versions.push(await storage.update(key, 'same'))
  return versions
}

/** A backend need not tell what is there; but if it does, it must be true. */
function expectTruth(current: Entry | undefined, data: string, version: Version): void {
  if (current === undefined) return
  expectBytes(current, data)
  expect(current.version, "the version of the error's `current`").to.equal(version)
}
