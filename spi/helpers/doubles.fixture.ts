/** Doubles for the helpers' tests: just enough of each interface, with faults where a test wants them. */
import type { Clock } from '../clock.ts'
import { toBytes, type Data } from '../data.ts'
import { makeEntry, versionOf } from '../entry.ts'
import { CoordinationError } from '../errors.ts'
import type { ListenerRegistry, ValueChangeListener, KeySetChangeListener } from '../listener-registry.ts'
import type { OpOptions, WriteOptions } from '../options.ts'
import type { Storage } from '../storage.ts'
import type { Entry, Version } from '../values.ts'

/** Time passes only by waiting, and then at once. */
export function makeInstantClock(): Clock & { waited: number[] } {
  let time = 0
  const waited: number[] = []
  return {
    waited,
    now: () => time,
    setTimeout(fn, ms) {
      waited.push(ms)
      let live = true
      setImmediate(() => {
        time += ms
        if (live) fn()
      })
      return {
        [Symbol.dispose]() {
          live = false
        },
      }
    },
  }
}

/** What happens to a write: it may be lost before it is applied, after it, or be applied only later. */
export type Fault = 'none' | 'lost-request' | 'lost-reply' | 'late'

export interface FakeStorage extends Storage {
  readonly calls: { readonly op: string; readonly options: WriteOptions }[]
  /** Asked before each write. */
  fault: () => Fault
  /** Runs before each write is applied: what another client does at that moment. */
  intrude: () => void
  /** Whether conflicts tell what is there. */
  tellsCurrent: boolean
  /** Writes without any fault. */
  set(key: string, data: Data | undefined): void
  get(key: string): string | undefined
  /** Applies what is late. */
  settle(): void
}

export function makeStorage(): FakeStorage {
  const entries = new Map<string, Entry>()
  const late: (() => void)[] = []
  let writes = 0

  function store(key: string, data: Data): Version {
    const version = versionOf(`v${++writes}`)
    entries.set(key, makeEntry(key, toBytes(data), version))
    return version
  }

  async function write(op: string, key: string, options: WriteOptions, apply: () => Version): Promise<Version> {
    fake.calls.push({ op, options })
    options.signal?.throwIfAborted()
    await Promise.resolve()
    fake.intrude()
    options.signal?.throwIfAborted()
    const fault = fake.fault()
    if (fault === 'none') return apply()
    if (fault === 'lost-reply') apply()
    if (fault === 'late') {
      late.push(() => {
        try {
          apply()
        } catch {
          // nobody is there to hear of it
        }
      })
    }
    throw new CoordinationError('TIMEOUT', 'no reply', { key })
  }

  const refuse = (code: 'KEY_EXISTS' | 'KEY_NOT_FOUND' | 'VERSION_MISMATCH', key: string): never => {
    const current = fake.tellsCurrent ? entries.get(key) : undefined
    throw new CoordinationError(code, code, { key, ...(current !== undefined && { current }) })
  }

  const fake = {
    calls: [] as { op: string; options: WriteOptions }[],
    fault: (): Fault => 'none',
    intrude: () => {},
    tellsCurrent: true,
    set(key: string, data: Data | undefined) {
      if (data === undefined) entries.delete(key)
      else store(key, data)
    },
    get: (key: string) => entries.get(key)?.text,
    settle() {
      for (const apply of late.splice(0)) apply()
    },
    async fetchEntry(key: string, options: OpOptions = {}) {
      fake.calls.push({ op: 'fetchEntry', options })
      options.signal?.throwIfAborted()
      await Promise.resolve()
      return entries.get(key)
    },
    put: (key: string, data: Data, options: WriteOptions = {}) =>
      write('put', key, options, () => (entries.has(key) ? refuse('KEY_EXISTS', key) : store(key, data))),
    update: (key: string, data: Data, options: WriteOptions = {}) =>
      write('update', key, options, () => {
        const current = entries.get(key)
        if (current === undefined) return refuse('KEY_NOT_FOUND', key)
        if (options.ifVersion !== undefined && options.ifVersion !== current.version) {
          return refuse('VERSION_MISMATCH', key)
        }
        return store(key, data)
      }),
  }
  return fake as unknown as FakeStorage
}

function fail(error: unknown): never {
  throw new Error('a listener failed', { cause: error })
}

export interface FakeRegistry extends ListenerRegistry {
  /** How many listeners there are. */
  readonly size: () => number
  /** The state that `initial` shows, and its changes. */
  setValue(entry: Entry | undefined): void
  setNames(...names: string[]): void
  shut(): void
  /** While set, adding waits for it. */
  gate: Promise<void>
}

export function makeRegistry(): FakeRegistry {
  const values = new Set<ValueChangeListener>()
  const keySets = new Set<KeySetChangeListener>()
  const closing = new AbortController()
  let value: Entry | undefined
  let names: ReadonlySet<string> = new Set()
  const show = async (listener: ValueChangeListener) => {
    await listener.valueChanged(value?.text, value)
  }
  const fake = {
    gate: Promise.resolve(),
    closing: closing.signal,
    size: () => values.size + keySets.size,
    setValue(entry: Entry | undefined) {
      value = entry
      for (const listener of values) show(listener).catch(fail)
    },
    setNames(...all: string[]) {
      names = new Set(all)
      for (const listener of keySets) Promise.resolve(listener.keySetChanged(names)).catch(fail)
    },
    shut() {
      values.clear()
      keySets.clear()
      closing.abort(new CoordinationError('CLOSED', 'closed', { effect: 'none' }))
    },
    async addValueChangeListener(key: string, listener: ValueChangeListener) {
      await fake.gate
      if (!key.startsWith('/')) throw new CoordinationError('INVALID_KEY', key)
      values.add(listener)
      await show(listener)
    },
    async addKeySetChangeListener(_namespace: string, listener: KeySetChangeListener) {
      keySets.add(listener)
      await listener.keySetChanged(names)
    },
    async removeValueChangeListener(_key: string, listener: ValueChangeListener) {
      if (closing.signal.aborted) throw new CoordinationError('CLOSED', 'closed')
      values.delete(listener)
    },
    async removeKeySetChangeListener(_namespace: string, listener: KeySetChangeListener) {
      keySets.delete(listener)
    },
  }
  return fake as unknown as FakeRegistry
}

/** What the promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it resolved')
}
