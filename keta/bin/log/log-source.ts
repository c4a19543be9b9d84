/** Where `keta log` finds a log: in a data directory, or in Kafka. */
import type { LogRecord } from '../../log/log.ts'
import type { SnapshotStore } from '../../log/snapshots.ts'

export interface LogSource {
  /** Of the oldest record that is there, if any is. */
  readonly startOffset: number
  /** From `offset` on, or from an earlier one where the log can only be read from its beginning. Default: all. */
  records(offset?: number): AsyncIterable<readonly LogRecord[]>
  /** Where to begin for the last `count` records, or earlier. */
  tailOffset(count: number): number
  /** What is added after `offset`, until the signal is aborted. undefined: nothing is, while this is open. */
  readonly follow: ((offset: number, signal: AbortSignal) => AsyncIterable<readonly LogRecord[]>) | undefined
  /** The snapshots that a start would use where the log does not reach back to the beginning. */
  snapshots(): Promise<Pick<SnapshotStore, 'list' | 'load'>>
  /** After `records`: a write at its end that a crash cut short, which the next start cuts off. */
  readonly unfinished: string | undefined
  close(): Promise<void>
}
