/**
 * Reads a shared log along and applies what others write, in slices between which the event loop runs. It may run
 * beside appends of this node's own: whatever has been applied already is passed over.
 */
import type { LogRecord, SharedLog } from '../log/log.ts'
import type { Clock } from './ports.ts'

/** Records applied per turn of the event loop: some ten milliseconds. */
const RECORDS_PER_TURN = 1_000

export interface TailPorts {
  readonly log: SharedLog
  readonly clock: Clock
  /** Offset of the last record applied. */
  readonly applied: () => number
  readonly apply: (record: LogRecord) => void
  /** See Replica.ready. */
  readonly ready: () => Promise<void> | undefined
  /**
   * Everything below `nextOffset` has been applied; the log ended at `endOffset` (exclusive) when it answered. Records
   * alone do not tell: the last offsets of a log may hold none.
   */
  readonly onBatch: (nextOffset: number, endOffset: number) => void
  /** The log cannot be read, or what stands in it cannot be applied: the node must stop. */
  readonly onFailure: (error: Error) => void
}

export class Tail {
  readonly #ports: TailPorts
  #running: AbortController | undefined

  constructor(ports: TailPorts) {
    this.#ports = ports
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Idempotent. */
  start(): void {
    if (this.#running !== undefined) return
    const running = new AbortController()
    this.#running = running
    this.#follow(running.signal).catch((error: unknown) => {
      if (running.signal.aborted) return
      this.#running = undefined
      this.#ports.onFailure(error instanceof Error ? error : new Error(String(error)))
    })
  }

  /** Applies nothing more, from this moment on. Idempotent. */
  stop(): void {
    this.#running?.abort()
    this.#running = undefined
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { log, applied, onBatch } = this.#ports
    for await (const { records, nextOffset, endOffset } of log.follow(applied() + 1, signal)) {
      await this.#applyAll(records, signal)
      if (signal.aborted) return
      onBatch(nextOffset, endOffset)
    }
  }

  async #applyAll(records: readonly LogRecord[], signal: AbortSignal): Promise<void> {
    const { applied, apply, clock, ready } = this.#ports
    let inTurn = 0
    for (const record of records) {
      const full = ready()
      if (full !== undefined) await full
      if (signal.aborted) return
      if (record.offset <= applied()) continue
      apply(record)
      inTurn++
      if (inTurn % RECORDS_PER_TURN === 0) {
        await new Promise<void>((resolve) => {
          clock.soon(resolve)
        })
      }
    }
  }
}
