/**
 * How a case waits: for conditions, never for a time to pass. Knows at each moment what the case is waiting for, so
 * that a case that hangs says where.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { machineNow } from './machine-time.ts'

export interface Waits {
  /** What is being waited for now, oldest first. */
  readonly pending: readonly string[]
  /** Names a promise for as long as it is pending. */
  track<T>(what: string, task: Promise<T>): Promise<T>
  /** As Given.until. */
  until<R>(what: string, condition: () => R | Promise<R>, withinMs?: number): Promise<Exclude<R, false | undefined>>
  /** As Given.always. */
  always(what: string, condition: () => boolean | Promise<boolean>, forMs: number): Promise<void>
}

/** A condition that did not come true, or did not stay true. */
export class WaitFailure extends Error {
  override readonly name = 'WaitFailure'
}

const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 25
const HELD_PAUSE_MS = 10
/** How long a question about what must hold is waited for: the calls behind it have limits of their own. */
const HELD_ANSWER_MS = 10_000

/** @param signal of the case: all waiting rejects with its reason. @param defaultMs how long `until` waits. */
export function makeWaits(signal: AbortSignal, defaultMs: number): Waits {
  const pending = new Map<symbol, string>()
  const track = async <T>(what: string, task: Promise<T>): Promise<T> => {
    const key = Symbol(what)
    pending.set(key, what)
    try {
      return await task
    } finally {
      pending.delete(key)
    }
  }
  return {
    get pending() {
      return [...pending.values()]
    },
    track,
    until: (what, condition, withinMs = defaultMs) => track(what, until(signal, what, condition, withinMs)),
    always: (what, condition, forMs) => track(`always ${what}`, always(signal, what, condition, forMs)),
  }
}

async function until<R>(
  signal: AbortSignal,
  what: string,
  condition: () => R | Promise<R>,
  withinMs: number,
): Promise<Exclude<R, false | undefined>> {
  const end = machineNow() + withinMs
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted()
    // the last question is asked when the time is up, however late that is noticed
    const asked = machineNow()
    const seen = await within(Math.max(end - asked, LONGEST_PAUSE_MS), signal, look(condition))
    if (seen.is === 'value') return seen.value
    if (asked >= end) {
      throw new WaitFailure(`${what}: not within ${Math.round(withinMs)} ms; seen last: ${seen.but}`)
    }
    await sleep(Math.max(0, Math.min(pause, end - machineNow())), undefined, { signal }).catch(aborted(signal))
  }
}

async function always(
  signal: AbortSignal,
  what: string,
  condition: () => boolean | Promise<boolean>,
  forMs: number,
): Promise<void> {
  const start = machineNow()
  for (let looks = 1; ; looks++) {
    signal.throwIfAborted()
    const seen = await within(Math.max(forMs, HELD_ANSWER_MS), signal, look(condition))
    const after = machineNow() - start
    if (seen.is === 'nothing') {
      throw new WaitFailure(`${what}: no longer so after ${Math.round(after)} of ${Math.round(forMs)} ms: ${seen.but}`)
    }
    // the first answer is about the beginning of the time, however late it comes
    if (after >= forMs && looks > 1) return
    await sleep(Math.max(0, Math.min(HELD_PAUSE_MS, forMs - after)), undefined, { signal }).catch(aborted(signal))
  }
}

type Seen<R> = { readonly is: 'value'; readonly value: R } | { readonly is: 'nothing'; readonly but: string }

/** Assertion errors are a way to say "not yet"; anything else that is thrown is a failure. */
async function look<R>(condition: () => R | Promise<R>): Promise<Seen<Exclude<R, false | undefined>>> {
  try {
    const value = await condition()
    if (value === false || value === undefined) return { is: 'nothing', but: String(value) }
    return { is: 'value', value: value as Exclude<R, false | undefined> }
  } catch (error) {
    if (error instanceof Error && (error.name === 'AssertionError' || error.name === 'WaitFailure')) {
      return { is: 'nothing', but: error.message }
    }
    throw error
  }
}

async function within<R>(ms: number, signal: AbortSignal, task: Promise<Seen<R>>): Promise<Seen<R>> {
  const over = new AbortController()
  const late = sleep(ms, undefined, { signal: AbortSignal.any([signal, over.signal]) }).then(
    (): Seen<R> => ({ is: 'nothing', but: 'the question has not been answered' }),
    aborted(signal),
  )
  // whichever loses the race has nobody left to listen to it
  late.catch(() => undefined)
  task.catch(() => undefined)
  try {
    const winner = await Promise.race([task, late])
    return winner ?? { is: 'nothing', but: 'the question has not been answered' }
  } finally {
    over.abort()
  }
}

/** Rejects with the case's own reason instead of the timer's. */
function aborted(signal: AbortSignal): () => undefined {
  return () => {
    signal.throwIfAborted()
    return undefined
  }
}
