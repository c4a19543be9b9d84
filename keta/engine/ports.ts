/**
 * What the engine takes from outside, so that a simulation can drive it in virtual time: clock, randomness, log,
 * snapshots, logger.
 */
import type { Log } from '../log/log.ts'
import type { SnapshotStore } from '../log/snapshots.ts'
import type { Identity, Member } from './api.ts'

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds, monotonic; only differences mean something. */
  now(): number
  /** Fires once, not before `delayMs` have passed (a delay of more than 24 days may be cut short). */
  setTimer(delayMs: number, fire: () => void): Timer
  /** Runs `task` after the input that has already arrived has been handled (setImmediate in a real process). */
  soon(task: () => void): void
}

export interface EngineLogger {
  debug(message: string, fields?: object): void
  info(message: string, fields?: object): void
  warn(message: string, fields?: object): void
  error(message: string, fields?: object): void
}

export interface ReplayProgress {
  readonly phase: 'snapshot' | 'log'
  /** Records (phase log) or bytes (phase snapshot) done, of how many. */
  readonly done: number
  readonly total: number
}

/** See auto-compactor.ts. */
export type AutoCompaction =
  | { readonly mode: 'off' }
  | { readonly mode: 'periodic'; readonly retentionMs: number }
  | { readonly mode: 'revision'; readonly retention: number }

export interface EngineOptions {
  readonly identity: Identity
  readonly members: () => readonly Member[]
  readonly log: Log
  readonly snapshots: SnapshotStore
  readonly clock: Clock
  /** Cryptographically random bytes. */
  readonly random: (count: number) => Uint8Array
  readonly logger: EngineLogger
  /**
   * Bytes of stored versions above which writes are refused with NOSPACE; 0 = etcd's default of 2 GiB; negative = no
   * limit.
   */
  readonly quotaBytes: number
  /** Largest request in bytes, as etcd counts it. */
  readonly maxRequestBytes: number
  readonly progressNotifyIntervalMs: number
  /** A snapshot is taken when the log has grown by max(this, half the last snapshot) bytes since the last one. */
  readonly snapshotLogBytes: number
  readonly autoCompaction: AutoCompaction
  readonly onReplay?: (progress: ReplayProgress) => void
}
