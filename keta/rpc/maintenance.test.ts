import { create, toBinary } from '@bufbuild/protobuf'
import { expect } from 'chai'

import {
  AlarmRequest_AlarmAction as Action,
  AlarmType,
  Cluster,
  DefragmentResponseSchema,
  KV,
  Maintenance,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import { call, IDENTITY, refusalOf, servedEngine, utf8 } from './test-client.fixture.ts'

const { status, alarm, hashKV, hash, defragment } = Maintenance.method

describe('the Maintenance and Cluster services', () => {
  const served = servedEngine()
  const { services } = served

  it('report the status', async () => {
    await call(services, KV.method.put, { key: utf8('k'), value: utf8('v') })
    const answer = await call(services, status, {})
    expect(answer).to.include({
      version: '3.6.16',
      storageVersion: '3.6.0',
      leader: IDENTITY.memberId,
      isLearner: false,
      raftTerm: 1n,
      raftIndex: BigInt(served.engine.status().appendedIndex),
      dbSizeQuota: 2n ** 31n,
    })
    expect(answer.raftAppliedIndex).to.equal(answer.raftIndex)
    expect(answer.header).to.include({ revision: 2n, raftTerm: 1n })
    expect(Number(answer.dbSize)).to.be.at.least(Number(answer.dbSizeInUse))
    expect(answer.downgradeInfo).to.include({ enabled: false, targetVersion: '' })
    expect(answer.errors).to.deep.equal([])
  })

  it('raise, list and clear alarms, and show them in the status as etcd prints them', async () => {
    const request = { memberID: 2n ** 64n - 1n, alarm: AlarmType.CORRUPT }
    const raised = { memberID: 2n ** 64n - 1n, alarm: AlarmType.CORRUPT }
    const list = async (type: AlarmType) => (await call(services, alarm, { action: Action.GET, alarm: type })).alarms
    expect((await call(services, alarm, { action: Action.ACTIVATE, ...request })).alarms[0]).to.include(raised)
    expect((await list(AlarmType.NONE))[0]).to.include(raised)
    expect((await list(AlarmType.CORRUPT))[0]).to.include(raised)
    expect(await list(AlarmType.NOSPACE)).to.deep.equal([])
    expect((await call(services, status, {})).errors).to.deep.equal(['memberID:18446744073709551615 alarm:CORRUPT '])
    expect(await refusalOf(call(services, KV.method.put, { key: utf8('k') }))).to.equal(
      '15: etcdserver: corrupt cluster',
    )
    expect((await call(services, alarm, { action: Action.DEACTIVATE, ...request })).alarms[0]).to.include(raised)
    expect((await call(services, alarm, { action: Action.DEACTIVATE, ...request })).alarms).to.deep.equal([])
    expect(await refusalOf(call(services, alarm, { action: 9 as Action }))).to.match(/^3: /)
  })

  it('hash the history up to a revision', async () => {
    for (const value of ['one', 'two']) await call(services, KV.method.put, { key: utf8('k'), value: utf8(value) })
    const now = await call(services, hashKV, {})
    expect(now).to.include({ compactRevision: -1n, hashRevision: 3n })
    const past = await call(services, hashKV, { revision: 2n })
    expect(past.hash).not.to.equal(now.hash)
    expect(past.hashRevision).to.equal(2n)
    expect((await call(services, hash, {})).hash).to.equal(now.hash)
    const future = call(services, hashKV, { revision: 4n })
    expect(await refusalOf(future)).to.equal('11: etcdserver: mvcc: required revision is a future revision')
  })

  it('defragment, and answer without a header', async () => {
    const answer = await call(services, defragment, {})
    expect(toBinary(DefragmentResponseSchema, create(DefragmentResponseSchema, answer))).to.have.length(0)
  })

  it('list the members, without a revision in the header', async () => {
    const { header, members } = await call(services, Cluster.method.memberList, { linearizable: true })
    expect(header).to.include({
      clusterId: IDENTITY.clusterId,
      memberId: IDENTITY.memberId,
      revision: 0n,
      raftTerm: 1n,
    })
    expect(members).to.have.length(1)
    expect(members[0]).to.deep.include({
      ID: IDENTITY.memberId,
      name: 'keta-0',
      peerURLs: [],
      clientURLs: ['http://127.0.0.1:2379'],
      isLearner: false,
    })
  })
})
