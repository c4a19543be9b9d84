import { expect } from 'chai'

import { KV, Lease } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { Lock } from '../proto/gen/v3lockpb/v3lock_pb.js'
import { call, refusalOf, servedEngine, TestCall, utf8 } from '../rpc/test-client.fixture.ts'
import { lockService } from './lock.ts'
import { until } from './turns.fixture.ts'

const { lock, unlock } = Lock.method
const { put, range, deleteRange, compact } = KV.method
const { leaseGrant, leaseRevoke, leaseLeases, leaseTimeToLive } = Lease.method

const name = utf8('l')
/** Of all keys under the name "l". */
const everyKey = { key: utf8('l/'), rangeEnd: utf8('l0') }

describe('the Lock service', () => {
  const served = servedEngine()
  const { services } = served

  beforeEach(async () => {
    for (const ID of [1n, 2n, 3n, -10n]) await call(services, leaseGrant, { ID, TTL: 600n })
  })

  /** Asks for the lock, and resolves when the caller stands in the line. */
  async function queued(lease: bigint, as = new TestCall()) {
    const before = served.engine.revision
    const got = call(services, lock, { name, lease }, as)
    got.catch(() => undefined)
    await until(() => served.engine.revision > before)
    return { got, as, isOver: observed(got) }
  }

  it('gives a free lock at once, under the name and the lease in hexadecimal', async () => {
    const { key, header } = await call(services, lock, { name, lease: -10n })
    expect(Buffer.from(key).toString()).to.equal('l/-a')
    expect(header?.revision).to.equal(2n)
    const { kvs } = await call(services, range, { key })
    expect(kvs[0]).to.deep.include({ lease: -10n, value: new Uint8Array() })
  })

  it('grants a lease of 60 s to whoever brings none', async () => {
    const { key } = await call(services, lock, { name })
    const [lease] = (await call(services, leaseLeases, {})).leases.filter(({ ID }) => ![1n, 2n, 3n, -10n].includes(ID))
    expect(Buffer.from(key).toString()).to.equal(`l/${lease?.ID.toString(16)}`)
    expect((await call(services, leaseTimeToLive, { ID: lease?.ID ?? 0n })).grantedTTL).to.equal(60n)
  })

  it('gives the lock again to the lease that has it, without a change', async () => {
    await call(services, lock, { name, lease: 1n })
    await call(services, put, { key: utf8('other') })
    expect((await call(services, lock, { name, lease: 1n })).header?.revision).to.equal(3n)
  })

  it('lets others wait for their turn, in the order in which they came, whoever leaves the line', async () => {
    const first = await call(services, lock, { name, lease: 2n })
    const third = await queued(3n)
    const second = await queued(1n)
    await call(services, put, { key: utf8('other') })
    expect([third.isOver(), second.isOver()]).to.deep.equal([false, false])
    await call(services, unlock, { key: first.key })
    const { key, header } = await third.got
    expect(Buffer.from(key).toString()).to.equal('l/3')
    expect(header?.revision).to.equal(BigInt(served.engine.revision))
    expect(second.isOver()).to.equal(false)
    await call(services, leaseRevoke, { ID: 3n })
    expect(Buffer.from((await second.got).key).toString()).to.equal('l/1')
  })

  it('is not taken by a waiter who loses its lease meanwhile', async () => {
    const { key } = await call(services, lock, { name, lease: 1n })
    const waiter = await queued(2n)
    await call(services, leaseRevoke, { ID: 2n })
    expect(waiter.isOver()).to.equal(false)
    await call(services, unlock, { key })
    expect(await refusalOf(waiter.got)).to.equal('2: mutex: session is expired')
  })

  it('is not taken by a waiter whose key was given up and taken again further back', async () => {
    const { key } = await call(services, lock, { name, lease: 1n })
    const early = await queued(2n)
    const between = await queued(3n)
    await call(services, deleteRange, { key: utf8('l/2') })
    const late = await queued(2n)
    await call(services, unlock, { key })
    await between.got
    expect(await refusalOf(early.got)).to.equal('2: mutex: session is expired')
    expect(late.isOver()).to.equal(false)
    await call(services, leaseRevoke, { ID: 3n })
    expect(Buffer.from((await late.got).key).toString()).to.equal('l/2')
  })

  it('lets whoever gives up waiting leave the line', async () => {
    const { key } = await call(services, lock, { name, lease: 1n })
    const gone = await queued(2n)
    const next = await queued(3n)
    gone.as.close()
    expect(await refusalOf(gone.got)).to.equal('1: context canceled')
    expect((await call(services, range, { ...everyKey, countOnly: true })).count).to.equal(2n)
    expect(next.isOver()).to.equal(false)
    await call(services, unlock, { key })
    await next.got
  })

  it('is not left with a caller that is gone when its turn has come', async () => {
    const { key } = await call(services, lock, { name, lease: 1n })
    const as = new TestCall()
    const kv = new Map(services.get('etcdserverpb.KV'))
    const own = new Map([...services, ['etcdserverpb.KV', kv]])
    own.set('v3lockpb.Lock', lockService(own))
    const gone = call(own, lock, { name, lease: 2n }, as)
    await until(() => served.engine.revision === 3)
    const range = kv.get('Range')
    if (range?.kind !== 'unary') throw new Error('Range is not unary')
    const leave: typeof range.handle = async (request, call) => {
      const answer = await range.handle(request, call)
      as.close()
      return answer
    }
    kv.set('Range', { ...range, handle: leave })
    await call(services, unlock, { key })
    expect(await refusalOf(gone)).to.equal('1: context canceled')
    expect((await call(services, KV.method.range, everyKey)).kvs).to.deep.equal([])
  })

  it('goes on waiting when the history that it waits in is compacted', async () => {
    const { key } = await call(services, lock, { name, lease: 1n })
    const waiter = await queued(2n)
    for (let i = 0; i < 5; i++) await call(services, put, { key: utf8('other') })
    await call(services, compact, { revision: BigInt(served.engine.revision), physical: true })
    await call(services, unlock, { key })
    await waiter.got
  })

  it('refuses in the words of etcd, whose recipes have no statuses', async () => {
    const noLease = call(services, lock, { name, lease: 77n })
    expect(await refusalOf(noLease)).to.equal('2: etcdserver: requested lease not found')
    expect(await refusalOf(call(services, unlock, {}))).to.equal('2: etcdserver: key is not provided')
  })

  it('answers the unlocking of what is not locked', async () => {
    expect((await call(services, unlock, { key: utf8('nothing') })).header?.revision).to.equal(1n)
  })
})

/** Whether the promise is settled by now. */
function observed(promise: Promise<unknown>): () => boolean {
  let over = false
  const settled = (): void => {
    over = true
  }
  promise.then(settled, settled)
  return () => over
}
