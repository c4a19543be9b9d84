/**
 * What the engine takes from outside, so that a simulation can drive it in virtual time: clock, randomness, log,
 * snapshots, logger.
 */
import type { StateBacking } from '../backing/backing.ts'
import type { Coordinator } from '../cluster/coordination.ts'
import type { Peers } from '../cluster/peers.ts'
import type { Log, SharedLog } from '../log/log.ts'
import type { SnapshotStore } from '../log/snapshots.ts'
import type { Identity } from './api.ts'
import type { EngineObserver } from './observer.ts'

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
  readonly phase: 'state' | 'snapshot' | 'log'
  /** Versions (phase state), bytes (phase snapshot) or records (phase log) done, of how many. */
  readonly done: number
  readonly total: number
}

/** See auto-compactor.ts. */
export type AutoCompaction =
  | { readonly mode: 'off' }
  | { readonly mode: 'periodic'; readonly retentionMs: number }
  | { readonly mode: 'revision'; readonly retention: number }

/** All in milliseconds. */
export interface ClusterTimes {
  /** A leader that has nothing to append shows that it lives, about so often. */
  readonly tickIntervalMs: number
  /** A leader of whom the log has shown nothing for so long is asked whether it lives … */
  readonly silenceMs: number
  /** … and taken for dead if it has not answered after so long. */
  readonly pingMs: number
  /** See Claimer. 0: every linearizable read asks the log. */
  readonly readLeaseMs: number
}

/** What a node needs that shares its log with others. */
export interface ClusterOptions {
  readonly log: SharedLog
  readonly coordinator: Coordinator
  readonly peers: Peers
  /** Where clients and the other nodes reach this one. */
  readonly clientUrls: () => readonly string[]
  /** Whether it may lead. */
  readonly eligible: boolean
  readonly times: ClusterTimes
  /** Random in [0, 1). */
  readonly chance: () => number
  /** Milliseconds of the wall clock. */
  readonly startedAt: number
  /** Where the leader keeps snapshots for all nodes: what two of them cover is dropped from the log. */
  readonly sharedSnapshots: SnapshotStore
}

export interface EngineOptions {
  readonly identity: Identity
  readonly snapshots: SnapshotStore
  /** Where the state lies. It stays open: it belongs to the caller. */
  readonly backing: StateBacking
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
  /** How long a simple token lives that nobody uses. Default: etcd's 5 minutes. */
  readonly simpleTokenTtlMs?: number
  /** A snapshot is taken when the log has grown by max(this, half the last snapshot) bytes since the last one. */
  readonly snapshotLogBytes: number
  readonly autoCompaction: AutoCompaction
  readonly onReplay?: (progress: ReplayProgress) => void
  readonly observer?: EngineObserver
}

/** Of a node whose log is its own. */
export interface SoleEngineOptions extends EngineOptions {
  readonly log: Log
  readonly clientUrls: () => readonly string[]
}

/** Of a node of a cluster. */
export interface ClusterEngineOptions extends EngineOptions {
  readonly cluster: ClusterOptions
}
