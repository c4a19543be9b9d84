/**
 * Changes of members, of the leader and of the version, as far as one server alone refuses them.
 *
 * Not sent: what etcd would do. It adds members that do not run, and goes back to the format of 3.5; Keta refuses both.
 */
import { create } from '@bufbuild/protobuf'
import { Cluster, type DowngradeRequest_DowngradeAction, Maintenance } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import type { Pair } from './pair.ts'
import type { Session } from './session.ts'

const BAD_URLS: readonly string[][] = [
  [],
  [''],
  ['nonsense'],
  ['http://127.0.0.1'],
  ['http://127.0.0.1:2380/'],
  ['http://127.0.0.1:2380/path'],
  ['ftp://127.0.0.1:2380'],
  ['127.0.0.1:2380'],
  ['http://127.0.0.1:port'],
  ['http://[::1]'],
  ['http://::1:2380'],
  ['http:127.0.0.1:2380'],
  ['http://127.0.0.1:2380', 'http://127.0.0.1'],
  ['http://a b:2380'],
]

export async function members({ pair }: Session): Promise<void> {
  const { memberAdd, memberRemove, memberUpdate, memberPromote } = Cluster.method
  for (const peerURLs of BAD_URLS) {
    for (const isLearner of [false, true]) await pair.call(memberAdd, create(memberAdd.input, { peerURLs, isLearner }))
  }
  for (const ID of [0n, 1n, 2n ** 64n - 1n]) {
    await pair.call(memberRemove, create(memberRemove.input, { ID }))
    await pair.call(memberUpdate, create(memberUpdate.input, { ID, peerURLs: ['http://127.0.0.1:1'] }))
    await pair.call(memberPromote, create(memberPromote.input, { ID }))
    await pair.call(Maintenance.method.moveLeader, create(Maintenance.method.moveLeader.input, { targetID: ID }))
  }
  await toItself(pair)
}

/** Each server is told of the id that it has itself. */
async function toItself(pair: Pair): Promise<void> {
  const { memberRemove, memberPromote } = Cluster.method
  const { moveLeader } = Maintenance.method
  await pair.callOwn(memberRemove, (ID) => create(memberRemove.input, { ID }))
  await pair.callOwn(memberPromote, (ID) => create(memberPromote.input, { ID }))
  await pair.callOwn(moveLeader, (targetID) => create(moveLeader.input, { targetID }))
}

export async function downgrades({ pair }: Session): Promise<void> {
  const { downgrade } = Maintenance.method
  const [VALIDATE, ENABLE, CANCEL] = [0, 1, 2]
  for (const version of [
    '',
    'nonsense',
    '3',
    '3.',
    '3.4',
    '3.4.0',
    '3.6',
    '3.6.0',
    '3.7',
    '4.5',
    '2.3.1-rc.0',
    '3.5.x',
    '-1.2',
    'v3.5',
  ]) {
    for (const action of [VALIDATE, ENABLE]) await pair.call(downgrade, create(downgrade.input, { action, version }))
  }
  await pair.call(downgrade, create(downgrade.input, { action: CANCEL }))
  await pair.call(downgrade, create(downgrade.input, { action: 9 as DowngradeRequest_DowngradeAction }))
}
