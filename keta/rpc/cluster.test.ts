import { expect } from 'chai'

import { Cluster, Maintenance } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { isMemberUrl } from './member-urls.ts'
import { call, IDENTITY, refusalOf, servedEngine } from './test-client.fixture.ts'

const { memberAdd, memberRemove, memberUpdate, memberPromote } = Cluster.method
const ID = IDENTITY.memberId

describe('the Cluster service', () => {
  const { services } = servedEngine()

  it('refuses what etcd refuses, in its words', async () => {
    const refused: readonly [Promise<unknown>, string][] = [
      [call(services, memberAdd, {}), '3: etcdserver: given member URLs are invalid'],
      [call(services, memberAdd, { peerURLs: ['ftp://a:1'] }), '3: etcdserver: given member URLs are invalid'],
      [call(services, memberAdd, { peerURLs: ['http://127.0.0.1:2379'] }), '9: etcdserver: Peer URLs already exists'],
      [call(services, memberRemove, { ID: 1n }), '5: etcdserver: member not found'],
      [
        call(services, memberRemove, { ID }),
        '2: etcdserver: re-configuration failed due to not enough started members',
      ],
      [call(services, memberUpdate, { ID: 1n }), '5: etcdserver: member not found'],
      [call(services, memberPromote, { ID: 1n }), '5: etcdserver: member not found'],
      [call(services, memberPromote, { ID }), '9: etcdserver: can only promote a learner member'],
    ]
    for (const [answer, refusal] of refused) expect(await refusalOf(answer)).to.equal(refusal)
  })

  it('says what to do instead of what it does not offer', async () => {
    const added = call(services, memberAdd, { peerURLs: ['http://10.0.0.1:2380'] })
    expect(await refusalOf(added)).to.match(/^12: keta: a node becomes a member when it is started/)
    expect(await refusalOf(call(services, memberUpdate, { ID }))).to.match(/^12: keta: .*advertise-client-urls/)
    const downgrade = call(services, Maintenance.method.downgrade, { action: 1, version: '3.5.0' })
    expect(await refusalOf(downgrade)).to.match(/^12: keta: /)
  })

  it('knows the URLs that etcd takes for those of a member', () => {
    const good = [
      'http://a:1',
      'https://[::1]:2380',
      ' http://10.0.0.1:2380 ',
      'HTTP://u:p@a:1',
      'unix://x',
      'http://a:',
    ]
    const bad = ['', 'a:1', 'http://a', 'http://a:1/', 'http://a:x', 'http:a:1', 'tcp://a:1', 'http://::1:2380']
    expect(good.filter((url) => !isMemberUrl(url))).to.deep.equal([])
    expect(bad.filter(isMemberUrl)).to.deep.equal([])
  })
})
