/** What tests of drivers ask, what they are told, and the drivers that they have opened. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Call, Commit, FollowSink, KeyChange, ReadCall, StoreDriver } from './driver.ts'

/** What a call of a test may take on a machine that is busy, milliseconds. */
const CALL_MS = 10_000

/** Drivers that are closed together. */
export class OpenDrivers {
  readonly #open: StoreDriver[] = []

  protected async keep(opening: Promise<StoreDriver>): Promise<StoreDriver> {
    const driver = await opening
    this.#open.push(driver)
    return driver
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((driver) => driver.close()))
  }
}

export function call(timeoutMs = CALL_MS): Call {
  return { signal: new AbortController().signal, timeoutMs }
}

export function reading(timeoutMs = CALL_MS, consistency: ReadCall['consistency'] = 'linearizable'): ReadCall {
  return { ...call(timeoutMs), consistency }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** A commit of one slot of the session. */
export function commitOf(
  session: string,
  number: number | { readonly number: number; readonly after: number },
  ...changes: readonly KeyChange[]
): Commit {
  const place = typeof number === 'number' ? { number, after: number - 1 } : number
  return { id: { session, slot: 0, ...place }, changes, fence: undefined }
}

export function write(key: string, text: string, expect: KeyChange['expect'] = 'anything'): KeyChange {
  return { key, expect, become: bytes(text) }
}

/** What a follow tells, one line for each time. */
export function recorder<T>(shown: (value: T) => string): FollowSink<T> & { readonly lines: readonly string[] } {
  const lines: string[] = []
  const text = (all: ReadonlyMap<string, T | undefined>) =>
    [...all].map(([name, value]) => `${name}=${value === undefined ? 'gone' : shown(value)}`).join(' ')
  return {
    lines,
    reset: (all) => lines.push(`reset ${text(all)}`.trim()),
    changed: (changes) => lines.push(text(changes)),
    failed: (error) => lines.push(`failed: ${error.message}`),
  }
}

/** Asks again until it is so. @throws Error with what is there after the time. */
export async function until(condition: () => boolean, shown: () => unknown, withinMs = 8000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${JSON.stringify(shown())}`)
    await delay(10)
  }
}

/** What a promise was rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    await promise
  } catch (error) {
    return error as Record<string, unknown>
  }
  throw new Error('it did not fail')
}
