import { expect } from 'chai'

import type { OpenedEngine } from '../engine/api.ts'
import { RequestFailure } from '../command/failure.ts'
import { KV, Lease } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { call, refusalOf, servedEngine, testServices, TestStream, utf8 } from './test-client.fixture.ts'

const { leaseGrant, leaseRevoke, leaseTimeToLive, leaseLeases, leaseKeepAlive } = Lease.method

describe('the Lease service', () => {
  const served = servedEngine()
  const { services } = served

  it('grants under the id asked for, whatever 64 bits it has, without moving the revision', async () => {
    for (const ID of [42n, -1n, 2n ** 63n - 1n]) {
      const answer = await call(services, leaseGrant, { ID, TTL: 100n })
      expect(answer).to.include({ ID, TTL: 100n, error: '' })
      expect(answer.header?.revision).to.equal(1n)
    }
  })

  it('chooses a positive id of 63 random bits for 0, never 0 itself', async () => {
    const draws = [new Uint8Array(8), new Uint8Array(8).fill(0xff)]
    const random = () => draws.shift() ?? new Uint8Array(8)
    const { ID } = await call(testServices(served.engine, { random }), leaseGrant, { TTL: 100n })
    expect(ID).to.equal(2n ** 63n - 1n)
  })

  it('raises the TTL to the minimum', async () => {
    expect((await call(services, leaseGrant, { ID: 1n, TTL: -5n })).TTL).to.equal(2n)
    expect((await call(testServices(served.engine, { minLeaseTtl: 9 }), leaseGrant, { ID: 2n })).TTL).to.equal(9n)
  })

  it('refuses with the texts of etcd', async () => {
    await call(services, leaseGrant, { ID: 1n, TTL: 100n })
    const tooLarge = call(services, leaseGrant, { ID: 1n, TTL: 9_000_000_001n })
    expect(await refusalOf(tooLarge)).to.equal('11: etcdserver: too large lease TTL')
    const again = call(services, leaseGrant, { ID: 1n, TTL: 100n })
    expect(await refusalOf(again)).to.equal('9: etcdserver: lease already exists')
    expect(await refusalOf(call(services, leaseRevoke, { ID: 2n }))).to.equal(
      '5: etcdserver: requested lease not found',
    )
  })

  it('tells what is left of a lease, and of which keys', async () => {
    await call(services, leaseGrant, { ID: 1n, TTL: 100n })
    await call(services, KV.method.put, { key: utf8('k'), lease: 1n })
    const answer = await call(services, leaseTimeToLive, { ID: 1n, keys: true })
    expect(answer).to.deep.include({ ID: 1n, grantedTTL: 100n, keys: [utf8('k')] })
    expect(Number(answer.TTL)).to.be.within(90, 100)
    expect((await call(services, leaseTimeToLive, { ID: 1n })).keys).to.deep.equal([])
    const unknown = await call(services, leaseTimeToLive, { ID: 5n, keys: true })
    expect(unknown).to.deep.include({ ID: 5n, TTL: -1n, grantedTTL: 0n, keys: [] })
    expect(unknown.header?.revision).to.equal(2n)
  })

  it('lists leases by their expiry', async () => {
    await call(services, leaseGrant, { ID: 1n, TTL: 300n })
    await call(services, leaseGrant, { ID: 2n, TTL: 100n })
    const { leases } = await call(services, leaseLeases, {})
    expect(leases.map(({ ID }) => ID)).to.deep.equal([2n, 1n])
  })

  it('deletes the keys of a revoked lease in one revision', async () => {
    await call(services, leaseGrant, { ID: 1n, TTL: 100n })
    await call(services, KV.method.put, { key: utf8('a'), lease: 1n })
    await call(services, KV.method.put, { key: utf8('b'), lease: 1n })
    expect((await call(services, leaseRevoke, { ID: 1n })).header?.revision).to.equal(4n)
    expect((await call(services, KV.method.range, { key: utf8('a'), rangeEnd: utf8('z') })).count).to.equal(0n)
  })

  it('renews on a stream, answers TTL 0 for what is not there, and goes on', async () => {
    await call(services, leaseGrant, { ID: 1n, TTL: 100n })
    const stream = new TestStream(services, leaseKeepAlive)
    for (const ID of [1n, 5n, 1n]) await stream.send({ ID })
    expect(stream.answers.map(({ ID, TTL }) => [ID, TTL])).to.deep.equal([
      [1n, 100n],
      [5n, 0n],
      [1n, 100n],
    ])
    expect(stream.ended).to.equal(false)
    stream.halfClose()
    expect(stream.ended).to.equal(true)
  })

  it('takes the header of a renewal before it renews', async () => {
    const { engine } = served
    let revision = 7
    const slow = Object.create(engine) as OpenedEngine
    Object.defineProperties(slow, {
      revision: { get: () => revision },
      keepAlive: {
        value: () => {
          revision = 8
          return Promise.resolve(100)
        },
      },
      identity: { value: engine.identity },
      route: { value: engine.route.bind(engine) },
      term: { value: 1 },
    })
    const stream = new TestStream(testServices(slow), leaseKeepAlive)
    await stream.send({ ID: 1n })
    expect(stream.answers[0]?.header?.revision).to.equal(7n)
  })

  it('ends a stream whose renewal is refused', async () => {
    const { engine } = served
    const stopped = Object.create(engine) as OpenedEngine
    Object.defineProperties(stopped, {
      revision: { value: 1 },
      term: { value: 1 },
      identity: { value: engine.identity },
      route: { value: engine.route.bind(engine) },
      keepAlive: { value: () => Promise.reject(new RequestFailure('STOPPED')) },
    })
    const stream = new TestStream(testServices(stopped), leaseKeepAlive)
    await stream.send({ ID: 1n })
    expect(stream.failure).to.include({ status: 14, message: 'etcdserver: server stopped' })
    expect(stream.answers).to.deep.equal([])
  })
})
