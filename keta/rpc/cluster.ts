/**
 * etcd's Cluster service. The members are the nodes that run: those that have joined the group in Kafka, or the one
 * node with a log of its own. They come and go by being started and stopped. So of the calls that change members only
 * the refusals are as etcd's; what etcd would do is refused with what to do instead.
 */
import { RequestFailure } from '../command/failure.ts'
import type { Engine, Member } from '../engine/api.ts'
import {
  Cluster,
  MemberListResponseSchema,
  MemberPromoteResponseSchema,
  MemberRemoveResponseSchema,
  MemberUpdateResponseSchema,
  MemberAddResponseSchema,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import { type Method, RpcError, STATUS } from '../transport/transport.ts'
import type { Headers } from './header.ts'
import { isMemberUrl } from './member-urls.ts'
import { coldMethod } from './methods.ts'

export function clusterService(engine: Engine, headers: Headers): ReadonlyMap<string, Method> {
  const { memberList, memberAdd, memberRemove, memberUpdate, memberPromote } = Cluster.method
  return new Map([
    [
      memberList.name,
      coldMethod(memberList.input, MemberListResponseSchema, ({ linearizable }) =>
        engine.read(!linearizable, () => ({
          // As etcd: no revision in the headers of this service.
          header: headers.message(0),
          members: engine.members.map(messageOf),
        })),
      ),
    ],
    [
      memberAdd.name,
      coldMethod(memberAdd.input, MemberAddResponseSchema, ({ peerURLs }) => {
        if (peerURLs.length === 0 || !peerURLs.every(isMemberUrl)) throw new RequestFailure('BAD_MEMBER_URLS')
        if (engine.members.some(({ clientUrls }) => clientUrls.some((url) => peerURLs.includes(url)))) {
          throw new RequestFailure('MEMBER_URLS_EXIST')
        }
        throw notOffered(
          'a node becomes a member when it is started with the same --kafka-topic and --cluster-group-id',
        )
      }),
    ],
    [
      memberRemove.name,
      coldMethod(memberRemove.input, MemberRemoveResponseSchema, ({ ID }) => {
        known(engine, ID)
        if (engine.members.length === 1) throw new RequestFailure('TOO_FEW_MEMBERS')
        throw notOffered('a node is no member any more when it is stopped')
      }),
    ],
    [
      memberUpdate.name,
      coldMethod(memberUpdate.input, MemberUpdateResponseSchema, ({ ID }) => {
        known(engine, ID)
        throw notOffered('a member has no peer URLs; its client URLs are its --advertise-client-urls')
      }),
    ],
    [
      memberPromote.name,
      coldMethod(memberPromote.input, MemberPromoteResponseSchema, ({ ID }) => {
        known(engine, ID)
        throw new RequestFailure('NOT_A_LEARNER')
      }),
    ],
  ])
}

function messageOf({ id, name, peerUrls, clientUrls, isLearner }: Member) {
  return { ID: id, name, peerURLs: [...peerUrls], clientURLs: [...clientUrls], isLearner }
}

/** @throws RequestFailure if there is no such member. */
function known(engine: Engine, id: bigint): void {
  if (!engine.members.some((member) => member.id === id)) throw new RequestFailure('MEMBER_NOT_FOUND')
}

function notOffered(instead: string): RpcError {
  return new RpcError(STATUS.UNIMPLEMENTED, `keta: ${instead}`)
}
