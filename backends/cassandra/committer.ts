/**
 * The one way to change the store. Changes wait in a queue; as many as do not get in each other's way are decided on
 * one read, and what they stage is written in one conditional step: only if nothing has changed since the read. So
 * all changes of a cluster stand in one order, whoever makes them, and each decides on what the one before has left.
 *
 * The read is a serial one, so a change that writes nothing – a refusal – is as good as a write: it is true of a
 * moment between the call and the answer.
 */
import { CoordinationError, isCoordinationError, type PluginContext } from '../../spi/index.ts'
import { sleep } from '../../spi/helpers/backoff.ts'
import { closedError } from '../shared/calls.ts'
import type { Call } from '../shared/driver.ts'
import { BACKEND, MAX_COMMIT_BYTES } from './capabilities.ts'
import { advance, type Change, conflict, type View } from './change.ts'
import { changeAt, type Place, placeText } from './layout.ts'
import type { Content, Row } from './row.ts'
import type { Tables } from './tables.ts'

interface Waiting {
  readonly change: Change<unknown>
  readonly call: Call
  /** The value of `performance.now()` after which nobody waits. */
  readonly until: number
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

interface Write {
  readonly place: Place
  readonly become: Content | undefined
}

/** So many changes are decided on one read. */
const MAX_TOGETHER = 64
const LONGEST_PAUSE_MS = 250

export class Committer {
  readonly #tables: Tables
  readonly #context: Pick<PluginContext, 'clock' | 'random'>
  readonly #closing = new AbortController()
  readonly #queue: Waiting[] = []
  #running = false
  /** A write on this revision has had no answer: until the store has gone on, it may still take effect. */
  #doubtful: bigint | undefined

  constructor(tables: Tables, context: Pick<PluginContext, 'clock' | 'random'>) {
    this.#tables = tables
    this.#context = context
  }

  /** @throws CoordinationError; what the change throws. One that was given up before it was sent has no effect. */
  submit<T>(change: Change<T>, call: Call): Promise<T> {
    if (this.#closing.signal.aborted) return Promise.reject(closedError(BACKEND, { effect: 'none' }))
    if (change.bytes > MAX_COMMIT_BYTES) {
      const message = `a commit of ${change.bytes} bytes, at most ${MAX_COMMIT_BYTES} are possible`
      return Promise.reject(new CoordinationError('TOO_LARGE', message, { backend: BACKEND }))
    }
    return new Promise<T>((resolve, reject) => {
      const until = performance.now() + call.timeoutMs
      this.#queue.push({ change, call, until, resolve: (result) => resolve(result as T), reject })
      if (!this.#running) {
        this.#running = true
        // not at once: what is submitted together is made together
        Promise.resolve()
          .then(() => this.#run())
          .catch((error: unknown) => this.#failAll(error))
      }
    })
  }

  /** After it no write that was sent before, and had no answer, can take effect any more. */
  async settle(call: Call): Promise<void> {
    if (this.#doubtful !== undefined) await this.submit(advance(), call)
  }

  close(): void {
    this.#closing.abort()
    this.#failAll(closedError(BACKEND, { effect: 'none' }))
  }

  async #run(): Promise<void> {
    for (let vain = 0; this.#queue.length > 0; ) {
      const batch = this.#take()
      if (batch.length === 0) continue
      const startedAt = performance.now()
      const left = await this.#attempt(batch)
      this.#queue.unshift(...left)
      vain = left.length > 0 ? vain + 1 : 0
      // others were faster
      if (vain > 0) await this.#pause(vain, performance.now() - startedAt)
    }
    this.#running = false
  }

  #failAll(error: unknown): void {
    for (const { reject } of this.#queue.splice(0)) reject(error)
  }

  /** From the head of the queue, in its order, what can be done in one step. */
  #take(): Waiting[] {
    const batch: Waiting[] = []
    let bytes = 0
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const { change } = next
      if (isGivenUp(next)) {
        this.#queue.shift()
        next.reject(givenUp())
        continue
      }
      bytes += change.bytes
      const fits = bytes <= MAX_COMMIT_BYTES && batch.length < MAX_TOGETHER
      if (batch.length > 0 && (!fits || batch.some((other) => conflict(other.change, change)))) break
      batch.push(next)
      this.#queue.shift()
    }
    return batch
  }

  /**
   * Not in step with the others, and as long as the servers are slow: what is tried in vain makes all others wait.
   * @param vain so many attempts one after the other.
   */
  async #pause(vain: number, tookMs: number): Promise<void> {
    const { clock, random } = this.#context
    const mostMs = Math.min(LONGEST_PAUSE_MS, tookMs * 2 ** (Math.min(vain, 4) - 1))
    await sleep(clock, random() * mostMs, undefined)
  }

