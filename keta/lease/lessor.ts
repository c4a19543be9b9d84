/**
 * The replicated part of leases: which exist, with what time to live, and which keys are attached to each. It is part
 * of the state machine and knows no time: how much of a TTL is left is the leader's business (expiry.ts).
 *
 * Which lease a key is attached to is not kept here: it is the `lease` of the key's live version. Invariant: a key is
 * in `keys` of lease L exactly if its live version carries L.
 */
import type { Key } from '../bytes/key.ts'
import type { FailureCode } from '../command/failure.ts'

/** Seconds; etcd's limit. */
export const MAX_LEASE_TTL = 9_000_000_000

/** No lease: what a key's `lease` is when it is attached to none. */
export const NO_LEASE = 0n

export interface Lease {
  readonly id: bigint
  /** Seconds granted. */
  readonly ttl: number
  readonly keyCount: number
  /** The attached keys, in bytewise order. */
  sortedKeys(): readonly Key[]
}

/** The TTL to grant: etcd raises what is below its minimum (zero and less, too). The maximum is checked at apply. */
export function raiseTtl(ttlSeconds: number, minimumSeconds: number): number {
  return Math.max(ttlSeconds, minimumSeconds)
}

export class Lessor {
  readonly #leases = new Map<bigint, AttachedLease>()

  get size(): number {
    return this.#leases.size
  }

  has(id: bigint): boolean {
    return this.#leases.has(id)
  }

  get(id: bigint): Lease | undefined {
    return this.#leases.get(id)
  }

  /** All leases, oldest grant first. */
  leases(): Iterable<Lease> {
    return this.#leases.values()
  }

  /** Why `grant` would be refused, in etcd's order of checks. */
  checkGrant(id: bigint, ttl: number): FailureCode | undefined {
    if (id === NO_LEASE) return 'LEASE_NOT_FOUND'
    if (ttl > MAX_LEASE_TTL) return 'LEASE_TTL_TOO_LARGE'
    return this.#leases.has(id) ? 'LEASE_EXISTS' : undefined
  }

  /** `checkGrant` has passed. */
  grant(id: bigint, ttl: number): void {
    this.#leases.set(id, new AttachedLease(id, ttl))
  }

  /** Forgets the lease. The caller deletes its keys. */
  revoke(id: bigint): void {
    this.#leases.delete(id)
  }

  /** A key that was attached to `before` is now attached to `after` (NO_LEASE = to none). Both exist. */
  move(key: Key, before: bigint, after: bigint): void {
    if (before === after) return
    if (before !== NO_LEASE) this.#existing(before, key).keys.delete(key)
    if (after !== NO_LEASE) this.#existing(after, key).keys.add(key)
  }

  #existing(id: bigint, key: Key): AttachedLease {
    const lease = this.#leases.get(id)
    if (lease === undefined) throw new Error(`key ${JSON.stringify(key)} refers to lease ${id}, which does not exist`)
    return lease
  }
}

class AttachedLease implements Lease {
  readonly id: bigint
  readonly ttl: number
  readonly keys = new Set<Key>()

  constructor(id: bigint, ttl: number) {
    this.id = id
    this.ttl = ttl
  }

  get keyCount(): number {
    return this.keys.size
  }

  sortedKeys(): readonly Key[] {
    return [...this.keys].sort()
  }
}
