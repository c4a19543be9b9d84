import { expect } from 'chai'

import { KV, Lease } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { Election } from '../proto/gen/v3electionpb/v3election_pb.js'
import { call, refusalOf, servedEngine, TestCall, TestStream, utf8 } from '../rpc/test-client.fixture.ts'
import { RpcError, STATUS, unary } from '../transport/transport.ts'
import { electionService } from './election.ts'
import { turns, until } from './turns.fixture.ts'

const { campaign, proclaim, leader, resign, observe } = Election.method
const { put, range, deleteRange, compact } = KV.method
const { leaseGrant, leaseRevoke, leaseLeases } = Lease.method

const name = utf8('e')

describe('the Election service', () => {
  let drawn = 10
  const served = servedEngine({ random: (count) => Buffer.alloc(count, ++drawn) })
  const { services } = served

  beforeEach(async () => {
    for (const ID of [1n, 2n, 3n]) await call(services, leaseGrant, { ID, TTL: 600n })
  })

  const elect = (lease: bigint, value: string) => call(services, campaign, { name, lease, value: utf8(value) })

  /** A candidate who stands in the line and has not been elected. */
  async function candidate(lease: bigint, value = '') {
    const before = served.engine.revision
    const as = new TestCall()
    const got = call(services, campaign, { name, lease, value: utf8(value) }, as)
    let over = false
    got.then(
      () => (over = true),
      () => (over = true),
    )
    await until(() => served.engine.revision > before)
    return { got, as, isOver: () => over }
  }

  describe('Campaign, Proclaim, Leader and Resign', () => {
    it('elects the first candidate, and tells who leads with which value', async () => {
      const { leader: elected, header } = await elect(1n, 'one')
      expect(elected).to.deep.include({ rev: 2n, lease: 1n, name, key: utf8('e/1') })
      expect(header?.revision).to.equal(2n)
      const { kv } = await call(services, leader, { name })
      expect(kv).to.deep.include({ key: utf8('e/1'), value: utf8('one'), createRevision: 2n })
    })

    it('elects the next candidate when the leader resigns or dies', async () => {
      const { leader: elected } = await elect(1n, 'one')
      const second = await candidate(2n)
      const third = await candidate(3n)
      await call(services, put, { key: utf8('other') })
      expect([second.isOver(), third.isOver()]).to.deep.equal([false, false])
      await call(services, resign, { leader: elected! })
      const { header, leader: next } = await second.got
      expect([header?.revision, next?.rev]).to.deep.equal([3n, 3n])
      expect(third.isOver()).to.equal(false)
      await call(services, leaseRevoke, { ID: 2n })
      expect((await third.got).leader?.lease).to.equal(3n)
    })

    it('does not elect a candidate who has lost its lease meanwhile', async () => {
      const { leader: elected } = await elect(1n, 'one')
      const dead = await candidate(2n)
      const living = await candidate(3n)
      await call(services, leaseRevoke, { ID: 2n })
      await call(services, resign, { leader: elected! })
      await living.got
      expect(await refusalOf(dead.got)).to.equal('2: election: not leader')
    })

    it('removes a candidate who gives up', async () => {
      await elect(1n, 'one')
      const gone = await candidate(2n)
      gone.as.close()
      expect(await refusalOf(gone.got)).to.equal('1: context canceled')
      expect((await call(services, range, { key: utf8('e/2') })).kvs).to.deep.equal([])
    })

    it('takes a new value from a leader who campaigns again, and writes nothing for the same one', async () => {
      await elect(1n, 'one')
      expect((await elect(1n, 'one')).header?.revision).to.equal(2n)
      const again = await elect(1n, 'two')
      expect(again.leader?.rev).to.equal(2n)
      expect(Buffer.from((await call(services, leader, { name })).kv!.value).toString()).to.equal('two')
    })

    it('lets only a leader proclaim', async () => {
      const { leader: elected } = await elect(1n, 'one')
      const { header } = await call(services, proclaim, { leader: elected!, value: utf8('two') })
      expect(header?.revision).to.equal(3n)
      const stale = call(services, proclaim, { leader: { ...elected!, rev: 9n }, value: utf8('three') })
      expect(await refusalOf(stale)).to.equal('2: election: not leader')
      await call(services, resign, { leader: { ...elected!, rev: 9n } })
      expect(Buffer.from((await call(services, leader, { name })).kv!.value).toString()).to.equal('two')
    })

    it('grants a lease to a candidate without one, and to a proclamation without one', async () => {
      const { leader: elected } = await elect(0n, 'one')
      expect(elected?.lease).to.not.equal(0n)
      await call(services, proclaim, { leader: { ...elected!, lease: 0n }, value: utf8('two') })
      expect((await call(services, leaseLeases, {})).leases).to.have.length(5)
    })

    it('refuses in the words of etcd', async () => {
      const missing = '2: "leader" field must be provided'
      expect(await refusalOf(call(services, proclaim, {}))).to.equal(missing)
      expect(await refusalOf(call(services, resign, {}))).to.equal(missing)
      expect(await refusalOf(call(services, leader, { name }))).to.equal('2: election: no leader')
      expect(await refusalOf(elect(77n, ''))).to.equal('2: etcdserver: requested lease not found')
    })
  })

  describe('Observe', () => {
    let seen: TestStream<typeof observe>
    const values = (): string[] => seen.answers.map(({ kv }) => Buffer.from(kv!.value).toString())

    beforeEach(() => {
      seen = new TestStream(services, observe)
    })

    afterEach(() => seen.close())

    it('shows the leader, what it proclaims, and its successors', async () => {
      const { leader: elected } = await elect(1n, 'one')
      await seen.send({ name })
      await until(() => seen.answers.length === 1)
      const next = await candidate(2n, 'other')
      await call(services, proclaim, { leader: elected!, value: utf8('two') })
      await until(() => seen.answers.length === 2)
      await call(services, resign, { leader: elected! })
      await next.got
      await until(() => seen.answers.length === 3)
      expect(values()).to.deep.equal(['one', 'two', 'other'])
      expect(seen.answers.map(({ header }) => header?.revision)).to.deep.equal([2n, 4n, 5n])
    })

    it('waits for the first candidate, also after the last one has gone', async () => {
      await seen.send({ name })
      await call(services, put, { key: utf8('e0 is another name') })
      await call(services, deleteRange, { key: utf8('e/none') })
      const first = await elect(1n, 'one')
      await until(() => seen.answers.length === 1)
      await call(services, resign, { leader: first.leader! })
      await elect(2n, 'two')
      await until(() => seen.answers.length === 2)
      expect(values()).to.deep.equal(['one', 'two'])
      expect(seen.failure).to.equal(undefined)
    })

    it('goes on after a compaction', async () => {
      const { leader: elected } = await elect(1n, 'one')
      await seen.send({ name })
      await until(() => seen.answers.length === 1)
      await call(services, put, { key: utf8('other') })
      await call(services, compact, { revision: BigInt(served.engine.revision), physical: true })
      await call(services, proclaim, { leader: elected!, value: utf8('two') })
      await until(() => seen.answers.length === 2)
    })

    it('sends no more than its client takes', async () => {
      const { leader: elected } = await elect(1n, '0')
      seen.takesMore = false
      await seen.send({ name })
      await until(() => seen.answers.length === 1)
      for (let i = 1; i <= 20; i++) await call(services, proclaim, { leader: elected!, value: utf8(String(i)) })
      await turns(50)
      expect(seen.answers.length).to.equal(1)
      seen.drain()
      await until(() => values().at(-1) === '20')
    })

    it('ends with the refusal that it meets', async () => {
      const range = unary<unknown, Uint8Array>({
        decode: () => undefined,
        encode: (bytes) => bytes,
        handle: () => Promise.reject(new RpcError(STATUS.UNAVAILABLE, 'etcdserver: no leader')),
      })
      const refusing = electionService(new Map([['etcdserverpb.KV', new Map([['Range', range]])]]))
      const refused = new TestStream(new Map([['v3electionpb.Election', refusing]]), observe)
      await refused.send({ name })
      await until(() => refused.failure !== undefined)
      expect(refused.failure).to.include({ status: STATUS.UNKNOWN, message: 'etcdserver: no leader' })
    })
  })
})
