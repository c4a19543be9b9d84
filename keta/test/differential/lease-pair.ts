/** One keep-alive stream on each of the two servers; and leases whose answers can't be equal as they are. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { setTimeout as delay } from 'node:timers/promises'
import {
  Lease,
  LeaseGrantRequestSchema,
  LeaseGrantResponseSchema,
  LeaseKeepAliveRequestSchema,
  LeaseKeepAliveResponseSchema,
  LeaseRevokeRequestSchema,
  LeaseRevokeResponseSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { compareAnswers, difference } from './compare.ts'
import type { RawStream } from './connection.ts'
import { type Pair, pathOf } from './pair.ts'

const TIMEOUT_MS = 15_000

export class LeasePair {
  readonly #pair: Pair
  readonly #answers: readonly [Uint8Array[], Uint8Array[]] = [[], []]
  readonly #streams: readonly RawStream[]
  #ended: string | undefined

  constructor(pair: Pair) {
    this.#pair = pair
    this.#streams = ([pair.left, pair.right] as const).map((connection, side) =>
      connection.stream('/etcdserverpb.Lease/LeaseKeepAlive', {
        onMessage: (bytes) => this.#answers[side]?.push(bytes),
        onEnd: (reason) => (this.#ended ??= `${connection.name} ended the keep-alive stream: ${reason}`),
      }),
    )
  }

  async keepAlive(id: bigint): Promise<void> {
    this.#pair.note(`LeaseKeepAlive ${id}`)
    const bytes = toBinary(LeaseKeepAliveRequestSchema, create(LeaseKeepAliveRequestSchema, { ID: id }))
    for (const stream of this.#streams) stream.send(bytes)
    const deadline = performance.now() + TIMEOUT_MS
    while (this.#answers.some((answers) => answers.length === 0) && performance.now() < deadline) {
      this.#pair.expectNone(this.#ended)
      await delay(1)
    }
    const [left, right] = this.#answers.map((answers) => answers.shift())
    if (!left || !right) {
      this.#pair.expectNone(`no answer to a keep-alive from ${left ? 'right' : 'left'}`)
      return
    }
    const schema = LeaseKeepAliveResponseSchema
    this.#pair.compare(schema, fromBinary(schema, left), fromBinary(schema, right))
  }

  /**
   * Grants a lease whose id the server chooses, or that expires soon, and revokes it at once. The only place where
   * answers are made equal by hand: ids that the servers chose must be positive, and are then compared as 1.
   */
  async grantAndRevoke(id: bigint, ttl: bigint): Promise<void> {
    const request = create(LeaseGrantRequestSchema, { ID: id, TTL: ttl })
    this.#pair.note(`LeaseGrant ID ${id} TTL ${ttl}, then LeaseRevoke`)
    const bytes = toBinary(LeaseGrantRequestSchema, request)
    const [left, right] = await this.#pair.send(pathOf(Lease.method.leaseGrant), bytes)
    if (!left.ok || !right.ok) {
      this.#pair.expectNone(compareAnswers(LeaseGrantResponseSchema, left, right, this.#pair.names))
      return
    }
    const granted = [left, right].map(({ bytes }) => fromBinary(LeaseGrantResponseSchema, bytes))
    const [a, b] = granted
    if (!a || !b) throw new Error('two answers were decoded to fewer messages')
    const ids = [a.ID, b.ID] as const
    if (id === 0n) {
      if (ids.some((chosen) => chosen <= 0n)) {
        this.#pair.expectNone(`chosen lease ids\n${difference(this.#pair.names, String(ids[0]), String(ids[1]))}`)
      }
      a.ID = b.ID = 1n
    }
    this.#pair.compare(LeaseGrantResponseSchema, a, b)
    await this.#revoke(ids)
  }

  close(): void {
    for (const stream of this.#streams) stream.close()
  }

  async #revoke(ids: readonly [bigint, bigint]): Promise<void> {
    const [left, right] = ids.map((ID) => toBinary(LeaseRevokeRequestSchema, create(LeaseRevokeRequestSchema, { ID })))
    if (!left || !right) throw new Error('two requests were encoded to fewer')
    const path = pathOf(Lease.method.leaseRevoke)
    const answers = await Promise.all([this.#pair.left.unary(path, left), this.#pair.right.unary(path, right)])
    this.#pair.expectNone(compareAnswers(LeaseRevokeResponseSchema, ...answers, this.#pair.names))
  }
}
