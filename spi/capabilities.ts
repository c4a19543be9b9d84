/**
 * What a backend promises beyond the contract's minimum. One API for stores of different strength need not mean the
 * weakest of them: a broker that needs more asks for it at start and is refused there, not at three in the morning.
 */
import { CoordinationError } from './errors.ts'

/**
 * Promises of a backend in its present configuration; constant once `init` has resolved.
 * Where one is false, calls that need it throw UNSUPPORTED: nothing is ever silently weaker.
 */
export interface Capabilities {
  /** Short name, `etcd`; also `CoordinationError.backend`. */
  readonly backend: string
  /** Data survive the end of all clients and a restart of the store. */
  readonly persistent: boolean
  /** Several processes share the data (false: an in-memory reference). */
  readonly multiProcess: boolean
  /** `consistency: 'linearizable'` is honoured. */
  readonly linearizableReads: boolean
  /** `WriteOptions.fence` is checked in the store, in one step with the write. */
  readonly atomicFencing: boolean
  /** `Storage.scan` shows one moment; false: each page its own. */
  readonly snapshotScan: boolean
  /** `Storage.transact`, and with how many operations. */
  readonly transactions: false | { readonly maxOps: number }
  readonly notifications: {
    readonly mode: 'push' | 'poll'
    /** Upper bound from a commit to the start of a listener's call, in a healthy cluster; milliseconds. */
    readonly maxLagMs: number
  }
  readonly session: {
    readonly minTtlMs: number
    /** The store ends leases in steps of this size; part of the deadline's margin (session.ts). Milliseconds. */
    readonly granularityMs: number
  }
  readonly limits: {
    /** At least 512. */
    readonly maxKeyBytes: number
    /** At least 524 288. */
    readonly maxValueBytes: number
  }
}

/** What the checks of names and values need to know of a backend. */
export type Limited = Pick<Capabilities, 'backend' | 'limits'>

/** What a broker cannot do without. */
export interface Requirements {
  readonly persistent?: true
  readonly multiProcess?: true
  readonly linearizableReads?: true
  readonly atomicFencing?: true
  readonly snapshotScan?: true
  /** Transactions of at least so many operations. */
  readonly transactionOps?: number
  /** Notifications at most so late, milliseconds. */
  readonly maxLagMs?: number
  /** Values of so many bytes. */
  readonly valueBytes?: number
}

const FLAGS = ['persistent', 'multiProcess', 'linearizableReads', 'atomicFencing', 'snapshotScan'] as const

/** @throws CoordinationError UNSUPPORTED naming everything that the backend lacks of what is required. */
export function requireCapabilities(capabilities: Capabilities, required: Requirements): void {
  const { backend, transactions, notifications, limits } = capabilities
  const lacking: string[] = FLAGS.filter((flag) => required[flag] === true && !capabilities[flag])
  const maxOps = transactions === false ? 0 : transactions.maxOps
  if ((required.transactionOps ?? 0) > maxOps) {
    lacking.push(`transactions of ${required.transactionOps} operations (it has ${maxOps})`)
  }
  if (notifications.maxLagMs > (required.maxLagMs ?? Infinity)) {
    lacking.push(`notifications within ${required.maxLagMs} ms (it needs ${notifications.maxLagMs} ms)`)
  }
  if (limits.maxValueBytes < (required.valueBytes ?? 0)) {
    lacking.push(`values of ${required.valueBytes} bytes (it holds ${limits.maxValueBytes})`)
  }
  if (lacking.length === 0) return
  throw new CoordinationError('UNSUPPORTED', `the ${backend} backend lacks: ${lacking.join(', ')}`, { backend })
}
