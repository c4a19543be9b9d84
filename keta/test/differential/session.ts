/** One seeded run against a pair of servers: the state that the phases share, and the checks at the end of each. */
import { create } from '@bufbuild/protobuf'
import {
  Cluster,
  HashKVRequestSchema,
  KV,
  Lease,
  LeaseLeasesRequestSchema,
  Maintenance,
  MemberListRequestSchema,
  RangeRequestSchema,
  StatusRequestSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import type { Connection } from './connection.ts'
import { LeasePair } from './lease-pair.ts'
import { Pair } from './pair.ts'
import { type Random, seededRandom } from './random.ts'
import { hashKv } from './requests.ts'
import { WatchPair } from './watch-pair.ts'

const STREAMS = 3
const NUL = Buffer.from([0])

export class Session {
  readonly pair: Pair
  readonly random: Random
  readonly leases: LeasePair
  /** Sees every change of the run. */
  readonly everything: WatchPair
  /** Streams for random watches. */
  readonly streams: readonly WatchPair[]
  /** For watches that start in the future: while there is one, a stream tells no progress. */
  readonly future: WatchPair

  private constructor(left: Connection, right: Connection, seed: number) {
    this.pair = new Pair(left, right, seed)
    this.random = seededRandom(seed)
    this.leases = new LeasePair(this.pair)
    this.everything = new WatchPair(this.pair, 'everything')
    this.streams = Array.from({ length: STREAMS }, (_, i) => new WatchPair(this.pair, String(i)))
    this.future = new WatchPair(this.pair, 'future')
  }

  /** The servers must be in equal states; they need not be empty. */
  static async open(left: Connection, right: Connection, seed: number): Promise<Session> {
    const session = new Session(left, right, seed)
    const { pair } = session
    await pair.call(KV.method.range, create(RangeRequestSchema, { key: NUL, rangeEnd: NUL }))
    const hash = await pair.call(Maintenance.method.hashKV, create(HashKVRequestSchema))
    if (hash && hash.compactRevision > 0n) {
      pair.world.compacted = hash.compactRevision
      pair.world.compactions.add(hash.compactRevision)
    }
    await session.everything.create({ key: NUL, rangeEnd: NUL, prevKv: true, startRevision: pair.world.compacted })
    return session
  }

  /** Compares all events so far. */
  async settle(): Promise<void> {
    for (const stream of [this.everything, ...this.streams, this.future]) await stream.settle()
  }

  /** Compares everything that can be seen of the two servers. */
  async compareStates(): Promise<void> {
    const { pair } = this
    await this.settle()
    await pair.call(KV.method.range, create(RangeRequestSchema, { key: NUL, rangeEnd: NUL }))
    await hashKv(pair, this.random)
    await pair.call(Lease.method.leaseLeases, create(LeaseLeasesRequestSchema))
    await pair.call(Maintenance.method.status, create(StatusRequestSchema))
    await pair.call(Cluster.method.memberList, create(MemberListRequestSchema, { linearizable: true }))
  }

  close(): void {
    for (const stream of [this.everything, ...this.streams, this.future, this.leases]) stream.close()
  }
}