  /** @returns what has to be decided anew. */
  async #attempt(batch: readonly Waiting[]): Promise<readonly Waiting[]> {
    let left = batch
    try {
      const { revision, view } = await this.#read(batch)
      this.#saw(revision)
      const decided = batch.map((waiting) => decide(waiting, view, revision + 1n))
      const writing = decided.filter(({ writes }) => writes !== undefined)
      left = writing.map(({ waiting }) => waiting)
      for (const { writes, settle } of decided) if (writes === undefined) settle()
      const writes = writing.flatMap((one) => one.writes ?? [])
      if (writing.length > 0 && !(await this.#write(revision, writes, left))) return left
      if (writing.length > 0) this.#saw(revision + 1n)
      for (const { settle } of writing) settle()
    } catch (error) {
      for (const { reject } of left) reject(error)
    }
    return []
  }

  #saw(revision: bigint): void {
    if (this.#doubtful !== undefined && revision > this.#doubtful) this.#doubtful = undefined
  }

  async #read(batch: readonly Waiting[]): Promise<{ readonly revision: bigint; readonly view: View }> {
    const call = this.#limits(batch)
    try {
      if (batch.some(({ change }) => change.needsSmall === true)) {
        const { revision, rows } = await this.#tables.small(call)
        return { revision, view: viewOf(rows, rows) }
      }
      const all = batch.flatMap(({ change: { writes, reads } }) => [...writes, ...reads])
      const places = new Map(all.map((place) => [placeText(place), place]))
      const { revision, rows } = await this.#tables.places([...places.values()], 'serial', call)
      return { revision, view: viewOf(rows, []) }
    } catch (error) {
      throw withoutEffect(error)
    }
  }

  async #write(revision: bigint, writes: readonly Write[], writing: readonly Waiting[]): Promise<boolean> {
    const next = revision + 1n
    const changed = writes.map(({ place }) => placeText(place))
    try {
      const all = [...writes, { place: changeAt(next), become: { changed } }]
      return await this.#tables.write(revision, all, this.#limits(writing))
    } catch (error) {
      if (!isCoordinationError(error) || error.effect !== 'none') this.#doubtful = revision
      throw error
    }
  }

  /** As long as one of them waits. */
  #limits(batch: readonly Waiting[]): Call {
    const until = Math.max(...batch.map((waiting) => waiting.until))
    return { signal: this.#closing.signal, timeoutMs: Math.max(1, until - performance.now()) }
  }
}

interface Decided {
  readonly waiting: Waiting
  /** undefined: nothing is to be written. */
  readonly writes: readonly Write[] | undefined
  readonly settle: () => void
}

function decide(waiting: Waiting, view: View, revision: bigint): Decided {
  const writes: Write[] = []
  const found = { advances: false }
  const stage = {
    put: (place: Place, become: Content | undefined) => {
      writes.push({ place, become })
    },
    advance: () => {
      found.advances = true
    },
  }
  try {
    const result = waiting.change.decide(view, stage, revision)
    const isWriting = found.advances || writes.length > 0
    return { waiting, writes: isWriting ? writes : undefined, settle: () => waiting.resolve(result) }
  } catch (error) {
    return { waiting, writes: undefined, settle: () => waiting.reject(error) }
  }
}

function viewOf(rows: readonly Row[], small: readonly Row[]): View {
  const byPlace = new Map(rows.map((row) => [placeText(row), row]))
  return { get: (place) => byPlace.get(placeText(place)), small }
}

function isGivenUp({ call, until }: Waiting): boolean {
  return call.signal.aborted || performance.now() >= until
}

function givenUp(): CoordinationError {
  return new CoordinationError('TIMEOUT', 'given up before it was sent', { backend: BACKEND, effect: 'none' })
}

/** Of what was only read for: the write was not sent. */
function withoutEffect(error: unknown): unknown {
  if (!isCoordinationError(error)) return error
  const { code, message, backend } = error
  return new CoordinationError(code, message, { backend, effect: 'none', cause: error })
}
