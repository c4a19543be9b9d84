/** Seats: one key each, with the lease of its holder's session; the token is the revision that created the key. */
import type { IKeyValue } from 'etcd3'
import { CoordinationError, type FencingToken } from '../../../spi/index.ts'
import type { Call, Holder, ReadCall, Seat, Seated, SeatStore } from '../driver.ts'
import type { Cluster } from './cluster.ts'
import { equals } from './compare.ts'
import type { Layout } from './layout.ts'
import { leaseOf } from './leases.ts'
import type { Reader } from './reader.ts'
import { decodeHolder, encodeHolder } from '../records.ts'

export class Seats implements SeatStore {
  readonly #cluster: Cluster
  readonly #layout: Layout
  readonly #reader: Reader

  constructor(cluster: Cluster, layout: Layout, reader: Reader) {
    this.#cluster = cluster
    this.#layout = layout
    this.#reader = reader
  }

  async takeSeat(seat: Seat, holder: Holder, call: Call): Promise<Seated> {
    const key = this.#layout.seat(seat)
    const put = { key, value: encodeHolder(holder), lease: leaseOf(holder.session) }
    const answer = await this.#cluster.write(call, (etcd, options) =>
      etcd.kv.txn(
        {
          compare: [equals(key, 'Create', '0')],
          success: [{ request_put: put }],
          failure: [{ request_range: { key } }],
        },
        options,
      ),
    )
    this.#reader.saw(answer.header)
    if (answer.succeeded) return { ...holder, token: BigInt(answer.header.revision) }
    const there = answer.responses[0]?.response_range.kvs[0]
    if (there !== undefined) return this.seated(there)
    const backend = this.#cluster.backend
    throw new CoordinationError('INTERNAL', 'the store refused an empty seat', { backend, effect: 'none' })
  }

  async amendSeat(seat: Seat, token: FencingToken, data: Uint8Array, call: Call): Promise<boolean> {
    const present = await this.readSeat(seat, { ...call, consistency: 'linearizable' })
    if (present?.token !== token) return false
    const key = this.#layout.seat(seat)
    const put = { key, value: encodeHolder({ ...present, data }), ignore_lease: true }
    const answer = await this.#cluster.write(call, (etcd, options) =>
      etcd.kv.txn({ compare: [equals(key, 'Create', token)], success: [{ request_put: put }] }, options),
    )
    return answer.succeeded
  }

  async emptySeat(seat: Seat, token: FencingToken, call: Call): Promise<void> {
    const key = this.#layout.seat(seat)
    await this.#cluster.write(call, (etcd, options) =>
      etcd.kv.txn({ compare: [equals(key, 'Create', token)], success: [{ request_delete_range: { key } }] }, options),
    )
  }

  async readSeat(seat: Seat, call: ReadCall): Promise<Seated | undefined> {
    const { kvs } = await this.#reader.range({ key: this.#layout.seat(seat) }, call)
    return kvs[0] === undefined ? undefined : this.seated(kvs[0])
  }

  async readGroup(group: string, call: ReadCall): Promise<ReadonlyMap<string, Seated>> {
    const { kvs } = await this.#reader.range(this.#layout.members(group), call)
    return new Map(kvs.map((kv) => [this.#layout.memberOf(kv.key), this.seated(kv)]))
  }

  /** @throws CoordinationError CORRUPTED */
  seated({ key, value, create_revision }: Pick<IKeyValue, 'key' | 'value' | 'create_revision'>): Seated {
    const holder = decodeHolder(value, { key: key.toString('utf8'), backend: this.#cluster.backend })
    return { ...holder, token: BigInt(create_revision) }
  }
}
