/** Cases S9 and S10: values and keys come back as they went in, whatever is in them. */
import { expect } from 'chai'
import { type Data, sameBytes, type Storage, toBytes } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { calmParty } from './storage-clients.ts'
import { collect, entryOf, expectBytes, expectValue, inParallel, patient, refusal, show } from './storage-steps.ts'

export const storageData: readonly ConformanceCase[] = [
  { id: 'S9', title: 'values are bytes: all of them come back, and belong to whoever holds them', run: exactValues },
  { id: 'S10', title: 'nothing in a key is special but the slash', run: exactKeys },
]

const TEXTS: Readonly<Record<string, string>> = {
  empty: '',
  space: ' ',
  nul: 'a\0b',
  'nul-alone': '\0',
  null: 'null',
  'null-in-brackets': '[null]',
  undefined: 'undefined',
  zero: '0',
  quotes: `'"\`\\`,
  emoji: '🦓👩‍👩‍👧',
  composed: 'caf\u00e9',
  decomposed: 'cafe\u0301',
  'byte-order-mark': '\ufeffx',
  lines: '\r\n\n\r',
  last: '\u{10ffff}',
}

const BINARIES: Readonly<Record<string, Uint8Array>> = {
  'one-byte': Uint8Array.of(7),
  'all-bytes': Uint8Array.from({ length: 256 }, (_, byte) => byte),
  'cut-short': Uint8Array.of(0xe2, 0x82),
  overlong: Uint8Array.of(0xc0, 0x80),
  surrogate: Uint8Array.of(0xed, 0xa0, 0x80),
}

async function exactValues(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const other = await calmParty(given, 'B')
  await inParallel(Object.entries(TEXTS), async ([name, text]) => {
    await roundTrip(storage, other.storage, `/text/${name}`, text)
    expect(await other.storage.fetch(`/text/${name}`), `the text of /text/${name}`).to.equal(text)
  })
  await inParallel(Object.entries(BINARIES), async ([name, bytes]) => {
    const key = `/bytes/${name}`
    await roundTrip(storage, other.storage, key, bytes)
    if (name === 'one-byte') return
    await refusal('INVALID_DATA', 'fetch, as text, of bytes that are not UTF-8', other.storage.fetch(key))
    const entry = await entryOf(other.storage, key)
    expect(() => entry.text, 'the text of bytes that are not UTF-8')
      .to.throw()
      .with.property('code', 'INVALID_DATA')
  })
  await largestValues(given, storage, other.storage)
  await ownCopies(storage)
}

async function roundTrip(writer: Storage, reader: Storage, key: string, data: Data): Promise<void> {
  await writer.put(key, data)
  await expectValue(reader, key, data)
  await writer.update(key, 'something else')
  const version = await writer.update(key, data)
  await expectValue(reader, key, data, version)
}

async function largestValues(given: Given, storage: Storage, reader: Storage): Promise<void> {
  const { maxValueBytes } = given.capabilities.limits
  expect(maxValueBytes, 'limits.maxValueBytes').to.be.at.least(512 * 1024)
  const options = patient(given)
  for (const size of new Set([512 * 1024, maxValueBytes])) {
    const bytes = noise(given, size)
    await storage.put(`/size/${size}`, bytes, options)
    const entry = await reader.fetchEntry(`/size/${size}`, options)
    if (entry === undefined) throw new Error(`a value of ${size} bytes is absent after it was put`)
    expectBytes(entry, bytes)
    await storage.delete(`/size/${size}`, options)
  }
  const tooLarge = new Uint8Array(maxValueBytes + 1)
  await storage.put('/small', 'x')
  await refusal('TOO_LARGE', 'put of one byte more than maxValueBytes', storage.put('/large', tooLarge))
  await refusal('TOO_LARGE', 'update with one byte more than maxValueBytes', storage.update('/small', tooLarge))
  await expectValue(reader, '/large', undefined)
  await expectValue(reader, '/small', 'x')
}

function noise(given: Given, size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at += 64) bytes[at] = Math.floor(given.random() * 256)
  return bytes
}

