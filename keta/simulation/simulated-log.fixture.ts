/**
 * One process's access to the log. As the adapter for Kafka does, it sends a batch again until it is acknowledged, and
 * cannot know what becomes of a request that was not answered.
 */
import type { AppendReceipt, FollowedBatch, LogRecord, SharedLog } from '../log/log.ts'
import { LogError } from '../log/log.ts'
import type { Chance } from './chance.fixture.ts'
import type { Network } from './network.fixture.ts'
import type { Topic } from './topic.fixture.ts'
import type { Process, World } from './world.fixture.ts'

export interface LogFaults {
  /** Longest ordinary time of a request or an answer on its way. */
  readonly delayMs: number
  /** Probabilities: of a batch lost, of an acknowledgement lost, of a batch that lands late. */
  readonly lostBatches: number
  readonly lostAcks: number
  readonly late: number
  readonly lateMs: number
  /** After so long without an answer a batch is sent again. */
  readonly requestTimeoutMs: number
}

interface Fetched {
  readonly records: readonly LogRecord[]
  readonly nextOffset: number
  readonly endOffset: number
}

const POLL_MS = 500
const RETRY_MS = 100
const MAX_RECORDS = 40
/** As Kafka's adapter: how long an offset beyond the end is not believed. */
const BEYOND_END_MS = 5000

export interface LogParts {
  readonly world: World
  readonly network: Network
  readonly topic: Topic
  readonly process: Process
  readonly faults: LogFaults
  /** Sees every batch when it is first sent. */
  readonly onSend: (records: readonly Uint8Array[]) => void
}

export class SimulatedLog implements SharedLog {
  readonly logId = 'simulated'
  readonly #parts: LogParts
  readonly #chance: Chance
  #startOffset: number
  #endOffset: number
  #inFlight = false

  constructor(parts: LogParts) {
    const { topic, world, process } = parts
    this.#parts = parts
    this.#chance = world.chance.branch(`log ${process.id}`)
    this.#startOffset = topic.startOffset
    this.#endOffset = topic.highWatermark
  }

  get startOffset(): number {
    return this.#startOffset
  }

  get endOffset(): number {
    return this.#endOffset
  }

  get sizeBytes(): number {
    return 0
  }

  append(records: readonly Uint8Array[], signal?: AbortSignal): Promise<AppendReceipt> {
    if (this.#inFlight) return Promise.reject(new LogError('APPEND_IN_FLIGHT', 'the previous append has not settled'))
    if (signal?.aborted === true) return Promise.reject(new LogError('ABORTED', 'given up'))
    this.#inFlight = true
    this.#parts.onSend(records)
    const batch = records.map((record) => new Uint8Array(record))
    return new Promise<AppendReceipt>((resolve, reject) => {
      const sending = new Sending(this.#parts, this.#chance, batch, (baseOffset) => {
        signal?.removeEventListener('abort', giveUp)
        this.#inFlight = false
        this.#endOffset = Math.max(this.#endOffset, baseOffset + batch.length)
        resolve({ baseOffset })
      })
      const giveUp = (): void => {
        sending.end()
        this.#inFlight = false
        reject(new LogError('ABORTED', 'given up'))
      }
      signal?.addEventListener('abort', giveUp)
    })
  }

  read(): AsyncIterable<readonly LogRecord[]> {
    throw new Error('a node of a cluster follows the log')
  }

  async *follow(fromOffset: number, signal: AbortSignal): AsyncGenerator<FollowedBatch> {
    let next = fromOffset
    for (let wait = false; ; wait = true) {
      const fetched = await this.#fetch(next, wait, signal)
      if (fetched === undefined) return
      next = fetched.nextOffset
      this.#startOffset = Math.max(this.#startOffset, this.#parts.topic.startOffset)
      this.#endOffset = Math.max(this.#endOffset, fetched.endOffset)
      yield fetched
      if (isOver(signal)) return
    }
  }

