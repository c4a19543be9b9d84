/** Recipes on a cluster: through followers, and while the lead changes. */
import { BcryptPasswords } from '../credentials/passwords.ts'
import { expect } from 'chai'

import { TestCluster } from '../engine/cluster.fixture.ts'
import { Lease } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { Lock } from '../proto/gen/v3lockpb/v3lock_pb.js'
import { createServices } from '../rpc/services.ts'
import { call, Switch, utf8 } from '../rpc/test-client.fixture.ts'
import type { ServiceTable } from '../transport/transport.ts'

const { lock, unlock } = Lock.method
const name = utf8('l')

describe('the Lock service on a cluster', () => {
  let cluster: TestCluster
  let services: readonly ServiceTable[]

  beforeEach(async () => {
    cluster = await TestCluster.of(3)
    services = cluster.nodes.map((node) => {
      const random = (count: number) => new Uint8Array(count)
      const credentials = { passwords: new BcryptPasswords(4) }
      const options = { version: '3.6.16', readiness: new Switch(), random, credentials }
      const { table, peerHandler } = createServices(node.engine, options)
      node.handle = (request) => peerHandler.handle(request)
      return table
    })
    await cluster.assign(1)
    for (const ID of [1n, 2n, 3n]) await cluster.run(call(on(1), Lease.method.leaseGrant, { ID, TTL: 600n }))
  })

  afterEach(async () => {
    await cluster.stop()
    expect(cluster.errors).to.deep.equal([])
  })

  const on = (node: number): ServiceTable => {
    const table = services[node - 1]
    if (table === undefined) throw new Error(`there is no node ${node}`)
    return table
  }

  it('gives and takes locks through followers, with their own ids in the headers', async () => {
    const { header, key } = await cluster.run(call(on(2), lock, { name, lease: 1n }))
    expect(header?.memberId).to.equal(2n)
    const waiting = call(on(3), lock, { name, lease: 2n })
    expect(await cluster.outcome(waiting)).to.equal('pending')
    await cluster.run(call(on(2), unlock, { key }))
    expect((await cluster.run(waiting)).header?.memberId).to.equal(3n)
  })

  it('keeps locks and those who wait for them over a change of leader', async () => {
    const { key } = await cluster.run(call(on(1), lock, { name, lease: 1n }))
    const waiting = [call(on(2), lock, { name, lease: 2n }), call(on(1), lock, { name, lease: 3n })]
    for (const each of waiting) expect(await cluster.outcome(each)).to.equal('pending')
    await cluster.assign(3)
    for (const each of waiting) expect(await cluster.outcome(each)).to.equal('pending')
    const [first, second] = waiting
    await answered(call(on(2), unlock, { key }))
    const taken = await answered(first!)
    expect(Buffer.from(taken.key).toString()).to.equal('l/2')
    expect(await cluster.outcome(second!)).to.equal('pending')
    await answered(call(on(3), unlock, { key: taken.key }))
    expect(Buffer.from((await answered(second!)).key).toString()).to.equal('l/3')
  })

  /** With the time that nodes take to find the new leader. */
  async function answered<T>(promise: Promise<T>): Promise<T> {
    expect(await cluster.outcome(promise, 3000)).to.equal('done')
    return promise
  }
})
