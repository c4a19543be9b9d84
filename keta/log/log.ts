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
   * A log that is reached over a network sends the batch again until it is acknowledged, so that it may stand in the
   * log more than once; the receipt is that of the copy that was acknowledged.
   * @param signal gives the append up: the promise rejects with 'ABORTED'.
   * @throws LogError 'APPEND_FAILED': whether the batch is in the log is not known; the adapter accepts no further
   *   append (its `cause` is a LogError 'NO_SPACE' when the device is full). 'ABORTED': whether the batch is or will
   *   yet be in the log is not known, not even after another append. 'REFUSED': it is not in the log and never will be.
   *   'APPEND_IN_FLIGHT': refused, the one in flight goes on. 'CLOSED'. RangeError: an empty batch, or one larger than
   *   the adapter holds; nothing was written.
   */
  append(records: readonly Uint8Array[], signal?: AbortSignal): Promise<AppendReceipt>

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

/** What a follower has got of a shared log. */
export interface FollowedBatch {
  /** May be empty. */
  readonly records: readonly LogRecord[]
  /** Where reading goes on: what the log holds below it has been given. It may end with offsets that hold nothing. */
  readonly nextOffset: number
  /** One past the highest durable offset, as of this answer: something is still to come if `nextOffset` is below it. */
  readonly endOffset: number
}

/**
 * A log that several nodes append to and follow. `endOffset` and `startOffset` are what this node last heard of: only
 * one's own record, read back, shows that everything acknowledged before its append has been read.
 */
export interface SharedLog extends Log {
  /** Names this log among all logs: another one of the same name, made after it was deleted, has another id. */
  readonly logId: string

  /**
   * Reads from `fromOffset` on, and goes on for ever: ends only when `signal` is aborted. Trouble that may pass is
   * waited out. The first batch comes as soon as the log has answered, even if it holds no records.
   * @throws LogError 'OUT_OF_RANGE' if `fromOffset` lies below startOffset (dropped) or, lastingly, beyond the end (the
   *   log lost its tail); 'CORRUPT'; 'REFUSED' (no permission); 'CLOSED'.
   */
  follow(fromOffset: number, signal: AbortSignal): AsyncIterable<FollowedBatch>
}

export type LogErrorCode =
  | 'APPEND_FAILED'
  | 'ABORTED'
  | 'REFUSED'
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