/** What the caller writes into its buffers after a call, or into what it was given, changes nothing elsewhere. */
async function ownCopies(storage: Storage): Promise<void> {
  const sent = Uint8Array.of(1, 2, 3)
  const putting = storage.put('/copies', sent)
  sent.fill(9)
  await putting
  await expectValue(storage, '/copies', Uint8Array.of(1, 2, 3))
  const read = await entryOf(storage, '/copies')
  read.bytes.fill(9)
  await expectValue(storage, '/copies', Uint8Array.of(1, 2, 3))
  const part = Uint8Array.of(0, 1, 2, 3, 0).subarray(1, 4)
  await storage.update('/copies', part)
  const entry = await entryOf(storage, '/copies')
  expect(sameBytes(entry.bytes, toBytes(part)), `a part of a buffer was stored as ${show(entry.bytes)}`).to.equal(true)
}

const SEGMENTS = [
  'space in it',
  ' ',
  '%',
  '%2F',
  '%00',
  '+',
  '?a=b&c',
  '#',
  '*',
  '**',
  '"',
  "'",
  "'; DROP TABLE kv; --",
  ';',
  '...',
  '..a',
  '.a',
  '_',
  ':',
  '~',
  '\\',
  '{}[]()<>|^`$@!=,',
  'tab\tand\nline',
  '\u0001',
  '\u007f',
  'UPPER',
  'upper',
  'caf\u00e9',
  'cafe\u0301',
  '\u00df',
  'ss',
  'ключ',
  '鍵',
  '\ufffd',
  '\uffff',
  '\u{10000}',
  '🦓',
  '0',
  '00',
  '-1',
  '__proto__',
  'constructor',
  'kv',
  'values',
  'sessions',
  'leases',
  'leader',
  'leaders',
  'members',
  'locks',
  'meta',
  'commits',
  'zookeeper',
  'latest',
]

async function exactKeys(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const other = await calmParty(given, 'B')
  const { maxKeyBytes } = given.capabilities.limits
  expect(maxKeyBytes, 'limits.maxKeyBytes').to.be.at.least(512)
  const keys = [...SEGMENTS.flatMap((name) => [`/${name}`, `/in/${name}/below`]), keyOf(512), keyOf(maxKeyBytes)]
  const all = [...new Set(keys)]
  await inParallel(all, (key) => storage.put(key, key.slice(0, 600), patient(given)))
  await inParallel(all, (key) => expectValue(other.storage, key, key.slice(0, 600)))
  const names = all.map((key) => key.split('/')[1])
  expectSameNames(await other.storage.list('/'), names, 'the root')
  expectSameNames(await other.storage.list('/in'), SEGMENTS, '/in')
  const inRoot = (await collect(other.storage.scan('/'))).map(({ key }) => key)
  expect(inRoot, 'the keys of a scan, in the order of their bytes').to.deep.equal(inByteOrder(all))
  await inParallel(SEGMENTS, async (name) => {
    const below = await collect(other.storage.scan(`/in/${name}`))
    const keysBelow = below.map(({ key }) => key)
    expect(keysBelow, `what is below ${show(`/in/${name}`)}`).to.deep.equal([`/in/${name}/below`])
    expect(await storage.delete(`/${name}`, patient(given)), `delete of ${show(`/${name}`)}`).to.equal(true)
  })
  const left = (await collect(storage.scan('/'))).map(({ key }) => key)
  const expected = all.filter((key) => !SEGMENTS.includes(key.slice(1)))
  expect(left, 'what is left when some were deleted').to.deep.equal(inByteOrder(expected))
}

/** A key of so many bytes, in segments of which none is too long for a file's name. */
function keyOf(bytes: number): string {
  return '/segment'
    .repeat(Math.ceil(bytes / 8))
    .slice(0, bytes - 1)
    .concat('x')
}

function inByteOrder(keys: readonly string[]): string[] {
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

function expectSameNames(seen: ReadonlySet<string>, names: readonly (string | undefined)[], where: string): void {
  const expected = new Set(names)
  const missing = [...expected].filter((name) => name !== undefined && !seen.has(name))
  const surplus = [...seen].filter((name) => !expected.has(name))
  expect({ missing, surplus }, `the children of ${where}`).to.deep.equal({ missing: [], surplus: [] })
}
