/** Sessions: leases. */
import type { ILeaseKeepAliveResponse } from 'etcd3'
import { isCoordinationError } from '../../../spi/index.ts'
import type { Call, SessionGrant, SessionStore } from '../driver.ts'
import type { Cluster } from './cluster.ts'

export class Leases implements SessionStore {
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
    const wanted = Math.max(1, Math.ceil(ttlMs / 1000))
    const { ID, TTL } = await this.#cluster.write(call, (etcd, options) =>
      etcd.leaseClient.leaseGrant({ TTL: wanted }, options),
    )
    return { id: sessionOf(ID), ttlMs: Number(TTL) * 1000 }
  }

  /** One request on a stream of its own: its answer is this one's, and not that of an earlier renewal. */
  async renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
    const answer: ILeaseKeepAliveResponse = await this.#cluster.exchange(call, { ID: leaseOf(id) }, (etcd, options) =>
      etcd.leaseClient.leaseKeepAlive(options),
    )
    const ttlMs = Number(answer.TTL) * 1000
    return ttlMs > 0 ? { id, ttlMs } : undefined
  }

  async endSession(id: string, call: Call): Promise<void> {
    try {
      await this.#cluster.write(call, (etcd, options) => etcd.leaseClient.leaseRevoke({ ID: leaseOf(id) }, options))
    } catch (error) {
      if (!isCoordinationError(error, 'SESSION_LOST')) throw error
    }
  }

  /** The shortest time to live that the store grants, milliseconds: it raises what is below. */
  async shortestTtlMs(call: Call): Promise<number> {
    const { id, ttlMs } = await this.openSession(1, call)
    await this.endSession(id, call)
    return ttlMs
  }
}

/** As etcdctl shows it. */
function sessionOf(lease: string): string {
  return BigInt(lease).toString(16)
}

/** As requests name it. A session of another store gives a lease that does not exist. */
export function leaseOf(session: string): string {
  return /^[0-9a-f]{1,16}$/.test(session) ? BigInt.asIntN(64, BigInt(`0x${session}`)).toString() : '-1'
}
