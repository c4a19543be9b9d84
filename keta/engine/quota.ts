/** The space quota: what a command costs, and whether there is room for it (etcd: server/storage/quota.go). */
import type { Command } from '../command/command.ts'
import type { RequestOperation, TxnOperation } from '../command/operations.ts'

export const DEFAULT_QUOTA_BYTES = 2 * 1024 * 1024 * 1024

const KEY_VALUE_OVERHEAD_BYTES = 256
const LEASE_OVERHEAD_BYTES = 64

export class Quota {
  /** Bytes; Infinity if there is no limit. */
  readonly limitBytes: number
  readonly #usedBytes: () => number

  /** @param configuredBytes 0 = default, negative = no limit. */
  constructor(configuredBytes: number, usedBytes: () => number) {
    this.limitBytes = configuredBytes === 0 ? DEFAULT_QUOTA_BYTES : configuredBytes < 0 ? Infinity : configuredBytes
    this.#usedBytes = usedBytes
  }

  hasRoomFor(command: Command): boolean {
    if (this.limitBytes === Infinity) return true
    const cost = costOf(command)
    return cost === 0 || this.#usedBytes() + cost < this.limitBytes
  }
}

/** Bytes that the command may add; 0 for one that adds nothing and is never refused for space. */
export function costOf(command: Command): number {
  switch (command.kind) {
    case 'put':
      return KEY_VALUE_OVERHEAD_BYTES + command.key.length + command.value.length
    case 'txn':
      return costOfTxn(command)
    case 'leaseGrant':
      return LEASE_OVERHEAD_BYTES
    case 'deleteRange':
    case 'compact':
    case 'leaseRevoke':
    case 'alarm':
    case 'auth':
      return 0
  }
}

function costOfTxn(txn: TxnOperation): number {
  return Math.max(costOfBranch(txn.success), costOfBranch(txn.failure))
}

function costOfBranch(operations: readonly RequestOperation[]): number {
  let cost = 0
  for (const operation of operations) {
    if (operation?.kind === 'put' || operation?.kind === 'txn') cost += costOf(operation)
  }
  return cost
}
