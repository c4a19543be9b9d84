/**
 * The port behind which a node's state lies. Two adapters: `memory-backing.ts` keeps nothing beyond the process, so a
 * start loads a snapshot and replays the log; `lmdb/` keeps the state on disk, so a start goes on where the last one
 * ended and the values need not fit into memory. Neither is the truth: that is the log.
 */
import type { SnapshotLoader } from '../state/snapshot.ts'
import type { StateMachine } from '../state/state-machine.ts'

export interface StateBacking {
  /**
   * The state that an earlier run left, at the position up to which it was made durable. Undefined if there is none.
   * Records from `restored.position.offset + 1` on are to be applied to it. Whoever cannot use it, because the log does
   * not reach back so far, asks for another.
   */
  readonly restored: StateMachine | undefined
  /** A new, empty state; whatever was stored is forgotten. @throws BackingError 'WRITE_FAILED' */
  empty(): Promise<StateMachine>
  /** As `empty`, but to be filled from a snapshot. @throws BackingError 'WRITE_FAILED' */
  loader(): Promise<SnapshotLoader>
  /**
   * To be awaited before more is loaded or applied, so that what is not yet stored stays bounded; undefined if there is
   * nothing to wait for. @throws BackingError 'WRITE_FAILED'
   */
  ready(): Promise<void> | undefined
  /** Everything up to this offset will be found again after a crash, without the log; -1 if nothing will. */
  readonly durableOffset: number
  /**
   * Resolves when all that was applied before the call is durable, if this backing makes anything so.
   * @throws as `ready`
   */
  flush(): Promise<void>
  /** Resolves, if ever, when nothing more can be made durable. The state is sound still, but the node should end. */
  readonly failed: Promise<Error>
  /** Makes durable what is not, and releases everything. The state must not be used afterwards. Idempotent. */
  close(): Promise<void>
}

export type BackingErrorCode =
  /** What is stored is of another log, or of another cluster. */
  | 'FOREIGN'
  /** Stored by a newer version of the software. */
  | 'UNSUPPORTED'
  /** What is stored contradicts itself. */
  | 'CORRUPT'
  /** The device does not take what is to be stored. Nothing more is stored after it. */
  | 'WRITE_FAILED'
  /** The database cannot be opened or is not there on this platform. */
  | 'UNAVAILABLE'

export class BackingError extends Error {
  override readonly name = 'BackingError'
  readonly code: BackingErrorCode
  constructor(code: BackingErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
