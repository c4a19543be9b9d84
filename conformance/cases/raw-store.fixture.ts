/**
 * The data of a raw backend, in this process's memory and without any help from `backends/shared`: right, or wrong in
 * one way. Shows that the cases accept what is right however it is built, and that each of them can fail.
 */
import {
  checkData,
  checkKey,
  checkNamespace,
  childOf,
  compareKeys,
  CoordinationError,
  type Data,
  type Entry,
  type ErrorCode,
  makeEntry,
  prefixOf,
  type StorageOp,
  type Version,
  versionOf,
  type WriteOptions,
} from '../../spi/index.ts'
import { type Fault, RAW_CAPABILITIES, turn } from './raw-faults.fixture.ts'

export interface RawStore {
  readonly fault: Fault
  readonly entries: Map<string, Entry>
  /** What it was before each write, newest last; with the time of the write. */
  readonly past: { readonly at: number; readonly key: string; readonly entry: Entry | undefined }[]
  readonly leaders: Map<string, { readonly candidate: string; readonly token: bigint; readonly client: object }>
  readonly changed: Set<(key: string) => void>
  tokens: bigint
  versions: number
}

const stores = new Map<string, RawStore>()

/** The same for all clients of one cluster. */
export function storeOf(clusterId: string, fault: Fault): RawStore {
  const store = stores.get(clusterId) ?? {
    fault,
    entries: new Map(),
    past: [],
    leaders: new Map(),
    changed: new Set(),
    tokens: 0n,
    versions: 0,
  }
  stores.set(clusterId, store)
  return store
}

export function refuse(
  code: ErrorCode,
  key: string,
  details: { current?: Entry | undefined; index?: number } = {},
): never {
  const { current, index } = details
  throw new CoordinationError(code, `${code} of ${key}`, {
    backend: RAW_CAPABILITIES.backend,
    key,
    ...(current !== undefined && { current }),
    ...(index !== undefined && { index }),
  })
}

export function checkFence(store: RawStore, { fence }: WriteOptions): void {
  if (fence === undefined || store.fault === 'fence-ignored') return
  const holder = store.leaders.get(fence.service)
  const isCurrent =
    store.fault === 'fence-of-any-service' ? tokenIsHeld(store, fence.token) : holder?.token === fence.token
  if (!isCurrent) refuse('FENCED', fence.service)
}

function tokenIsHeld(store: RawStore, token: bigint): boolean {
  return [...store.leaders.values()].some((leader) => leader.token === token)
}

/** Writes or deletes, and tells the listeners. */
export function set(
  store: RawStore,
  key: string,
  data: Data | undefined,
  ifSame: Entry | undefined,
): Version | undefined {
  const { entries, fault } = store
  store.past.push({ at: performance.now(), key, entry: entries.get(key) })
  if (data === undefined) {
    entries.delete(key)
    if (fault === 'version-starts-again') store.versions = 0
    notify(store, key)
    return undefined
  }
  const bytes = fault === 'shared-buffers' && typeof data !== 'string' ? data : checkData(data, RAW_CAPABILITIES)
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  const isSame = ifSame !== undefined && Buffer.compare(ifSame.bytes, bytes) === 0
  const keeps = fault === 'no-version-for-equal-bytes' && isSame
  const version = keeps ? ifSame.version : versionOf(`v${++store.versions}`)
  const entry = makeEntry(key, fault === 'text-only' ? new TextEncoder().encode(text) : bytes, version)
  const shared = Object.create(entry, { bytes: { value: bytes } }) as Entry
  entries.set(key, fault === 'shared-buffers' ? shared : entry)
  notify(store, key)
  return version
}

function notify(store: RawStore, key: string): void {
  for (const tell of store.changed) tell(key)
}

/** In one step, or in two if it is wrong so. */
export async function putKey(store: RawStore, key: string, data: Data, options: WriteOptions): Promise<Version> {
  checkKey(key, RAW_CAPABILITIES)
  const bytes = store.fault === 'shared-buffers' ? data : checkData(data, RAW_CAPABILITIES)
  await turn()
  const current = store.entries.get(key)
  if (store.fault === 'two-step-put') await turn()
  checkFence(store, options)
  if (current !== undefined && store.fault !== 'put-overwrites') refuse('KEY_EXISTS', key, { current })
  return set(store, key, bytes, undefined) ?? refuse('INTERNAL', key)
}

export async function updateKey(store: RawStore, key: string, data: Data, options: WriteOptions): Promise<Version> {
  checkKey(key, RAW_CAPABILITIES)
  const bytes = checkData(data, RAW_CAPABILITIES)
  await turn()
  const current = store.entries.get(key)
  if (store.fault === 'two-step-compare-and-set') await turn()
  checkFence(store, options)
  if (store.fault === 'fence-checked-before') for (let turns = 0; turns < 50; turns++) await turn()
  if (current === undefined && store.fault !== 'update-creates') refuse('KEY_NOT_FOUND', key)
  if (store.fault !== 'no-compare-and-set') compare(current, key, options.ifVersion)
  if (store.fault === 'lost-update' && store.versions % 7 === 6) return versionOf(`v${++store.versions}`)
  return set(store, key, bytes, current) ?? refuse('INTERNAL', key)
}

