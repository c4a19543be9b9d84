/**
 * The log in memory, for tests and simulation: what was acknowledged survives `reopen`, nothing else needs to. Several
 * handles share one log as the nodes of a cluster do. Faults are injected through `failNextAppend`,
 * `duplicateNextAppend` and `holdAppends`. It uses no timers: everything settles in microtasks.
 */
import type { AppendReceipt, FollowedBatch, LogRecord, SharedLog } from '../log.ts'
import { LogError } from '../log.ts'
import { MemoryTopic } from './memory-topic.ts'

/** Whether the batch of a failed append is in the log all the same, as it can be after a lost acknowledgement. */
export type FailedOutcome = 'lost' | 'landed'

export interface MemoryLogOptions {
  /** Offset of the first record. Default 0. */
  readonly startOffset?: number
  /** How many records `read` hands out at once. Default 1000. */
  readonly readBatch?: number
}

interface Held {
  readonly released: Promise<FailedOutcome>
  readonly release: (outcome: FailedOutcome) => void
}

export class MemoryLog implements SharedLog {
  readonly #readBatch: number
  readonly #topic: MemoryTopic
  #inFlight: Promise<AppendReceipt> | undefined
  #nextFailure: { readonly error: LogError; readonly outcome: FailedOutcome } | undefined
  #duplicateNext = false
  #failure: LogError | undefined
  #held: Held | undefined
  #closed = false

  constructor(options: MemoryLogOptions = {}, topic = new MemoryTopic(options.startOffset ?? 0)) {
    this.#readBatch = options.readBatch ?? 1000
    this.#topic = topic
  }

  get logId(): string {
    return this.#topic.logId
  }

  get startOffset(): number {
    return this.#topic.startOffset
  }

  get endOffset(): number {
    return this.#topic.endOffset
  }

  get sizeBytes(): number {
    return this.#topic.sizeBytes
  }

  append(records: readonly Uint8Array[], signal?: AbortSignal): Promise<AppendReceipt> {
    const refusal = this.#refusal(records)
    if (refusal !== undefined) {
      return Promise.reject(refusal)
    }
    const inFlight = unlessAborted(this.#append(records.map((record) => new Uint8Array(record))), signal)
    this.#inFlight = inFlight.finally(() => {
      this.#inFlight = undefined
    })
    return this.#inFlight
  }

  async *read(fromOffset: number): AsyncGenerator<readonly LogRecord[]> {
    this.#check(fromOffset)
    const { records, startOffset: base } = this.#topic
    const end = records.length
    for (let from = fromOffset - base; from < end; from += this.#readBatch) {
      yield records
        .slice(from, Math.min(end, from + this.#readBatch))
        .map((bytes, index) => ({ offset: base + from + index, bytes }))
    }
  }

  async *follow(fromOffset: number, signal: AbortSignal): AsyncGenerator<FollowedBatch> {
    const wake = (): void => this.#topic.wake()
    signal.addEventListener('abort', wake)
    try {
      for (let next = fromOffset, isFirst = true; !signal.aborted; isFirst = false) {
        this.#check(next)
        const { records, startOffset: base, endOffset } = this.#topic
        const found = records.slice(next - base, next - base + this.#readBatch)
        const offset = next
        next += found.length
        if (found.length > 0 || isFirst) {
          const given = found.map((bytes, index) => ({ offset: offset + index, bytes }))
          yield { records: given, nextOffset: next, endOffset }
        } else {
          await this.#topic.changed()
        }
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  dropBefore(offset: number): Promise<void> {
    if (this.#closed) {
      return Promise.reject(new LogError('CLOSED', 'the log is closed'))
    }
    this.#topic.dropBefore(offset)
    return Promise.resolve()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled([this.#inFlight])
    this.#topic.wake()
  }

  /** Another handle on this log, as another node has one. */
  another(): MemoryLog {
    return new MemoryLog({ readBatch: this.#readBatch }, this.#topic)
  }

  /** The next append rejects with APPEND_FAILED, as do all later ones; `outcome`: whether its batch is in the log. */
  failNextAppend(outcome: FailedOutcome, cause: unknown = new LogError('IO', 'injected')): void {
    this.#nextFailure = { error: new LogError('APPEND_FAILED', `injected: ${outcome}`, { cause }), outcome }
  }

  /** The next append loses an acknowledgement and is sent again: its batch is there twice; the receipt: the second. */
  duplicateNextAppend(): void {
    this.#duplicateNext = true
  }

  /**
   * From now on an append of this handle settles only after the function returned here was called; so does `close`
   * beside one. An append that is given up meanwhile settles at once, and lands late: when the function is called, or
   * never, if it is called with 'lost'.
   */
  holdAppends(): (outcome?: FailedOutcome) => void {
    let release: Held['release'] = () => undefined
    const released = new Promise<FailedOutcome>((resolve) => {
      release = resolve
    })
    const held = { released, release }
    this.#held = held
    return (outcome = 'landed') => {
      if (this.#held === held) {
        this.#held = undefined
      }
      release(outcome)
    }
  }

  /**
   * What a process finds that opens the log after this one died here: everything acknowledged, and nothing of an append
   * that is held. This log is closed to its user from now on.
   */
  reopen(): MemoryLog {
    this.#closed = true
    return new MemoryLog({ readBatch: this.#readBatch }, this.#topic.copy())
  }

  #check(fromOffset: number): void {
    if (this.#closed) {
      throw new LogError('CLOSED', 'the log is closed')
    }
    if (fromOffset < this.startOffset || fromOffset > this.endOffset) {
      const held = `${this.startOffset} up to ${this.endOffset}`
      throw new LogError('OUT_OF_RANGE', `offset ${fromOffset} is not in the log, which holds ${held}`)
    }
  }

  #refusal(records: readonly Uint8Array[]): Error | undefined {
    if (this.#closed) {
      return new LogError('CLOSED', 'the log is closed')
    }
    if (this.#inFlight !== undefined) {
      return new LogError('APPEND_IN_FLIGHT', 'the previous append has not settled yet')
    }
    if (records.length === 0) {
      return new RangeError('a batch holds at least one record')
    }
    return this.#failure
  }

  async #append(records: readonly Uint8Array[]): Promise<AppendReceipt> {
    const failing = this.#nextFailure
    const copies = this.#duplicateNext ? 2 : 1
    this.#duplicateNext = false
    const held = await this.#held?.released
    if (held === 'lost') throw aborted()
    let baseOffset = this.endOffset
    if (failing?.outcome !== 'lost') {
      for (let copy = 0; copy < copies; copy++) baseOffset = this.#topic.add(records)
    }
    if (failing !== undefined) {
      this.#failure = failing.error
      throw failing.error
    }
    return { baseOffset }
  }
}

function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(aborted())
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function aborted(): LogError {
  return new LogError('ABORTED', 'the append was given up; whether the batch is in the log is not known')
}
