/**
 * The log in memory, for tests and simulation: what was acknowledged survives `reopen`, nothing else needs to. Faults
 * are injected through `failNextAppend` and `holdAppends`. It uses no timers: everything settles in microtasks.
 */
import type { AppendReceipt, Log, LogRecord } from '../log.ts'
import { LogError } from '../log.ts'

/** Whether the batch of a failed append is in the log all the same, as it can be after a lost acknowledgement. */
export type FailedOutcome = 'lost' | 'landed'

export interface MemoryLogOptions {
  /** Offset of the first record. Default 0. */
  readonly startOffset?: number
  /** How many records `read` hands out at once. Default 1000. */
  readonly readBatch?: number
}

export class MemoryLog implements Log {
  readonly #readBatch: number
  /** Only ever appended to, so that a reader keeps its own view; dropping replaces the array. */
  #records: Uint8Array[] = []
  #startOffset: number
  #sizeBytes = 0
  #inFlight: Promise<AppendReceipt> | undefined
  #nextFailure: { readonly error: LogError; readonly outcome: FailedOutcome } | undefined
  #failure: LogError | undefined
  #held: { readonly released: Promise<void>; readonly release: () => void } | undefined
  #closed = false

  constructor(options: MemoryLogOptions = {}) {
    this.#startOffset = options.startOffset ?? 0
    this.#readBatch = options.readBatch ?? 1000
  }

  get startOffset(): number {
    return this.#startOffset
  }

  get endOffset(): number {
    return this.#startOffset + this.#records.length
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  append(records: readonly Uint8Array[]): Promise<AppendReceipt> {
    const refusal = this.#refusal(records)
    if (refusal !== undefined) {
      return Promise.reject(refusal)
    }
    this.#inFlight = this.#append(records.map((record) => new Uint8Array(record)))
    return this.#inFlight
  }

  async *read(fromOffset: number): AsyncGenerator<readonly LogRecord[]> {
    if (this.#closed) {
      throw new LogError('CLOSED', 'the log is closed')
    }
    if (fromOffset < this.startOffset || fromOffset > this.endOffset) {
      const held = `${this.startOffset} up to ${this.endOffset}`
      throw new LogError('OUT_OF_RANGE', `offset ${fromOffset} is not in the log, which holds ${held}`)
    }
    const records = this.#records
    const base = this.#startOffset
    const end = records.length
    for (let from = fromOffset - base; from < end; from += this.#readBatch) {
      yield records
        .slice(from, Math.min(end, from + this.#readBatch))
        .map((bytes, index) => ({ offset: base + from + index, bytes }))
    }
  }

  dropBefore(offset: number): Promise<void> {
    if (this.#closed) {
      return Promise.reject(new LogError('CLOSED', 'the log is closed'))
    }
    const dropped = Math.min(Math.max(0, offset - this.#startOffset), this.#records.length)
    for (const record of this.#records.slice(0, dropped)) {
      this.#sizeBytes -= record.length
    }
    this.#records = this.#records.slice(dropped)
    this.#startOffset += dropped
    return Promise.resolve()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled([this.#inFlight])
  }

  /** The next append rejects with APPEND_FAILED, as do all later ones; `outcome`: whether its batch is in the log. */
  failNextAppend(outcome: FailedOutcome, cause: unknown = new LogError('IO', 'injected')): void {
    this.#nextFailure = { error: new LogError('APPEND_FAILED', `injected: ${outcome}`, { cause }), outcome }
  }

  /** From now on an append settles only after the function returned here was called; so does `close` beside one. */
  holdAppends(): () => void {
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const held = { released, release }
    this.#held = held
    return () => {
      if (this.#held === held) {
        this.#held = undefined
      }
      release()
    }
  }

  /**
   * What a process finds that opens the log after this one died here: everything acknowledged, and nothing of an append
   * that is held. This log is closed to its user from now on.
   */
  reopen(): MemoryLog {
    const next = new MemoryLog({ startOffset: this.#startOffset, readBatch: this.#readBatch })
    next.#records = this.#records.slice()
    next.#sizeBytes = this.#sizeBytes
    this.#closed = true
    return next
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
    try {
      await this.#held?.released
      const baseOffset = this.endOffset
      if (failing?.outcome !== 'lost') {
        for (const record of records) {
          this.#records.push(record)
          this.#sizeBytes += record.length
        }
      }
      if (failing !== undefined) {
        this.#failure = failing.error
        throw failing.error
      }
      return { baseOffset }
    } finally {
      this.#inFlight = undefined
    }
  }
}