export async function deleteKey(store: RawStore, key: string, options: WriteOptions): Promise<boolean> {
  checkKey(key, RAW_CAPABILITIES)
  await turn()
  const current = store.entries.get(key)
  if (store.fault === 'two-step-compare-and-set') await turn()
  checkFence(store, options)
  if (current === undefined) return store.fault === 'delete-says-true'
  if (store.fault !== 'blind-delete') compare(current, key, options.ifVersion)
  if (store.fault === 'deletes-subtree') {
    for (const below of [...store.entries.keys()].filter((other) => other.startsWith(`${key}/`))) {
      set(store, below, undefined, undefined)
    }
  }
  set(store, key, undefined, undefined)
  return true
}

function compare(current: Entry | undefined, key: string, ifVersion: Version | undefined, index?: number): void {
  if (ifVersion === undefined || current?.version === ifVersion) return
  refuse('VERSION_MISMATCH', key, { current, ...(index !== undefined && { index }) })
}

export async function transactKeys(
  store: RawStore,
  operations: readonly StorageOp[],
  options: WriteOptions,
): Promise<(Version | undefined)[]> {
  const { transactions } = RAW_CAPABILITIES
  if (transactions !== false && operations.length > transactions.maxOps) refuse('TOO_LARGE', '')
  for (const { key } of operations) checkKey(key, RAW_CAPABILITIES)
  await turn()
  checkFence(store, options)
  if (store.fault !== 'transact-in-part') tryOut(store, operations)
  return operations.map((operation, index) => {
    const current = store.entries.get(operation.key)
    check(operation, current, index)
    if (operation.op === 'check' || (operation.op === 'delete' && current === undefined)) return undefined
    return set(store, operation.key, operation.op === 'delete' ? undefined : operation.data, current)
  })
}

/** On a copy, of which nothing but the keys counts. */
function tryOut(store: RawStore, operations: readonly StorageOp[]): void {
  const before = new Map(store.entries)
  for (const [index, operation] of operations.entries()) {
    const seen = store.fault === 'transact-unfolded' ? store.entries : before
    check(operation, seen.get(operation.key), index)
    if (operation.op === 'delete') before.delete(operation.key)
    if (operation.op === 'put' || operation.op === 'update') {
      before.set(operation.key, makeEntry(operation.key, new Uint8Array(), versionOf('to be')))
    }
  }
}

function check(operation: StorageOp, current: Entry | undefined, index: number): void {
  const { op, key } = operation
  if (op === 'put' && current !== undefined) refuse('KEY_EXISTS', key, { index })
  if (op === 'update' && current === undefined) refuse('KEY_NOT_FOUND', key, { index })
  if (op === 'check' && (current?.version ?? null) !== operation.version) refuse('VERSION_MISMATCH', key, { index })
  if ((op === 'update' || op === 'delete') && current !== undefined) compare(current, key, operation.ifVersion, index)
}

export function childrenOf(store: RawStore, namespace: string): Set<string> {
  checkNamespace(namespace, RAW_CAPABILITIES)
  const names = new Set<string>()
  for (const key of store.entries.keys()) {
    const name = childOf(namespace, key)
    const isChild =
      name !== undefined && (store.fault !== 'no-implied-parents' || key === `${prefixOf(namespace)}${name}`)
    if (isChild) names.add(name)
  }
  return store.fault === 'list-one-page' ? new Set([...names].slice(0, 500)) : names
}

const PAGE = 500

export async function* scanKeys(
  store: RawStore,
  namespace: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Entry> {
  checkNamespace(namespace, RAW_CAPABILITIES)
  const prefix = store.fault === 'prefix-without-slash' ? namespace : prefixOf(namespace)
  const order = store.fault === 'order-of-utf-16' ? (a: string, b: string) => (a < b ? -1 : 1) : compareKeys
  await turn()
  const moment = new Map(store.entries)
  const keys = [...moment.keys()].filter((key) => key.startsWith(prefix)).sort(order)
  for (let at = 0; at < keys.length; at += PAGE) {
    await turn()
    const page = keys.slice(at, at + PAGE)
    for (const key of page) {
      signal?.throwIfAborted()
      const entry = (store.fault === 'scan-of-many-moments' ? store.entries : moment).get(key)
      if (entry !== undefined) yield entry
    }
    if (store.fault === 'scan-repeats-key' && at + PAGE < keys.length) {
      const last = moment.get(page.at(-1) ?? '')
      if (last !== undefined) yield last
    }
  }
}
