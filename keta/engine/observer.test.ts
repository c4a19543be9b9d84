import { expect } from 'chai'
import { MemoryLog } from '../log/memory/memory-log.ts'
import { put } from '../state/operations.fixture.ts'
import { ManualClock } from './manual-clock.fixture.ts'
import type { EngineObserver } from './observer.ts'
import { openTestEngine } from './test-engine.fixture.ts'

describe('an observer of the engine', () => {
  const clock = new ManualClock()
  const log = new MemoryLog()
  let told: string[] = []

  const observer: EngineObserver = {
    appended: (records, bytes, tookMs) => told.push(`appended ${records} in ${tookMs} ms: ${bytes > 0}`),
    committed: (tookMs) => told.push(`committed in ${tookMs} ms`),
    applied: (applied) => told.push(`applied ${applied.status === 'applied' ? applied.command.kind : applied.status}`),
    gaveUp: (requests) => requests > 0 && told.push(`gave up ${requests}`),
    ranged: () => told.push('ranged'),
    leaseRenewed: () => told.push('renewed'),
    leaseExpired: () => told.push('expired'),
    snapshotSaved: (bytes) => told.push(`saved: ${bytes > 0}`),
  }

  const open = () => openTestEngine({ log, clock, snapshotLogBytes: 400, observer })
  const putSome = (key: string) => put(key, 'x'.repeat(100))

  it('is told of batches, leases, snapshots, and of what is given up', async () => {
    const engine = await open()
    told = []
    const release = log.holdAppends()
    const puts = Promise.all([engine.propose(putSome('a')), engine.propose(putSome('b'))])
    await clock.advance(7)
    expect(engine.gauges()).to.include({ pendingProposals: 2, keys: 0 })
    release()
    await clock.settle()
    await puts
    expect(told).to.deep.equal(['appended 2 in 7 ms: true', 'applied put', 'applied put', 'committed in 0 ms'])
    expect(engine.gauges()).to.include({ pendingProposals: 0, keys: 2, leases: 0 })

    told = []
    const granted = engine.propose({ kind: 'leaseGrant', id: 5n, ttl: 10 })
    await clock.settle()
    await granted
    expect(await engine.keepAlive(5n)).to.equal(10)
    expect(engine.gauges()).to.include({ leases: 1 })
    await clock.advance(10_000)
    expect(told).to.include.members(['applied leaseGrant', 'renewed', 'expired', 'applied leaseRevoke'])

    told = []
    const more = Promise.all([engine.propose(putSome('c')), engine.propose(putSome('d')), engine.propose(putSome('e'))])
    await clock.settle()
    await more
    await clock.settle()
    expect(told).to.include('saved: true')

    told = []
    log.holdAppends()
    const late = Promise.allSettled([engine.propose(putSome('f')), engine.propose(putSome('g'))])
    await clock.settle()
    const queued = Promise.allSettled([engine.propose(putSome('h'))])
    await clock.advance(7_000)
    await late
    await queued
    expect(told).to.deep.equal(['gave up 3'])
  })
})
