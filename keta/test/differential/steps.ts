/** Single random steps of a session. */
import { create } from '@bufbuild/protobuf'
import {
  KV,
  Lease,
  LeaseGrantRequestSchema,
  LeaseRevokeRequestSchema,
  PutRequestSchema,
  WatchCreateRequest_FilterType,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { anyKey, anyLease, anyRange, anyTtl, hugeValue, LEASE_IDS, ODD_TTLS, someRevision } from './choices.ts'
import { compact, deleteRequest, enumValue, putRequest, readRequest } from './requests.ts'
import type { Session } from './session.ts'
import { deletesOnlyTxn, hugeTxn, readOnlyTxn, txnRequest } from './transactions.ts'
import type { WatchInit } from './watch-pair.ts'

export type Step = (session: Session) => Promise<unknown>

/** Reads at the same time. */
const READS = 8
/** Watches on one stream. */
const WATCHES = 12

export const reads: Step = ({ pair, random }) => {
  const requests = Array.from({ length: READS }, () => readRequest(random, pair.world))
  requests.push({ method: KV.method.txn, message: readOnlyTxn(random, pair.world) })
  return pair.callConcurrently(requests)
}

export const put: Step = ({ pair, random }) => pair.call(KV.method.put, putRequest(random, pair.world))
export const remove: Step = ({ pair, random }) => pair.call(KV.method.deleteRange, deleteRequest(random))
export const txn: Step = ({ pair, random }) => pair.call(KV.method.txn, txnRequest(random, pair.world))
export const largeTxn: Step = ({ pair, random }) => pair.call(KV.method.txn, hugeTxn(random))

export const deletesTxn: Step = ({ pair, random }) => pair.call(KV.method.txn, deletesOnlyTxn(random))

export const hugePut: Step = ({ pair, random }) =>
  pair.call(KV.method.put, create(PutRequestSchema, { key: anyKey(random), value: hugeValue(random) }))

export const compaction: Step = async (session) => {
  await session.settle()
  await compact(session.pair, session.random)
}

export const lease: Step = async ({ pair, random, leases }) => {
  const id = anyLease(random, pair.world)
  switch (random.below(5)) {
    case 0:
      return leases.keepAlive(id)
    case 1: {
      const revoked = await pair.call(Lease.method.leaseRevoke, create(LeaseRevokeRequestSchema, { ID: id }))
      if (revoked) pair.world.leases.delete(id)
      return
    }
    case 2:
      return leases.grantAndRevoke(random.oneIn(2) ? 0n : 424242n, random.pick(ODD_TTLS))
    default: {
      const ID = random.pick(LEASE_IDS)
      const request = create(LeaseGrantRequestSchema, { ID, TTL: anyTtl(random) })
      if (await pair.call(Lease.method.leaseGrant, request)) pair.world.leases.add(ID)
    }
  }
}

export const watch: Step = async ({ pair, random, streams, future }) => {
  const init: WatchInit = {
    ...anyRange(random),
    startRevision: random.oneIn(2) ? 0n : someRevision(random, pair.world),
    filters: random.oneIn(4) ? [enumValue(random, WatchCreateRequest_FilterType)] : [],
    prevKv: random.oneIn(2),
    fragment: random.oneIn(4),
    progressNotify: random.oneIn(4),
    watchId: random.oneIn(3) ? BigInt(random.below(20)) : 0n,
  }
  const inFuture = (init.startRevision ?? 0n) > pair.world.revision
  const stream = inFuture ? future : random.pick(streams)
  if (stream.active.size >= WATCHES) await stream.cancel(random.pick([...stream.active.keys()]))
  await stream.create(init)
}

export const unwatch: Step = async ({ random, streams }) => {
  const stream = random.pick(streams)
  const ids = [...stream.active.keys()]
  await stream.cancel(ids.length > 0 && !random.oneIn(5) ? random.pick(ids) : random.pick([0n, 500n, -1n, -3n]))
}

export const settle: Step = (session) => session.settle()
