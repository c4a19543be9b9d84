import { createHash } from 'node:crypto'
import { expect } from 'chai'

import { KV, Maintenance } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { turns, until } from '../recipes/turns.fixture.ts'
import { call, servedEngine, TestStream } from './test-client.fixture.ts'

describe('a snapshot', () => {
  const served = servedEngine()
  const { services } = served
  let taken: TestStream<typeof Maintenance.method.snapshot>

  beforeEach(async () => {
    const value = Buffer.alloc(500_000, 'v')
    for (let i = 0; i < 4; i++) await call(services, KV.method.put, { key: Buffer.from(`k${i}`), value })
    taken = new TestStream(services, Maintenance.method.snapshot)
  })

  it('ends with the SHA-256 of what was sent, which is a multiple of 512 bytes', async () => {
    await taken.send({})
    await until(() => taken.ended)
    const blobs = taken.answers.map(({ blob }) => blob)
    const content = Buffer.concat(blobs.slice(0, -1))
    expect(content.length % 512).to.equal(0)
    expect(content.length).to.be.greaterThan(2_000_000)
    expect(Buffer.from(blobs.at(-1) ?? [])).to.deep.equal(createHash('sha256').update(content).digest())
    expect(taken.answers.slice(-2).map(({ remainingBytes }) => remainingBytes)).to.deep.equal([0n, 0n])
    expect(taken.answers.slice(0, -2).every(({ remainingBytes }) => remainingBytes > 0n)).to.equal(true)
    expect(taken.answers[0]?.version).to.equal('3.6.0')
  })

  it('sends no more than its client takes, and shows the moment when it was begun', async () => {
    taken.takesMore = false
    await taken.send({})
    await turns(20)
    expect(taken.answers.length).to.equal(1)
    await call(services, KV.method.put, { key: Buffer.from('later'), value: Buffer.from('not in it') })
    taken.drain()
    await until(() => taken.ended)
    expect(Buffer.concat(taken.answers.map(({ blob }) => blob)).includes('not in it')).to.equal(false)
  })

  it('holds back what is compacted only while it is taken', async () => {
    taken.takesMore = false
    await taken.send({})
    await call(services, KV.method.deleteRange, { key: Buffer.from('k0') })
    let compacted = false
    const request = { revision: BigInt(served.engine.revision), physical: true }
    const compacting = call(services, KV.method.compact, request).then(() => (compacted = true))
    await turns(50)
    expect(compacted).to.equal(false)
    taken.close()
    await compacting
  })
})
