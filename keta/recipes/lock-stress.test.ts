/**
 * Many owners, one lock, leases that end at any moment: what the history says must be mutual exclusion. Who was told
 * that it has the lock had the oldest key at the revision of its answer, and nobody else is told so while that key is
 * there.
 */
import { expect } from 'chai'

import { seededRandom } from '../test/differential/random.ts'
import { KV, Lease } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { Lock } from '../proto/gen/v3lockpb/v3lock_pb.js'
import { call, servedEngine, TestCall, utf8 } from '../rpc/test-client.fixture.ts'
import { RpcError } from '../transport/transport.ts'
import { turns } from './turns.fixture.ts'

const OWNERS = 12
const ROUNDS = 25
const KNOWN_REFUSALS = ['mutex: session is expired', 'context canceled', 'etcdserver: requested lease not found']

interface Tenure {
  readonly key: string
  /** Of the answer that gave the lock. */
  readonly since: bigint
}

describe('a lock under many owners whose leases end', () => {
  const { services } = servedEngine()

  for (const seed of [1, 2, 3]) {
    it(`is had by one at a time (seed ${seed})`, async () => {
      const random = seededRandom(seed)
      const tenures: Tenure[] = []
      let nextLease = 1n
      const owner = async (): Promise<void> => {
        for (let round = 0; round < ROUNDS; round++) {
          const lease = nextLease++
          await call(services, Lease.method.leaseGrant, { ID: lease, TTL: 600n })
          const as = new TestCall()
          const asked = call(services, Lock.method.lock, { name: utf8('l'), lease }, as)
          const meddled = random.oneIn(4) ? meddle(lease, as) : undefined
          try {
            const { key, header } = await asked
            tenures.push({ key: Buffer.from(key).toString(), since: header?.revision ?? 0n })
            await turns(random.below(3))
            if (random.oneIn(3)) await call(services, Lease.method.leaseRevoke, { ID: lease })
            else await call(services, Lock.method.unlock, { key })
          } catch (error) {
            if (!(error instanceof RpcError) || !KNOWN_REFUSALS.includes(error.message)) throw error
          }
          await meddled
        }
      }
      const meddle = async (lease: bigint, as: TestCall): Promise<void> => {
        await turns(random.below(40))
        if (random.oneIn(2)) as.close()
        else await call(services, Lease.method.leaseRevoke, { ID: lease }).catch(ignoreNotFound)
      }
      await Promise.all(Array.from({ length: OWNERS }, owner))
      expect(tenures.length).to.be.greaterThan((OWNERS * ROUNDS) / 2)
      for (const { key, since } of tenures) {
        const request = { key: utf8('l/'), rangeEnd: utf8('l0'), revision: since }
        const { kvs } = await call(services, KV.method.range, request)
        const [oldest] = [...kvs].sort((a, b) => Number(a.createRevision - b.createRevision))
        expect(Buffer.from(oldest?.key ?? []).toString(), `at revision ${since}`).to.equal(key)
      }
      const left = await call(services, KV.method.range, { key: utf8('l/'), rangeEnd: utf8('l0'), countOnly: true })
      expect(left.count).to.equal(0n)
    })
  }
})

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof RpcError) || error.message !== 'etcdserver: requested lease not found') throw error
}
