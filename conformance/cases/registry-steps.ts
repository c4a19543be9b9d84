/** Listeners that remember, and what must be true of their calls whatever they were told. */
import { expect } from 'chai'
import type { Entry, KeySetChangeListener, ValueChangeListener, Version } from '../../spi/index.ts'
import type { Given } from '../kit/case.ts'

export interface ValueCall {
  /** When the call began; on the clock of `given.now()`. */
  readonly at: number
  readonly text: string | undefined
  readonly entry: Entry | undefined
}

export interface KeySetCall {
  readonly at: number
  /** In the order of code units. */
  readonly names: readonly string[]
}

export interface Recorder<C> {
  /** In their order; a call is there from its beginning on. */
  readonly calls: readonly C[]
  readonly last: C | undefined
  /** How many of its calls began before the one before them had ended. */
  readonly overlaps: number
}

/** What a listener does in its call, besides remembering it. */
export type Duty<C> = (call: C, number: number) => Promise<void> | void

export type ValueRecorder = Recorder<ValueCall> & ValueChangeListener
export type KeySetRecorder = Recorder<KeySetCall> & KeySetChangeListener

/** @param duty is awaited within each call; `number` counts them from 0. */
export function recordValues(given: Given, duty?: Duty<ValueCall>): ValueRecorder {
  const recorder = new CallRecorder<ValueCall>(duty)
  return Object.assign(recorder, {
    valueChanged: (text: string | undefined, entry: Entry | undefined) =>
      recorder.take({ at: given.now(), text, entry }),
  })
}

export function recordKeySets(given: Given, duty?: Duty<KeySetCall>): KeySetRecorder {
  const recorder = new CallRecorder<KeySetCall>(duty)
  return Object.assign(recorder, {
    keySetChanged: (names: ReadonlySet<string>) => recorder.take({ at: given.now(), names: [...names].sort() }),
  })
}

class CallRecorder<C> implements Recorder<C> {
  readonly calls: C[] = []
  overlaps = 0
  readonly #duty: Duty<C> | undefined
  #running = 0

  constructor(duty: Duty<C> | undefined) {
    this.#duty = duty
  }

  get last(): C | undefined {
    return this.calls.at(-1)
  }

  async take(call: C): Promise<void> {
    if (this.#running > 0) this.overlaps++
    this.#running++
    try {
      const number = this.calls.push(call) - 1
      await this.#duty?.(call, number)
    } finally {
      this.#running--
    }
  }
}

/** The newest call says that the key has this version; undefined: that it is gone. */
export async function told(
  given: Given,
  what: string,
  recorder: Recorder<ValueCall>,
  version: Version | undefined,
): Promise<void> {
  await given.until(`${what} is told`, () => {
    return recorder.last !== undefined && recorder.last.entry?.version === version
  })
}

/** The newest call has exactly these names. */
export async function toldNames(
  given: Given,
  what: string,
  recorder: Recorder<KeySetCall>,
  names: readonly string[],
): Promise<void> {
  const expected = [...names].sort().join('\n')
  await given.until(`${what} is told`, () => recorder.last?.names.join('\n') === expected)
}

/** No further call, for as long as a notification may take. */
export async function staysQuiet(given: Given, what: string, recorder: Recorder<unknown>): Promise<void> {
  const count = recorder.calls.length
  const { maxLagMs } = given.capabilities.notifications
  await given.always(`${what}: no call after the ${count} so far`, () => recorder.calls.length === count, maxLagMs)
}

/** @param written every version of the key, in the order of the writes. */
export function expectValuesInOrder(recorder: Recorder<ValueCall>, written: readonly (Version | undefined)[]): void {
  let newest = -1
  let before: ValueCall | undefined
  for (const [number, call] of recorder.calls.entries()) {
    const { text, entry } = call
    if (entry !== undefined) {
      const at = written.indexOf(entry.version)
      expect(at, `the number of the write that call ${number} shows`).to.be.above(newest)
      expect(text, `the text of call ${number}, and of its entry`).to.equal(entry.text)
      newest = at
    } else {
      expect(text, `the text of call ${number}, which has no entry`).to.equal(undefined)
    }
    const isRepeated = before !== undefined && before.entry?.version === entry?.version
    expect(isRepeated, `whether call ${number} repeats the state of the call before it`).to.equal(false)
    before = call
  }
  expect(recorder.overlaps, 'calls of one listener that overlapped').to.equal(0)
}

/** Two key sets in a row are never equal, and no two calls overlap. */
export function expectSetsDiffer(recorder: Recorder<KeySetCall>): void {
  let before: string | undefined
  for (const [number, { names }] of recorder.calls.entries()) {
    const now = names.join('\n')
    expect(now === before, `whether call ${number} repeats the key set of the call before it`).to.equal(false)
    before = now
  }
  expect(recorder.overlaps, 'calls of one listener that overlapped').to.equal(0)
}

/** A promise and what settles it: for listeners that wait until the case lets them go on. */
export interface Gate {
  readonly passed: Promise<void>
  open(): void
}

/** Opened at the end of the case at the latest, or nobody could close the client. */
export function makeGate(given: Given): Gate {
  let open: () => void = () => undefined
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  given.after(() => open())
  return { passed, open: () => open() }
}
