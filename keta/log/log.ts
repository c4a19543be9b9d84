/**
 * The log port: one totally ordered, durable sequence of records. Adapters: `memory/` (tests and
 * simulation), `local/` (segment files in the data directory), and Apache Kafka. All pass `log-suite.ts`.
 *
 * Offsets are integers that grow along the log; adapters may leave gaps, so a reader never computes the next one.
 */

/** A record with its place in the log. `bytes` is a view: copy it if it is kept beyond the callback. */
export interface LogRecord {
  readonly offset: number
  readonly bytes: Uint8Array
}

export interface AppendReceipt {
  /** Offset of the first record of the batch; the others follow it one by one. */
  readonly baseOffset: number
}

export interface Log {
  /** Lowest offset still held; records below it were dropped by `dropBefore`. */
  readonly startOffset: number
  /** One past the highest durable offset. */
  readonly endOffset: number

  /**
   * Appends the records as one atomic batch, at the end, in order. Resolves only when they are durable (fsync
   * or acks=all). At most one append may be in flight: a second call before the first has settled rejects.
   * The caller leaves the bytes of `records` alone until the promise settles.
   * @throws LogError 'APPEND_FAILED': whether the batch is in the log is not known; the adapter accepts no further
   *   append (its `cause` is a LogError 'NO_SPACE' when the device is full). 'APPEND_IN_FLIGHT': refused, the one in
   *   flight goes on. 'CLOSED'. RangeError: an empty batch, or one larger than the adapter holds; nothing was written.
   */
  append(records: readonly Uint8Array[]): Promise<AppendReceipt>

  /**
   * Reads all records from `fromOffset` to the end that was durable when reading began, in order, in batches that the
   * adapter sizes. Reading may go on beside appends.
   * @throws LogError 'OUT_OF_RANGE' if `fromOffset` lies below startOffset (dropped) or beyond endOffset (the log lost
   *   its tail); 'CORRUPT' naming file and byte; 'CLOSED'.
   */
  read(fromOffset: number): AsyncIterable<readonly LogRecord[]>

  /** Allows the adapter to drop records below `offset`; it may keep more than it must. */
  dropBefore(offset: number): Promise<void>

  /** Durable size in bytes. */
  readonly sizeBytes: number

  /** Settles the append in flight, then releases everything. Idempotent. */
  close(): Promise<void>
}

export type LogErrorCode =
  | 'APPEND_FAILED'
  | 'APPEND_IN_FLIGHT'
  | 'OUT_OF_RANGE'
  | 'CORRUPT'
  | 'CLOSED'
  | 'LOCKED'
  | 'NO_SPACE'
  | 'IO'

export class LogError extends Error {
  override readonly name = 'LogError'
  readonly code: LogErrorCode
  constructor(code: LogErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
