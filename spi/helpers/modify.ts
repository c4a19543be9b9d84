/** Read, compute, write if unchanged; again if not. */
import { type Clock, systemClock } from '../clock.ts'
import { type Data, toBytes } from '../data.ts'
import { makeEntry } from '../entry.ts'
import { CoordinationError, isCoordinationError } from '../errors.ts'
import type { OpOptions, WriteOptions } from '../options.ts'
import type { Storage } from '../storage.ts'
import type { Entry } from '../values.ts'
import { backoffMs, reasonOf, sleep } from './backoff.ts'

export interface ModifyOptions extends Omit<WriteOptions, 'ifVersion'> {
  /** For all of it, in milliseconds; each call to the store gets what is left. Default: none. */
  readonly timeoutMs?: number
  /** How often to write before giving up with the last conflict. Default: no limit. */
  readonly maxAttempts?: number
  /**
   * Asked only when the outcome of our write is unknown and the key has changed since: is what we wrote in `current`?
   * `undefined`: cannot tell, which is also the default. With values that name their writer (a broker's id and epoch, a
   * random id) `sameBytes(current.bytes, written)` proves it; with a counter it proves nothing – another may have
   * written the same number – and a guess would lose or double an increment.
   */
  appliedIn?(current: Entry | undefined, written: Uint8Array): boolean | undefined
  readonly clock?: Clock
  /** Uniform in [0, 1); for the jitter between attempts. */
  readonly random?: () => number
}

/** A write whose outcome is unknown. */
interface Doubt {
  readonly error: CoordinationError
  readonly written: Uint8Array
}

/**
 * Replaces the value of `key` by what `change` makes of it, in one step as others see it: the result is written only if
 * the key is still as it was read, else `change` is called again with what is there now.
 *
 * A write with unknown outcome is resolved by reading again. If the key is unchanged the same write is repeated: both
 * depend on the same version, so at most one of them takes place. If it has changed, `appliedIn` decides; if it cannot,
 * the first error (effect `unknown`) is thrown. So if it resolves the change took place exactly once – except that a
 * key which our lost write created, and somebody deleted before we looked, is created again.
 *
 * @param change gets undefined for an absent key; returns the new value, or undefined to leave all as it is.
 * @returns what is there now by our doing; or what `change` saw when it left all as it is.
 * @throws what `change` throws; CoordinationError VERSION_MISMATCH, KEY_EXISTS or KEY_NOT_FOUND after `maxAttempts`;
 * TIMEOUT; FENCED and all else that reading and writing throw; `signal.reason`.
 */
export async function modify(
  storage: Storage,
  key: string,
  change: (current: Entry | undefined) => Data | undefined | Promise<Data | undefined>,
  options: ModifyOptions = {},
): Promise<Entry | undefined> {
  const { clock = systemClock, random = Math.random, maxAttempts = Infinity, signal, fence } = options
  const budget = makeBudget(clock, key, options)
  let base = await storage.fetchEntry(key, budget.options())
  let doubt: Doubt | undefined
  for (let attempt = 1; ; attempt++) {
    const written = doubt?.written ?? (await bytesOf(change(base)))
    if (written === undefined) return base
    try {
      const write = { ...budget.options(), ...(fence !== undefined && { fence }) }
      const version = await (base === undefined
        ? storage.put(key, written, write)
        : storage.update(key, written, { ...write, ifVersion: base.version }))
      return makeEntry(key, written, version)
    } catch (error) {
      if (signal?.aborted === true) throw reasonOf(signal)
      if (!isCoordinationError(error)) throw doubt?.error ?? error
      if (error.effect === 'unknown') doubt ??= { error, written }
      else if (!isConflict(error)) throw doubt?.error ?? error
      if (attempt >= maxAttempts) throw doubt?.error ?? error
      const seen = await orDoubt(seenAfter(storage, key, budget, error), doubt, signal)
      if (doubt !== undefined && seen?.version !== base?.version) {
        const applied = options.appliedIn?.(seen, written)
        if (applied === undefined) throw doubt.error
        if (applied) return seen
        doubt = undefined
      }
      base = seen
    }
    await sleep(clock, budget.atMost(backoffMs(attempt, random)), signal)
  }
}

function isConflict(error: CoordinationError): boolean {
  return error.code === 'VERSION_MISMATCH' || error.code === 'KEY_EXISTS' || error.code === 'KEY_NOT_FOUND'
}

async function bytesOf(made: Data | undefined | Promise<Data | undefined>): Promise<Uint8Array | undefined> {
  const data = await made
  return data === undefined ? undefined : toBytes(data)
}

/** What is there now; of a conflict the store may have told us already. */
async function seenAfter(
  storage: Storage,
  key: string,
  budget: Budget,
  error: CoordinationError,
): Promise<Entry | undefined> {
  if (error.effect === 'none' && error.current !== undefined) return error.current
  return storage.fetchEntry(key, budget.options())
}

/** If looking fails, it is the write in doubt that the caller must hear of. */
async function orDoubt<T>(looking: Promise<T>, doubt: Doubt | undefined, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await looking
  } catch (error) {
    if (signal?.aborted === true || doubt === undefined) throw error
    throw doubt.error
  }
}

interface Budget {
  /** For the next call to the store. @throws CoordinationError TIMEOUT when nothing is left; the signal's reason. */
  options(): OpOptions
  atMost(ms: number): number
}

function makeBudget(clock: Clock, key: string, { signal, timeoutMs }: ModifyOptions): Budget {
  const end = timeoutMs === undefined ? Infinity : clock.now() + timeoutMs
  return {
    options() {
      signal?.throwIfAborted()
      const left = end - clock.now()
      if (left <= 0) {
        const message = `no write got through in ${timeoutMs} ms: others were faster each time`
        throw new CoordinationError('TIMEOUT', message, { key, effect: 'none' })
      }
      return { ...(signal !== undefined && { signal }), ...(left !== Infinity && { timeoutMs: left }) }
    },
    atMost: (ms) => Math.max(0, Math.min(ms, end - clock.now())),
  }
}
