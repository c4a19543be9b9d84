/**
 * Leases that live for a while: granted, with keys attached, kept alive, then revoked or left to run out. What is
 * promised of their time, which no other checker knows: nothing runs out within its TTL since the last renewal that was
 * acknowledged was sent, nothing is renewed after it has ended, and what nobody renews ends, whatever happens to the
 * leader.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  Lease,
  LeaseKeepAliveRequestSchema,
  LeaseKeepAliveResponseSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import type { ApiClient } from '../api-client.fixture.ts'
import type { WatchSession } from '../checkers/history.ts'
import type { RecordedClient } from './recorded-client.ts'
import type { WorkerPorts, Workload } from './workload.ts'

const TTL_SECONDS = [2, 3, 4]
const LEASES_MOST = 8
const RENEWAL_MS = 3_000

interface HeldLease {
  readonly id: string
  readonly ttlSeconds: number
  /** When the last acknowledged renewal, or the grant, was sent: nanoseconds of the recorder. */
  renewedAt: number
  /** When a revocation was sent. */
  revokedAt: number
}

export class LeaseWorkload implements Workload {
  readonly name = 'leases'
  readonly workersPerNode = 1
  readonly #all = new Map<string, HeldLease>()
  readonly #alive: HeldLease[] = []
  #lastId = 1_000

  async step({ client, random }: WorkerPorts): Promise<boolean> {
    if (this.#alive.length < LEASES_MOST && random.oneIn(3)) return this.#grant(client, random.pick(TTL_SECONDS))
    if (this.#alive.length === 0) return true
    const lease = random.pick(this.#alive)
    if (random.oneIn(12)) this.#forget(lease)
    const action = random.weighted([
      [10, () => this.#put(client, lease, random.below(3))],
      [10, () => this.#renew(client, lease)],
      [1, () => this.#revoke(client, lease)],
    ])
    return action()
  }

  /** For all that may still live: milliseconds. A new leader gives every lease its whole time again. */
  get longestMs(): number {
    return 1000 * Math.max(...TTL_SECONDS)
  }

  /** @param sessions of a watcher with prev_kv. @returns what is wrong. */
  violations(sessions: readonly WatchSession[]): readonly string[] {
    return sessions.flatMap(({ responses }) =>
      responses.flatMap(({ at, events }) =>
        events.flatMap(({ type, prevKv }) => {
          const lease = type === 'delete' ? this.#all.get(prevKv?.lease ?? '') : undefined
          const isEarly = lease !== undefined && lease.revokedAt > at && at < lease.renewedAt + lease.ttlSeconds * 1e9
          if (!isEarly) return []
          const after = ((at - lease.renewedAt) / 1e9).toFixed(3)
          return [`lease ${lease.id} of ${lease.ttlSeconds} s ended ${after} s after it was renewed`]
        }),
      ),
    )
  }

  async #grant({ api, recorder }: RecordedClient, ttlSeconds: number): Promise<boolean> {
    const id = String(++this.#lastId)
    const sentAt = recorder.now()
    try {
      const { TTL } = await api.call(Lease.method.leaseGrant, { ID: BigInt(id), TTL: BigInt(ttlSeconds) })
      const lease = { id, ttlSeconds: Number(TTL), renewedAt: sentAt, revokedAt: Infinity }
      this.#all.set(id, lease)
      this.#alive.push(lease)
      return true
    } catch {
      return false
    }
  }

  async #put(client: RecordedClient, lease: HeldLease, index: number): Promise<boolean> {
    const { id } = lease
    const value = String(client.recorder.unique())
    const { outcome } = await client.kv({ f: 'put', key: `e/${id}/${index}`, value, lease: id })
    if (outcome === 'fail') this.#forget(lease)
    return outcome === 'ok'
  }

  async #renew({ api, recorder }: RecordedClient, lease: HeldLease): Promise<boolean> {
    const sentAt = recorder.now()
    const ttl = await keepAlive(api, lease.id)
    if (ttl === undefined) return false
    if (ttl > 0) lease.renewedAt = Math.max(lease.renewedAt, sentAt)
    else this.#forget(lease)
    return true
  }

  async #revoke({ api, recorder }: RecordedClient, lease: HeldLease): Promise<boolean> {
    this.#forget(lease)
    lease.revokedAt = recorder.now()
    try {
      await api.call(Lease.method.leaseRevoke, { ID: BigInt(lease.id) })
      return true
    } catch {
      return false
    }
  }

  #forget(lease: HeldLease): void {
    const index = this.#alive.indexOf(lease)
    if (index >= 0) this.#alive.splice(index, 1)
  }
}

/** Once. @returns the seconds that are left, 0 if there is no such lease; undefined without an answer. */
export function keepAlive(api: ApiClient, id: string): Promise<number | undefined> {
  const stream = api.stream(Lease.method.leaseKeepAlive)
  return new Promise((resolve) => {
    const finish = (ttl: number | undefined): void => {
      clearTimeout(timer)
      stream.close()
      resolve(ttl)
    }
    const timer = setTimeout(() => finish(undefined), RENEWAL_MS)
    stream.onMessage((bytes) => finish(Number(fromBinary(LeaseKeepAliveResponseSchema, bytes).TTL)))
    stream.onEnd(() => finish(undefined))
    const request = create(LeaseKeepAliveRequestSchema, { ID: BigInt(id) })
    stream.send(Buffer.from(toBinary(LeaseKeepAliveRequestSchema, request)))
  })
}
