/** Steps that cases share: refused calls, exact values, many keys at once. */
import { expect } from 'chai'
import {
  type CoordinationError,
  type Data,
  type Entry,
  type ErrorCode,
  isCoordinationError,
  type OpOptions,
  sameBytes,
  type Storage,
  toBytes,
  type Version,
} from '../../spi/index.ts'
import type { Given } from '../kit/case.ts'

/** For calls whose speed is not the subject, beside many others or behind a fault. */
export function patient({ T }: Given): OpOptions {
  return { timeoutMs: Math.max(10 * T, 20_000) }
}

/** The error of a call that must be refused, without effect; fails if it succeeds or fails otherwise. */
export async function refusal(code: ErrorCode, what: string, call: Promise<unknown>): Promise<CoordinationError> {
  const error = await failure(what, call)
  if (!isCoordinationError(error)) throw unexpected(`${what} must be refused with ${code}, not fail`, error)
  if (error.code !== code) throw unexpected(`${what} must be refused with ${code}, not ${error.code}`, error)
  expect(error.effect, `the effect of a refusal (${what})`).to.equal('none')
  return error
}

/** What a call rejects with; fails if it resolves. */
export async function failure(what: string, call: Promise<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await call
  } catch (error) {
    return error
  }
  throw new Error(`${what} must fail, but it resolved with ${show(value)}`)
}

/** Fails unless the key holds exactly this, and nothing else if a version is given; undefined: it is absent. */
export async function expectValue(
  storage: Storage,
  key: string,
  data: Data | undefined,
  version?: Version,
): Promise<void> {
  const entry = await storage.fetchEntry(key)
  if (data === undefined) {
    expect(entry?.version, `${key} must be absent, but has a version`).to.equal(undefined)
    return
  }
  if (entry === undefined) throw new Error(`${key} must hold ${show(data)}, but it is absent`)
  expectBytes(entry, data)
  if (version !== undefined) expect(entry.version, `the version of ${key}`).to.equal(version)
}

export function expectBytes(entry: Entry, data: Data): void {
  const bytes = toBytes(data)
  if (sameBytes(entry.bytes, bytes)) return
  throw new Error(`${entry.key} must hold ${show(bytes)}, but it holds ${show(entry.bytes)}`)
}

/** Of a key that must be there. */
export async function entryOf(storage: Storage, key: string): Promise<Entry> {
  const entry = await storage.fetchEntry(key)
  if (entry === undefined) throw new Error(`${key} must be there, but it is absent`)
  return entry
}

/** Names with leading zeros, so that they are in the order of their numbers. */
export function numbered(namespace: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${namespace}/${String(number).padStart(6, '0')}`)
}

/** Creates all the keys, in as few round trips as the backend allows. */
export async function putAll(given: Given, storage: Storage, keys: readonly string[], data: Data): Promise<void> {
  const { transactions } = given.capabilities
  const options = patient(given)
  if (transactions === false) {
    await inParallel(keys, (key) => storage.put(key, data, options))
    return
  }
  const batches = inBatches(keys, Math.min(transactions.maxOps, 100))
  await inParallel(batches, (batch) => {
    return storage.transact(
      batch.map((key) => ({ op: 'put', key, data })),
      options,
    )
  })
}

/** The same for deleting. */
export async function deleteAll(given: Given, storage: Storage, keys: readonly string[]): Promise<void> {
  const { transactions } = given.capabilities
  const options = patient(given)
  if (transactions === false) {
    await inParallel(keys, (key) => storage.delete(key, options))
    return
  }
  const batches = inBatches(keys, Math.min(transactions.maxOps, 100))
  await inParallel(batches, (batch) => {
    return storage.transact(
      batch.map((key) => ({ op: 'delete', key })),
      options,
    )
  })
}

/** How many calls of one kind are under way at once: enough to fill the way to the store, not to flood it. */
const AT_ONCE = 16

/** Does it for all items, some at a time; results in the order of the items. The first failure ends it. */
export async function inParallel<T, R>(
  items: readonly T[],
  task: (item: T, index: number) => Promise<R>,
  atOnce = AT_ONCE,
): Promise<R[]> {
  const results: R[] = []
  const left = items.entries()
  const work = async () => {
    for (const [index, item] of left) results[index] = await task(item, index)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work))
  return results
}

function inBatches<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size)
  return Array.from({ length: count }, (_, batch) => items.slice(batch * size, (batch + 1) * size))
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** One of them, by the case’s seed. */
export function pick<T>(given: Given, items: readonly T[]): T {
  const item = items[Math.floor(given.random() * items.length)]
  if (item === undefined) throw new RangeError('there is nothing to pick from')
  return item
}

function unexpected(message: string, error: unknown): Error {
  const shown = error instanceof Error ? `${error.name}: ${error.message}` : show(error)
  return new Error(`${message} (${shown})`, { cause: error })
}

const SHOWN = 40

/** Short, whatever it is. */
export function show(value: unknown): string {
  if (!(value instanceof Uint8Array)) return shorten(typeof value === 'string' ? JSON.stringify(value) : String(value))
  const hex = Buffer.from(value.subarray(0, SHOWN)).toString('hex')
  return `${value.length} bytes ${hex}${value.length > SHOWN ? '…' : ''}`
}

function shorten(text: string): string {
  return text.length > 2 * SHOWN ? `${text.slice(0, 2 * SHOWN)}…` : text
}
