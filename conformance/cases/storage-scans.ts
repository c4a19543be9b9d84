/** Cases S13 and S14: reading much. */
import { expect } from 'chai'
import { compareKeys, type Entry, type Storage } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { calmParty } from './storage-clients.ts'
import { collect, expectValue, failure, inParallel, numbered, patient, putAll } from './storage-steps.ts'

export const storageScans: readonly ConformanceCase[] = [
  {
    id: 'S13',
    title: 'a scan shows every key once, in order, and lets go when it is left',
    run: scanning,
    extraTtls: 10,
  },
  { id: 'S14', title: 'list names all of many children', run: manyChildren },
]

async function scanning(given: Given): Promise<void> {
  const writer = await calmParty(given, 'A')
  const { storage } = await calmParty(given, 'B')
  const keys = numbered('/all', given.scale(3_000, 50_000))
  await putAll(given, writer.storage, ['/al', '/all', '/all0', '/b'], 'outside')
  await putAll(given, writer.storage, keys, '0')
  const seen = (await collect(storage.scan('/all', patient(given)))).map(({ key }) => key)
  expectSameKeys(seen, keys)
  for (const entry of await collect(storage.scan('/b', patient(given)))) {
    throw new Error(`the scan of /b, which has nothing below it, shows ${entry.key}`)
  }
  await leaving(given, storage, keys)
  if (given.capabilities.snapshotScan) await oneMoment(given, writer.storage, storage, keys)
}

/** Not deep.equal: of 50,000 keys it would print all. */
function expectSameKeys(seen: readonly string[], keys: readonly string[]): void {
  const firstWrong = seen.findIndex((key, at) => key !== keys[at])
  const found = firstWrong === -1 ? 'none' : `${seen[firstWrong]} instead of ${keys[firstWrong]}`
  expect(found, 'the first wrong key of a scan').to.equal('none')
  expect(seen.length, 'how many keys a scan shows').to.equal(keys.length)
}

/** Left early by `break`, by a throw and by an abort, often enough to show what is not let go. */
async function leaving(given: Given, storage: Storage, keys: readonly string[]): Promise<void> {
  await inParallel(numbered('', given.scale(20, 200)), async () => {
    const seen: string[] = []
    for await (const entry of storage.scan('/all', patient(given))) {
      seen.push(entry.key)
      if (seen.length === 3) break
    }
    expect(seen, 'a scan that is left after three keys').to.deep.equal(keys.slice(0, 3))
  })
  const thrown = new Error('thrown inside the loop')
  const throwing = async () => {
    for await (const _ of storage.scan('/all', patient(given))) throw thrown
  }
  expect(await failure('a loop that throws', throwing())).to.equal(thrown)
  const abort = new AbortController()
  const reason = new Error('aborted inside the loop')
  let shown = 0
  const aborting = async () => {
    for await (const _ of storage.scan('/all', { ...patient(given), signal: abort.signal })) {
      shown++
      if (shown === 2) abort.abort(reason)
    }
  }
  expect(await failure('a scan that is aborted', aborting()), 'why it ended').to.equal(reason)
  expect(shown, 'how many keys an aborted scan still shows').to.be.below(keys.length)
  const early = collect(storage.scan('/all', { signal: AbortSignal.abort(reason) }))
  expect(await failure('a scan that is aborted before it begins', early)).to.equal(reason)
  await expectValue(storage, '/all', 'outside')
}

/**
 * One writer counts up the first key and then the last one, over and over: in every moment the first is level or one
 * ahead. A scan whose pages show several moments finds the last one ahead.
 */
async function oneMoment(given: Given, writer: Storage, reader: Storage, keys: readonly string[]): Promise<void> {
  const [first, last] = [keys[0] ?? '', keys.at(-1) ?? '']
  let counting = true
  const count = async () => {
    for (let value = 1; counting; value++) {
      await writer.update(first, String(value), patient(given))
      await writer.update(last, String(value), patient(given))
    }
  }
  const scan = async () => {
    try {
      for (let round = 0; round < given.scale(5, 10); round++) {
        const entries = await collect(reader.scan('/all', patient(given)))
        expect(entries.length, 'how many keys a scan shows beside a writer').to.equal(keys.length)
        const ahead = numberIn(entries[0]) - numberIn(entries.at(-1))
        expect(ahead, 'how far the first key was ahead of the last, in one scan').to.be.within(0, 1)
      }
    } finally {
      counting = false
    }
  }
  await Promise.all([count(), scan()])
}

function numberIn(entry: Entry | undefined): number {
  return Number(entry?.text)
}

async function manyChildren(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const other = await calmParty(given, 'B')
  const keys = numbered('/many', given.scale(1_000, 2_000))
  const deep = keys.filter((_, at) => at % 10 === 0).flatMap((key) => [`${key}/a`, `${key}/b/c`])
  await putAll(given, storage, [...keys.filter((_, at) => at % 20 !== 0), ...deep, '/manyx', '/man/y'], 'x')
  for (const reader of [storage, other.storage]) {
    const names = await reader.list('/many', patient(given))
    expect(names.size, 'how many children are listed').to.equal(keys.length)
    const missing = keys.filter((key) => !names.has(key.slice('/many/'.length)))
    expect(missing, 'children that are not listed').to.deep.equal([])
  }
  const sorted = (await collect(other.storage.scan('/many', patient(given)))).map(({ key }) => key)
  expect([...sorted].sort(compareKeys), 'a scan, sorted again').to.deep.equal(sorted)
}
