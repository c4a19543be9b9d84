/** Random requests of KV, Lease and Maintenance; transactions are in `transactions.ts`, watches in `phases.ts`. */
import { create } from '@bufbuild/protobuf'
import {
  CompactionRequestSchema,
  DeleteRangeRequestSchema,
  type DeleteRangeRequest,
  HashKVRequestSchema,
  KV,
  Lease,
  LeaseLeasesRequestSchema,
  LeaseTimeToLiveRequestSchema,
  Maintenance,
  PutRequestSchema,
  type PutRequest,
  RangeRequestSchema,
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  StatusRequestSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import {
  anyBounds,
  anyKeyOrNone,
  anyLease,
  anyLimit,
  anyRange,
  anyRevision,
  anyValue,
  someRevision,
} from './choices.ts'
import type { Pair, Request, World } from './pair.ts'
import type { Random } from './random.ts'

export function rangeRequest(random: Random, world: World): RangeRequest {
  const sorted = random.oneIn(2)
  return create(RangeRequestSchema, {
    ...anyRange(random),
    limit: anyLimit(random),
    revision: anyRevision(random, world),
    sortOrder: sorted ? enumValue(random, RangeRequest_SortOrder) : RangeRequest_SortOrder.NONE,
    sortTarget: sorted ? enumValue(random, RangeRequest_SortTarget) : RangeRequest_SortTarget.KEY,
    serializable: random.oneIn(4),
    keysOnly: random.oneIn(5),
    countOnly: random.oneIn(8),
    ...anyBounds(random, world),
  })
}

export function putRequest(random: Random, world: World): PutRequest {
  const ignoreValue = random.oneIn(10)
  const ignoreLease = random.oneIn(10)
  const withLease = random.oneIn(ignoreLease ? 8 : 5)
  return create(PutRequestSchema, {
    key: anyKeyOrNone(random),
    value: ignoreValue && !random.oneIn(8) ? Buffer.alloc(0) : anyValue(random),
    lease: withLease ? anyLease(random, world) : 0n,
    prevKv: random.oneIn(3),
    ignoreValue,
    ignoreLease,
  })
}

/** Of few keys mostly, so that the store does not stay empty. */
export function deleteRequest(random: Random): DeleteRangeRequest {
  const range = random.oneIn(12) ? anyRange(random) : { key: anyKeyOrNone(random) }
  return create(DeleteRangeRequestSchema, { ...range, prevKv: random.oneIn(3) })
}

/** Any request that changes nothing. */
export function readRequest(random: Random, world: World): Request {
  return random.weighted<() => Request>([
    [40, () => ({ method: KV.method.range, message: rangeRequest(random, world) })],
    [2, () => ({ method: Lease.method.leaseTimeToLive, message: timeToLive(random, world) })],
    [1, () => ({ method: Lease.method.leaseLeases, message: create(LeaseLeasesRequestSchema) })],
    [1, () => ({ method: Maintenance.method.status, message: create(StatusRequestSchema) })],
  ])()
}

/** Compacts, or is refused to. Watches must be settled before. */
export async function compact(pair: Pair, random: Random): Promise<void> {
  const { world } = pair
  const revision = random.oneIn(3)
    ? someRevision(random, world)
    : world.compacted + (world.revision - world.compacted) / BigInt(2 + random.below(4))
  const request = create(CompactionRequestSchema, { revision, physical: random.oneIn(2) })
  if ((await pair.call(KV.method.compact, request)) === undefined) return
  world.compacted = revision
  world.compactions.add(revision)
}

/** The hashes cover everything that is stored: keys, values, revisions, versions, leases. */
export async function hashKv(pair: Pair, random: Random): Promise<void> {
  const { revision, compacted, compactions } = pair.world
  const revisions = [
    0n,
    revision,
    revision + 1n,
    compacted + BigInt(random.below(Number(revision - compacted) + 1)),
    1n,
  ]
  for (const asked of revisions.filter((candidate) => !compactions.has(candidate))) {
    await pair.call(Maintenance.method.hashKV, create(HashKVRequestSchema, { revision: asked }))
  }
}

/** One of the values of an enum, or rarely none of them. */
export function enumValue<E extends number>(random: Random, values: Readonly<Record<string, string | E>>): E {
  const known = Object.values(values).filter((value) => typeof value !== 'string')
  return random.oneIn(40) ? (random.pick([known.length, -1, 77]) as E) : random.pick(known)
}

function timeToLive(random: Random, world: World) {
  return create(LeaseTimeToLiveRequestSchema, { ID: anyLease(random, world), keys: random.oneIn(2) })
}
