/** Clients that write at the same time, each to keys and leases of its own, until the server goes away. */
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { KV, Lease } from '../proto/gen/etcdserverpb/rpc_pb.js'
import type { ApiClient } from './api-client.fixture.ts'
import type { Random } from './differential/random.ts'
import type { Change } from './replayed-store.fixture.ts'
import type { WriteLedger } from './write-ledger.fixture.ts'

const KEYS = 6
const LEASES_MOST = 4
const LEASE_TTL = 3600n
const ID_DIGITS = 12

/** What is known of the leases of all writers. */
export class LeaseBook {
  readonly granted = new Set<bigint>()
  readonly revoked = new Set<bigint>()
}

let lastId = 0

export class Writer {
  readonly #name: string
  readonly #random: Random
  readonly #ledger: WriteLedger
  readonly #leases: LeaseBook
  /** Those of its leases of which it knows that they are there. */
  #own: bigint[] = []

  constructor(name: string, random: Random, ledger: WriteLedger, leases: LeaseBook) {
    this.#name = name
    this.#random = random
    this.#ledger = ledger
    this.#leases = leases
  }

  /** Writes until a call fails, and gives its error. */
  async run(client: ApiClient): Promise<ServiceError> {
    for (;;) {
      const action = this.#random.weighted<(client: ApiClient) => Promise<void>>([
        [60, (to) => this.#put(to)],
        [20, (to) => this.#txn(to)],
        [10, (to) => this.#delete(to)],
        [this.#own.length < LEASES_MOST ? 4 : 0, (to) => this.#grant(to)],
        [this.#own.length > 0 ? 2 : 0, (to) => this.#revoke(to)],
      ])
      try {
        await action(client)
      } catch (error) {
        return error as ServiceError
      }
    }
  }

  async #put(client: ApiClient): Promise<void> {
    const change = this.#anyPut(this.#anyKey())
    const write = this.#ledger.ask(textOf([change]), () => [change])
    const { header } = await client.call(KV.method.put, putOf(change))
    this.#ledger.acknowledge(write, Number(header?.revision), 1)
  }

  /** A put of one key, and a put or a deletion of another. */
  async #txn(client: ApiClient): Promise<void> {
    const key = this.#random.below(KEYS)
    const other = (key + 1 + this.#random.below(KEYS - 1)) % KEYS
    const first = this.#anyPut(this.#keyAt(key))
    const second = this.#random.oneIn(3) ? deletionOf(this.#keyAt(other)) : this.#anyPut(this.#keyAt(other))
    const write = this.#ledger.ask(textOf([first, second]), () => [first, second])
    const success = [first, second].map((change) =>
      change.value === undefined
        ? { request: { case: 'requestDeleteRange' as const, value: { key: Buffer.from(change.key) } } }
        : { request: { case: 'requestPut' as const, value: putOf(change) } },
    )
    const { header } = await client.call(KV.method.txn, { success })
    this.#ledger.acknowledge(write, Number(header?.revision))
  }

  async #delete(client: ApiClient): Promise<void> {
    const change = deletionOf(this.#anyKey())
    const write = this.#ledger.ask(textOf([change]), () => [change])
    const { header, deleted } = await client.call(KV.method.deleteRange, { key: Buffer.from(change.key) })
    // What found nothing carries the revision of another write, or one that was checked before.
    if (deleted === 0n) this.#ledger.acknowledge(write, Number(header?.revision))
    else this.#ledger.acknowledge(write, Number(header?.revision), Number(deleted))
  }

  async #grant(client: ApiClient): Promise<void> {
    const id = BigInt(++lastId)
    await client.call(Lease.method.leaseGrant, { ID: id, TTL: LEASE_TTL })
    this.#leases.granted.add(id)
    this.#own.push(id)
  }

  /** Deletes the keys that are attached, all at one revision. */
  async #revoke(client: ApiClient): Promise<void> {
    const id = this.#random.pick(this.#own)
    this.#own = this.#own.filter((own) => own !== id)
    this.#leases.granted.delete(id)
    const write = this.#ledger.ask(`${this.#name} revoke ${id}`, (store) => store.attachedTo(id).map(deletionOf))
    const { header } = await client.call(Lease.method.leaseRevoke, { ID: id })
    this.#leases.revoked.add(id)
    this.#ledger.acknowledge(write, Number(header?.revision))
  }

  #anyPut(key: string): Change {
    const size = this.#random.oneIn(40) ? 200_000 : ID_DIGITS + this.#random.below(6000)
    const value = Buffer.alloc(size, String(++lastId).padStart(ID_DIGITS, '0'))
    const lease = this.#own.length > 0 && this.#random.oneIn(4) ? this.#random.pick(this.#own) : 0n
    return { key, value, lease }
  }

  #anyKey(): string {
    return this.#keyAt(this.#random.below(KEYS))
  }

  #keyAt(index: number): string {
    return `${this.#name}/${index}`
  }
}

/** Whether, after this error, the write may have been done or not; every other error is a refusal. */
export function leavesUnknown({ code }: ServiceError): boolean {
  return [status.UNAVAILABLE, status.CANCELLED, status.INTERNAL, status.UNKNOWN].includes(code)
}

function putOf({ key, value, lease }: Change) {
  return { key: Buffer.from(key), value: value ?? Buffer.alloc(0), lease }
}

function deletionOf(key: string): Change {
  return { key, value: undefined, lease: 0n }
}

function textOf(changes: readonly Change[]): string {
  return changes
    .map(({ key, value }) => (value === undefined ? `delete ${key}` : `put ${key} ${value.toString('latin1', 0, 12)}`))
    .join(', ')
}
