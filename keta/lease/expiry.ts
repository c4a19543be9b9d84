/**
 * The leader's part of leases: how much time each has left, and which are due to be revoked. Pure: `now` comes in as
 * milliseconds of a monotonic clock. Nothing is lost with it: a new leader starts every lease with its full TTL again.
 *
 * A renewal only moves the lease's own deadline, in O(1): its heap entry stays where it is, is found to be early when
 * it comes up, and is put back. Entries of removed leases are dropped the same way, or all at once when they are the
 * majority.
 */
import { DeadlineHeap, type HeapEntry } from './deadline-heap.ts'

const MS_PER_SECOND = 1000

/** After a revoke that failed, etcd tries again this much later. */
export const RETRY_MS = 3000

/** Below this size a heap full of dropped entries is not worth rebuilding. */
const MIN_REBUILD_SIZE = 64

interface Timed {
  readonly ttlMs: number
  deadline: number
  /** The entry that will come up for this lease; undefined while its revoke is under way. */
  entry: HeapEntry | undefined
}

export class LeaseExpiry {
  readonly #leases = new Map<bigint, Timed>()
  #heap = new DeadlineHeap()
  #order = 0

  get size(): number {
    return this.#leases.size
  }

  /** Entries held for leases that are, or were, known: what bounds the memory. */
  get scheduledEntries(): number {
    return this.#heap.size
  }

  /** Starts anew: every lease has its full TTL (plus `extendMs`) from `now` on. */
  promote(leases: Iterable<{ readonly id: bigint; readonly ttl: number }>, now: number, extendMs = 0): void {
    this.#leases.clear()
    this.#heap = new DeadlineHeap()
    for (const lease of leases) this.add(lease.id, lease.ttl, now, extendMs)
  }

  /** A lease was granted. */
  add(id: bigint, ttlSeconds: number, now: number, extendMs = 0): void {
    const ttlMs = ttlSeconds * MS_PER_SECOND
    const timed: Timed = { ttlMs, deadline: now + ttlMs + extendMs, entry: undefined }
    this.#leases.set(id, timed)
    this.#schedule(id, timed, timed.deadline)
  }

  /** A lease was revoked. */
  remove(id: bigint): void {
    this.#leases.delete(id)
    if (this.#heap.size >= MIN_REBUILD_SIZE && this.#heap.size > 2 * this.#leases.size) {
      this.#heap.retain((entry) => this.#leases.get(entry.id)?.entry === entry)
    }
  }

  /** Gives an unexpired lease its full TTL again; false if there is no such lease or it has expired. */
  renew(id: bigint, now: number): boolean {
    const timed = this.#leases.get(id)
    if (timed === undefined || timed.deadline <= now) return false
    timed.deadline = now + timed.ttlMs
    return true
  }

  /** True while the lease exists although its time is over: its revoke is due or on its way. */
  isExpired(id: bigint, now: number): boolean {
    const timed = this.#leases.get(id)
    return timed !== undefined && timed.deadline <= now
  }

  /** Milliseconds left, negative if expired; undefined for an unknown lease. */
  remaining(id: bigint, now: number): number | undefined {
    const timed = this.#leases.get(id)
    return timed === undefined ? undefined : timed.deadline - now
  }

  /** At most `max` expired leases, longest overdue first. Each is given once: then `remove` or `retry` must follow. */
  takeDue(now: number, max: number): readonly bigint[] {
    const due: bigint[] = []
    while (due.length < max) {
      const top = this.#settledTop()
      if (top === undefined || top.at > now) break
      this.#heap.pop()
      const timed = this.#leases.get(top.id)
      if (timed !== undefined) timed.entry = undefined
      due.push(top.id)
    }
    return due
  }

  /** The revoke failed: the lease comes up again later. */
  retry(id: bigint, now: number): void {
    const timed = this.#leases.get(id)
    if (timed !== undefined && timed.entry === undefined) this.#schedule(id, timed, now + RETRY_MS)
  }

  /** When `takeDue` will next have something to give, in the caller's milliseconds. */
  nextDeadline(): number | undefined {
    return this.#settledTop()?.at
  }

  /** Soonest deadline first. */
  idsByDeadline(): readonly bigint[] {
    const entries = [...this.#leases]
    entries.sort(([, a], [, b]) => a.deadline - b.deadline)
    return entries.map(([id]) => id)
  }

  #schedule(id: bigint, timed: Timed, at: number): void {
    const entry: HeapEntry = { id, at, order: this.#order++ }
    timed.entry = entry
    this.#heap.push(entry)
  }

  /** The top entry once every stale one above it is dropped and every early one put where it belongs. */
  #settledTop(): HeapEntry | undefined {
    for (;;) {
      const top = this.#heap.peek()
      if (top === undefined) return undefined
      const timed = this.#leases.get(top.id)
      if (timed === undefined || timed.entry !== top) {
        this.#heap.pop()
      } else if (top.at < timed.deadline) {
        top.at = timed.deadline
        this.#heap.topPostponed()
      } else {
        return top
      }
    }
  }
}
