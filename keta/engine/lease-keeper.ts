/**
 * The leader's side of leases: who has how much time left, and the revoke of those that have none. Nothing expires
 * without a revoke in the log, so all replicas and all watchers see an expiry at the same revision.
 */
import type { LeaseRevokeCommand } from '../command/command.ts'
import { type FailureCode, RequestFailure } from '../command/failure.ts'
import { LeaseExpiry } from '../lease/expiry.ts'
import type { Lessor } from '../lease/lessor.ts'
import type { LeaseStatus } from './api.ts'
import { inBackground } from './background.ts'
import { LeaseTime } from './lease-time.ts'
import type { Clock, EngineLogger, Timer } from './ports.ts'

/** etcd revokes at most 1000 leases a second, so that a mass expiry does not crowd out clients. */
const MAX_REVOKES_PER_ROUND = 100
const ROUND_INTERVAL_MS = 100

/** Why a revoke may fail: gone already (a client revoked it), the server is stopping, another one leads now. */
const NO_LOSS: ReadonlySet<string> = new Set<FailureCode>(['LEASE_NOT_FOUND', 'STOPPED', 'NOT_LEADER'])

export interface LeaseKeeperPorts {
  readonly clock: Clock
  readonly lessor: Lessor
  readonly logger: EngineLogger
  readonly revoke: (command: LeaseRevokeCommand) => Promise<unknown>
}

export class LeaseKeeper {
  readonly #ports: LeaseKeeperPorts
  readonly #time: LeaseTime
  readonly #expiry = new LeaseExpiry()
  readonly #revoking = new Map<bigint, Promise<void>>()
  #timer: Timer | undefined
  #timerDue = Infinity
  #stopped = false

  constructor(ports: LeaseKeeperPorts) {
    this.#ports = ports
    this.#time = new LeaseTime(ports.clock)
  }

  /**
   * Revokes can be appended from now on. Every known lease gets its full TTL again: how much of it was used before a
   * restart is not known.
   */
  start(): void {
    this.#expiry.promote(this.#ports.lessor.leases(), this.#time.now())
    if (this.#expiry.size > 0) this.#time.run()
    this.#arm(0)
  }

  /** A grant was applied. */
  granted(id: bigint, ttlSeconds: number): void {
    if (!this.#stopped) this.#time.run()
    this.#expiry.add(id, ttlSeconds, this.#time.now())
    this.#arm(0)
  }

  /** A revoke was applied. */
  revoked(id: bigint): void {
    this.#expiry.remove(id)
    if (this.#expiry.size === 0) this.#time.halt()
  }

  /** An expired lease whose revoke is under way is waited for: it is not to be revived, nor reported alive. */
  async renew(id: bigint): Promise<number | undefined> {
    if (this.#expiry.isExpired(id, this.#time.now())) {
      await this.#revokeOnce(id)
      return undefined
    }
    const lease = this.#ports.lessor.get(id)
    if (lease === undefined) return undefined
    this.#expiry.renew(id, this.#time.now())
    return lease.ttl
  }

  status(id: bigint): LeaseStatus | undefined {
    const lease = this.#ports.lessor.get(id)
    if (lease === undefined) return undefined
    const remainingMs = this.#expiry.remaining(id, this.#time.now()) ?? 0
    return { id, remainingSeconds: Math.trunc(remainingMs / 1000), grantedTtl: lease.ttl, keys: lease.sortedKeys() }
  }

  idsBySoonestExpiry(): readonly bigint[] {
    return this.#expiry.idsByDeadline()
  }

  stop(): void {
    this.#stopped = true
    this.#time.halt()
    this.#timer?.cancel()
  }

  /** One timer, for the next deadline, and not before `earliestMs` from now. */
  #arm(earliestMs: number): void {
    const deadline = this.#expiry.nextDeadline()
    if (this.#stopped || deadline === undefined) return
    const now = this.#time.now()
    const due = Math.max(deadline, now + earliestMs)
    if (this.#timer !== undefined && this.#timerDue <= due) return
    this.#timer?.cancel()
    this.#timerDue = due
    this.#timer = this.#ports.clock.setTimer(due - now, () => {
      this.#timer = undefined
      this.#timerDue = Infinity
      this.#expireDue()
    })
  }

  #expireDue(): void {
    for (const id of this.#expiry.takeDue(this.#time.now(), MAX_REVOKES_PER_ROUND)) {
      inBackground(this.#revokeOnce(id), 'revoke of an expired lease', this.#ports.logger)
    }
    this.#arm(ROUND_INTERVAL_MS)
  }

  #revokeOnce(id: bigint): Promise<void> {
    const running = this.#revoking.get(id)
    if (running !== undefined) return running
    const revoke = this.#revoke(id).finally(() => this.#revoking.delete(id))
    this.#revoking.set(id, revoke)
    return revoke
  }

  async #revoke(id: bigint): Promise<void> {
    try {
      await this.#ports.revoke({ kind: 'leaseRevoke', id })
    } catch (error) {
      if (error instanceof RequestFailure && NO_LOSS.has(error.code)) return
      this.#ports.logger.warn('could not revoke an expired lease; will try again', { lease: id.toString(16), error })
      this.#expiry.retry(id, this.#time.now())
      this.#arm(ROUND_INTERVAL_MS)
    }
  }
}
