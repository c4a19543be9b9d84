/** Users of a cluster: whoever asks a follower is known to the leader, and to nobody else's advantage. */
import { create, type DescMethod, type MessageInitShape, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { expect } from 'chai'
import type { Credentials } from '../credentials/credentials.ts'
import { TestCluster, type TestNode } from '../engine/cluster.fixture.ts'
import { Auth, KV, Lease, Maintenance, PutRequestSchema } from '../proto/gen/etcdserverpb/rpc_pb.js'
import type { ServiceTable } from '../transport/transport.ts'
import { createServices } from './services.ts'
import { call, refusalOf, Switch, utf8 } from './test-client.fixture.ts'

const CREDENTIALS: Credentials = {
  passwords: {
    hash: (password) => Promise.resolve(`hash of ${password}`),
    matches: (password, hash) => Promise.resolve(hash === `hash of ${password}`),
  },
}
const DENIED = '7: etcdserver: permission denied'

describe('users of a cluster', () => {
  let cluster: TestCluster
  let services: ServiceTable[]
  let letters = 0

  beforeEach(async () => {
    letters = 0
    cluster = await TestCluster.of(3)
    services = cluster.nodes.map(serve)
    await cluster.assign(1)
    // All of it by way of a follower.
    await ask(2, Auth.method.userAdd, { name: 'root', password: 'r' })
    await ask(2, Auth.method.userGrantRole, { user: 'root', role: 'root' })
    await ask(2, Auth.method.roleAdd, { name: 'a' })
    const perm = { permType: 2, key: utf8('a'), rangeEnd: utf8('b') }
    await ask(2, Auth.method.roleGrantPermission, { name: 'a', perm })
    await ask(2, Auth.method.userAdd, { name: 'alice', password: 'a' })
    await ask(2, Auth.method.userGrantRole, { user: 'alice', role: 'a' })
    await ask(2, Auth.method.authEnable, {})
  })

  afterEach(async () => {
    await cluster.stop()
    expect(cluster.errors).to.deep.equal([])
  })

  function serve(node: TestNode): ServiceTable {
    const random = (count: number) => new Uint8Array(count).fill(++letters)
    const options = { version: '3.6.16', readiness: new Switch(), random, credentials: CREDENTIALS }
    const { peerHandler, table } = createServices(node.engine, options)
    node.handler = peerHandler
    return table
  }

  function ask<M extends DescMethod>(
    node: number,
    description: M,
    request: MessageInitShape<M['input']>,
    token?: string,
  ): Promise<MessageShape<M['output']>> {
    const table = services[node - 1]
    if (table === undefined) throw new Error(`there is no node ${node}`)
    const answer = call(table, description, request, token)
    // What it rejects with is seen by whoever waits, later.
    answer.catch(() => undefined)
    return cluster.run(answer)
  }

  const login = async (node: number, name: string, password: string): Promise<string> =>
    (await ask(node, Auth.method.authenticate, { name, password })).token
  const put = (node: number, key: string, token?: string) => ask(node, KV.method.put, { key: utf8(key) }, token)
  const everywhere = [1, 2, 3]

  it('are refused by way of a follower what they may not do, and given what they may', async () => {
    const alice = await login(3, 'alice', 'a')
    for (const node of everywhere) {
      expect((await put(node, 'a', alice)).header?.revision).to.equal(BigInt(node) + 1n)
      expect(await refusalOf(put(node, 'z', alice)), `node ${node}`).to.equal(DENIED)
      expect(await refusalOf(put(node, 'a'))).to.equal('3: etcdserver: user name is empty')
      expect(await refusalOf(put(node, 'a', 'no token'))).to.equal('16: etcdserver: invalid auth token')
      const grant = { user: 'alice', role: 'root' }
      expect(await refusalOf(ask(node, Auth.method.userGrantRole, grant, alice))).to.equal(DENIED)
      expect(await refusalOf(ask(node, KV.method.compact, { revision: 1n }, alice))).to.equal(DENIED)
      const alarm = { action: 1, alarm: 1 }
      expect(await refusalOf(ask(node, Maintenance.method.alarm, alarm, alice))).to.equal(DENIED)
      expect(await refusalOf(ask(node, KV.method.range, { key: utf8('z') }, alice))).to.equal(DENIED)
      expect((await ask(node, KV.method.range, { key: utf8('a') }, alice)).count).to.equal(1n)
    }
    expect(cluster.nodes.map(({ engine }) => engine.revision)).to.deep.equal([4, 4, 4])
  })

  it('have one token for all nodes, whichever gave it', async () => {
    for (const giver of everywhere) {
      const alice = await login(giver, 'alice', 'a')
      for (const node of everywhere) await put(node, 'a', alice)
    }
  })

  it('keep their tokens when the lead changes', async () => {
    const alice = await login(1, 'alice', 'a')
    await cluster.assign(2)
    for (const node of everywhere) await put(node, 'a', alice)
  })

  it('lose their tokens on all nodes', async () => {
    const [alice, root] = [await login(1, 'alice', 'a'), await login(2, 'root', 'r')]
    await ask(3, Auth.method.userChangePassword, { name: 'alice', password: 'new' }, root)
    for (const node of everywhere) {
      expect(await refusalOf(put(node, 'a', alice))).to.equal('16: etcdserver: invalid auth token')
    }
  })

  it('get a token from a node that has an old one of theirs', async () => {
    const { authenticate } = Auth.method
    expect((await ask(2, authenticate, { name: 'alice', password: 'a' }, 'ended')).token).to.match(/^\w{16}\.\d+$/)
  })

  it('have a lease that nobody else may end, by way of any node', async () => {
    const [alice, root] = [await login(1, 'alice', 'a'), await login(1, 'root', 'r')]
    await ask(2, Lease.method.leaseGrant, { ID: 5n, TTL: 60n }, alice)
    await ask(2, KV.method.put, { key: utf8('z'), lease: 5n }, root)
    for (const node of everywhere) {
      expect(await refusalOf(ask(node, Lease.method.leaseRevoke, { ID: 5n }, alice))).to.equal(DENIED)
      const question = { ID: 5n, keys: true }
      expect(await refusalOf(ask(node, Lease.method.leaseTimeToLive, question, alice))).to.equal(DENIED)
    }
    // It ends by itself all the same.
    await cluster.clock.advance(61_000)
    expect((await ask(3, KV.method.range, { key: utf8('z') }, await login(1, 'root', 'r'))).count).to.equal(0n)
  })

  it('are who the forwarding node says: a forwarded request of nobody may do nothing', async () => {
    const leader = cluster.node(1)
    const body = toBinary(PutRequestSchema, create(PutRequestSchema, { key: utf8('a') }))
    const forward = (metadata: ReadonlyMap<string, string>) =>
      cluster.run(leader.handle({ kind: 'forward', method: 'etcdserverpb.KV/Put', body, metadata }))
    expect(await forward(new Map())).to.include({ kind: 'refusal', message: 'etcdserver: user name is empty' })
    // What clients say of themselves is no matter between nodes.
    const token = await login(1, 'alice', 'a')
    expect(await forward(new Map([['token', token]]))).to.include({ message: 'etcdserver: user name is empty' })
    const revision = String(leader.engine.access.revision)
    const named = (user: string) =>
      new Map([
        ['keta-user', user],
        ['keta-auth-revision', revision],
      ])
    expect(await forward(named('alice'))).to.include({ kind: 'answer' })
    expect(await forward(named('nobody'))).to.include({ message: 'etcdserver: permission denied' })
  })

  it('are remembered by a node that starts later, but not their tokens', async () => {
    const alice = await login(1, 'alice', 'a')
    const late = await cluster.start(4n)
    services.push(serve(late))
    await cluster.assign(1)
    expect(late.engine.access.image).to.deep.equal(cluster.node(1).engine.access.image)
    expect(await refusalOf(put(4, 'a', alice))).to.equal('16: etcdserver: invalid auth token')
    await put(4, 'a', await login(4, 'alice', 'a'))
  })
})
