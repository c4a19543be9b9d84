/**
 * etcd's Cluster service. The members are those of the configuration: the calls that change them are not offered, and
 * are answered UNIMPLEMENTED.
 */
import type { Engine } from '../engine/api.ts'
import { MemberListRequestSchema, MemberListResponseSchema } from '../proto/gen/etcdserverpb/rpc_pb.js'
import type { Method } from '../transport/transport.ts'
import type { Headers } from './header.ts'
import { coldMethod } from './methods.ts'

export function clusterService(engine: Engine, headers: Headers): ReadonlyMap<string, Method> {
  const memberList = coldMethod(MemberListRequestSchema, MemberListResponseSchema, ({ linearizable }) =>
    engine.read(!linearizable, () => ({
      // As etcd: no revision in the headers of this service.
      header: headers.message(0),
      members: engine.members.map((member) => ({
        ID: member.id,
        name: member.name,
        peerURLs: [...member.peerUrls],
        clientURLs: [...member.clientUrls],
        isLearner: member.isLearner,
      })),
    })),
  )
  return new Map([['MemberList', memberList]])
}