  #fetch(from: number, wait: boolean, signal: AbortSignal): Promise<Fetched | undefined> {
    if (signal.aborted) return Promise.resolve(undefined)
    let giveUp = (): void => undefined
    const fetched = new Promise<Fetched | undefined>((resolve, reject) => {
      giveUp = () => resolve(undefined)
      signal.addEventListener('abort', giveUp)
      new Fetching({ ...this.#parts, chance: this.#chance, signal }, from, wait, resolve, reject)
    })
    return fetched.finally(() => signal.removeEventListener('abort', giveUp))
  }

  async dropBefore(offset: number): Promise<void> {
    const { topic, world, network, process, faults } = this.#parts
    await new Promise<void>((resolve, reject) => {
      world.schedule(this.#chance.skewed(0.2, faults.delayMs), process, 'drop', () => {
        if (network.logLink(process.node) !== 'up') {
          reject(new LogError('IO', 'the log cannot be reached'))
          return
        }
        topic.dropBefore(offset)
        this.#startOffset = topic.startOffset
        resolve()
      })
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** One batch on its way, again and again. */
class Sending {
  isOver = false
  readonly #parts: LogParts
  readonly #chance: Chance
  readonly #batch: readonly Uint8Array[]
  readonly #acknowledged: (baseOffset: number) => void

  constructor(...given: [LogParts, Chance, readonly Uint8Array[], (baseOffset: number) => void]) {
    ;[this.#parts, this.#chance, this.#batch, this.#acknowledged] = given
    this.#send()
  }

  end(): void {
    this.isOver = true
  }

  #send(): void {
    const { world, faults, process } = this.#parts
    const chance = this.#chance
    const isLate = chance.happens(faults.late)
    const delay = isLate ? chance.between(faults.delayMs, faults.lateMs) : chance.skewed(0.2, faults.delayMs)
    const isLost = chance.happens(faults.lostBatches)
    world.schedule(delay, undefined, 'batch arrives', () => {
      if (!isLost) this.#arrive(isLate)
    })
    world.schedule(faults.requestTimeoutMs, process, 'append timeout', () => {
      if (!this.isOver) this.#send()
    })
  }

  /** @param isLate it had left the node long ago: whether that is cut off now does not matter. */
  #arrive(isLate: boolean): void {
    const { world, network, topic, process, faults } = this.#parts
    const link = network.logLink(process.node)
    if (!isLate && (link === 'cut' || link === 'isolated')) return
    topic.land(this.#batch, (baseOffset) => {
      if (this.#chance.happens(faults.lostAcks)) return
      world.schedule(this.#chance.skewed(0.2, faults.delayMs), process, 'ack', () => {
        if (this.isOver || network.logLink(process.node) !== 'up') return
        this.end()
        this.#acknowledged(baseOffset)
      })
    })
  }
}

/** One request for records, until it is answered. */
class Fetching {
  readonly #parts: LogParts & { readonly chance: Chance; readonly signal: AbortSignal }
  readonly #from: number
  readonly #resolve: (fetched: Fetched) => void
  readonly #reject: (error: Error) => void
  #beyondEndSince: number | undefined

  constructor(
    ...given: [
      LogParts & { readonly chance: Chance; readonly signal: AbortSignal },
      number,
      boolean,
      (fetched: Fetched) => void,
      (error: Error) => void,
    ]
  ) {
    const [parts, from, wait, resolve, reject] = given
    this.#parts = parts
    this.#from = from
    this.#resolve = resolve
    this.#reject = reject
    this.#after(this.#delay(), () => this.#ask(wait))
  }

  #ask(wait: boolean): void {
    const { network, topic, process, world } = this.#parts
    const link = network.logLink(process.node)
    if (link === 'cut' || link === 'mute') {
      this.#after(RETRY_MS, () => this.#ask(wait))
    } else if (this.#from < topic.startOffset) {
      this.#fail(`begins at ${topic.startOffset}`)
    } else if (this.#from > topic.endOffset) {
      this.#beyondEndSince ??= world.now
      if (world.now - this.#beyondEndSince >= BEYOND_END_MS) this.#fail(`ends at ${topic.endOffset}`)
      else this.#after(RETRY_MS, () => this.#ask(wait))
    } else if (link === 'isolated') {
      this.#after(wait ? POLL_MS : 0, () => this.#answer([], this.#from))
    } else if (!wait || topic.highWatermark > this.#from) {
      this.#give()
    } else {
      this.#waitForMore()
    }
  }

  #waitForMore(): void {
    const { topic, signal } = this.#parts
    let isAnswered = false
    const once = (): void => {
      if (isAnswered || signal.aborted) return
      isAnswered = true
      this.#give()
    }
    topic.onMore(once)
    this.#after(POLL_MS, once)
  }

  #give(): void {
    const { topic } = this.#parts
    if (this.#from < topic.startOffset) {
      this.#fail(`begins at ${topic.startOffset}`)
      return
    }
    const records = topic.from(this.#from, MAX_RECORDS)
    const last = records.at(-1)
    const all = records.length < MAX_RECORDS
    const nextOffset = all ? Math.max(this.#from, topic.highWatermark) : last!.offset + 1
    this.#answer(records, nextOffset)
  }

  #answer(records: readonly LogRecord[], nextOffset: number): void {
    const { network, topic, process } = this.#parts
    const endOffset = network.logLink(process.node) === 'isolated' ? this.#from : topic.highWatermark
    this.#after(this.#delay(), () => {
      const link = network.logLink(process.node)
      if (link === 'cut' || link === 'mute') this.#ask(true)
      else this.#resolve({ records, nextOffset, endOffset })
    })
  }

  #fail(why: string): void {
    const error = new LogError('OUT_OF_RANGE', `offset ${this.#from} is not in the log, which ${why}`)
    this.#after(this.#delay(), () => this.#reject(error))
  }

  #delay(): number {
    const { chance, faults } = this.#parts
    return chance.skewed(0.2, faults.delayMs)
  }

  #after(ms: number, happen: () => void): void {
    const { world, process, signal } = this.#parts
    world.schedule(ms, process, 'fetch', () => {
      if (!signal.aborted) happen()
    })
  }
}

/** A getter that changes while a generator is suspended, which the compiler does not expect. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted
}
