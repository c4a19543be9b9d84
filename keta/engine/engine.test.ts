/**
 * The engine on an in-memory log and a manual clock: acknowledgement, batching, failure, leases, quota, snapshots,
 * restart.
 */
import { expect } from 'chai'
import { type Key, keyFromText } from '../bytes/key.ts'
import { MemoryLog } from '../log/memory/memory-log.ts'
import { MemorySnapshots } from '../log/memory/memory-snapshots.ts'
import { put, range } from '../state/operations.fixture.ts'
import type { WatchAnswer } from '../watch/watch.ts'
import type { OpenedEngine } from './api.ts'
import { ManualClock } from './manual-clock.fixture.ts'
import type { EngineOptions } from './ports.ts'
import { REQUEST_TIMEOUT_MS } from './proposer.ts'
import { openTestEngine } from './test-engine.fixture.ts'

interface World {
  readonly clock: ManualClock
  readonly log: MemoryLog
  readonly snapshots: MemorySnapshots
}

function newWorld(): World {
  return { clock: new ManualClock(), log: new MemoryLog(), snapshots: new MemorySnapshots() }
}

function open(world: World, options: Partial<EngineOptions> = {}): Promise<OpenedEngine> {
  return openTestEngine({ ...world, ...options })
}

function get(engine: OpenedEngine, key: string): string | undefined {
  const { response } = engine.range(range(key))
  return response.kvs[0] && Buffer.from(response.kvs[0].value()).toString()
}

function countAppends(log: MemoryLog): { count: number } {
  const counted = { count: 0 }
  const append = log.append.bind(log)
  log.append = (records) => {
    counted.count++
    return append(records)
  }
  return counted
}

function countRecords(log: MemoryLog): { count: number } {
  const counted = { count: 0 }
  const append = log.append.bind(log)
  log.append = (records) => {
    counted.count += records.length
    return append(records)
  }
  return counted
}

async function damageNewest(snapshots: MemorySnapshots): Promise<void> {
  const [newest] = await snapshots.list()
  snapshots.damage(newest?.offset ?? -1)
}

/** Lets everything that is due happen, then gives what the promise has come to. */
async function settled<T>(world: World, promise: Promise<T>): Promise<T> {
  await world.clock.settle()
  return promise
}

/** How a promise stands after everything that is due has happened. */
async function outcomeOf(clock: ManualClock, promise: Promise<unknown>): Promise<string> {
  let outcome = 'pending'
  promise.then(
    () => (outcome = 'done'),
    (error: unknown) => (outcome = error instanceof Error ? error.message : String(error)),
  )
  await clock.settle()
  return outcome
}

describe('engine', () => {
  it('acknowledges a put when the log has it, and not before', async () => {
    const world = newWorld()
    const engine = await open(world)
    const release = world.log.holdAppends()
    const written = engine.propose(put('a', '1'))
    expect(await outcomeOf(world.clock, written)).to.equal('pending')
    expect(get(engine, 'a')).to.equal(undefined)
    release()
    expect(await outcomeOf(world.clock, written)).to.equal('done')
    expect((await written).revision).to.equal(2)
    expect(get(engine, 'a')).to.equal('1')
  })

  it('appends everything that arrives during an append as one batch', async () => {
    const world = newWorld()
    const engine = await open(world)
    const release = world.log.holdAppends()
    const first = engine.propose(put('a', '1'))
    await world.clock.settle()
    const others = Array.from({ length: 50 }, (_, i) => engine.propose(put(`k${i}`, 'x')))
    await world.clock.settle()
    const appends = countAppends(world.log)
    release()
    await world.clock.settle()
    await Promise.all([first, ...others])
    expect(appends.count).to.equal(1)
    expect(engine.revision).to.equal(52)
  })

  it('answers that the outcome is unknown after the request timeout, and applies the write all the same', async () => {
    const world = newWorld()
    const engine = await open(world)
    const release = world.log.holdAppends()
    const sent = engine.propose(put('sent', '1'))
    await world.clock.settle()
    const queued = engine.propose(put('queued', '1'))
    const outcomes = Promise.allSettled([sent, queued])
    await world.clock.advance(REQUEST_TIMEOUT_MS)
    expect((await outcomes).map((one) => one.status === 'rejected' && (one.reason as Error).message)).to.deep.equal([
      'TIMEOUT',
      'TIMEOUT',
    ])
    release()
    await world.clock.settle()
    expect(get(engine, 'sent')).to.equal('1')
    expect(get(engine, 'queued'), 'was never appended').to.equal(undefined)
  })

  it('ends when the log fails: unknown for what was in flight, refused for what was not', async () => {
    const world = newWorld()
    const engine = await open(world)
    const release = world.log.holdAppends()
    world.log.failNextAppend('lost', new Error('disk on fire'))
    const inFlight = outcomeOf(world.clock, engine.propose(put('a', '1')))
    expect(await inFlight).to.equal('pending')
    const results = Promise.allSettled([engine.propose(put('b', '1'))])
    release()
    await world.clock.settle()
    expect((await results)[0]).to.have.nested.property('reason.code', 'STOPPED')
    expect((await engine.stopped)?.cause).to.have.property('message', 'disk on fire')
    expect(await outcomeOf(world.clock, engine.propose(put('c', '1')))).to.equal('STOPPED')
  })

  it('keeps every acknowledged write over a restart, and raises the term', async () => {
    const world = newWorld()
    const engine = await open(world)
    const writes = Array.from({ length: 20 }, (_, i) => engine.propose(put(`k${i % 7}`, `v${i}`)))
    await world.clock.settle()
    await Promise.all(writes)
    const term = engine.term
    await engine.stop()
    const again = await open(world)
    expect(again.revision).to.equal(21)
    expect(get(again, 'k5')).to.equal('v19')
    expect(again.term).to.equal(term + 1)
  })

  it('starts from the newest snapshot, lets the log drop what two cover, and survives a damaged one', async () => {
    const world = newWorld()
    const engine = await open(world, { snapshotLogBytes: 1 })
    for (let i = 0; i < 6; i++) {
      await settled(world, engine.propose(put('k', `v${i}`)))
    }
    await engine.stop()
    expect(world.log.startOffset).to.be.greaterThan(0)
    await damageNewest(world.snapshots)
    const again = await open(world)
    expect(get(again, 'k')).to.equal('v5')
  })

  it('counts no damaged snapshot among the two that it keeps', async () => {
    const world = newWorld()
    const engine = await open(world, { snapshotLogBytes: 1 })
    for (let i = 0; i < 6; i++) {
      await settled(world, engine.propose(put('k', `v${i}`)))
    }
    await engine.stop()
    await damageNewest(world.snapshots)
    const again = await open(world, { snapshotLogBytes: 1 })
    const written = again.propose(put('k', 'last'))
    await world.clock.settle()
    await written
    await again.stop()
    await damageNewest(world.snapshots)
    expect(get(await open(world), 'k')).to.equal('last')
  })

  it('refuses to start when the log does not reach back to a usable snapshot', async () => {
    const world = newWorld()
    const engine = await open(world, { snapshotLogBytes: 1 })
    for (let i = 0; i < 6; i++) {
      await settled(world, engine.propose(put('k', `v${i}`)))
    }
    await engine.stop()
    await world.snapshots.prune(0)
    const refused = await open(world).catch((error: unknown) => error)
    expect(refused).to.have.property('code', 'OUT_OF_RANGE')
  })

  it('refuses to start, and writes nothing, when the log ends before the snapshot: it lost its tail', async () => {
    const world = newWorld()
    const engine = await open(world, { snapshotLogBytes: 1 })
    await settled(world, engine.propose(put('k', 'v')))
    await engine.stop()
    const emptied = { ...world, log: new MemoryLog() }
    const refused = await open(emptied).catch((error: unknown) => error)
    expect(refused).to.have.property('code', 'OUT_OF_RANGE')
    expect(emptied.log.endOffset).to.equal(0)
  })

  it('gives its timers back when it cannot claim the log', async () => {
    const world = newWorld()
    world.log.failNextAppend('lost', new Error('disk on fire'))
    const refused = await open(world, { autoCompaction: { mode: 'revision', retention: 1 } }).catch(
      (error: unknown) => error,
    )
    expect(refused).to.have.property('code', 'APPEND_FAILED')
    expect(world.clock.timerCount).to.equal(0)
  })
})

describe('engine leases', () => {
  it('revokes a lease through the log when its time is over, deleting its keys in one revision', async () => {
    const world = newWorld()
    const engine = await open(world)
    await settled(world, engine.propose({ kind: 'leaseGrant', id: 5n, ttl: 10 }))
    await settled(
      world,
      Promise.all([engine.propose(put('a', '1', { lease: 5n })), engine.propose(put('b', '1', { lease: 5n }))]),
    )
    await world.clock.advance(9_999)
    expect(get(engine, 'a')).to.equal('1')
    await world.clock.advance(1)
    expect(get(engine, 'a')).to.equal(undefined)
    expect(engine.revision).to.equal(4)
    expect(engine.leaseIds()).to.deep.equal([])
  })

  it('gives a renewed lease its full time again, and never revives an expired one', async () => {
    const world = newWorld()
    const engine = await open(world)
    await settled(world, engine.propose({ kind: 'leaseGrant', id: 5n, ttl: 10 }))
    await world.clock.advance(9_000)
    expect(await engine.keepAlive(5n)).to.equal(10)
    await world.clock.advance(9_000)
    expect(engine.leaseStatus(5n)?.remainingSeconds).to.equal(1)
    const release = world.log.holdAppends()
    await world.clock.advance(1_000)
    const renewal = engine.keepAlive(5n)
    expect(await outcomeOf(world.clock, renewal), 'waits for the revoke').to.equal('pending')
    release()
    await world.clock.settle()
    expect(await renewal).to.equal(undefined)
  })

  it('gives every lease its full time after a restart', async () => {
    const world = newWorld()
    const engine = await open(world)
    await settled(world, engine.propose({ kind: 'leaseGrant', id: 5n, ttl: 10 }))
    await world.clock.advance(8_000)
    await engine.stop()
    const again = await open(world)
    await world.clock.advance(9_000)
    expect(again.leaseIds()).to.deep.equal([5n])
    await world.clock.advance(1_000)
    expect(again.leaseIds()).to.deep.equal([])
  })

  it('lets no lease expire while the claim of the log is still on its way', async () => {
    const world = newWorld()
    const engine = await open(world)
    await settled(world, engine.propose({ kind: 'leaseGrant', id: 5n, ttl: 2 }))
    await engine.stop()
    const release = world.log.holdAppends()
    const opening = open(world)
    await world.clock.advance(3_000)
    release()
    const again = await opening
    expect(again.leaseIds()).to.deep.equal([5n])
    await world.clock.advance(1_999)
    expect(again.leaseIds()).to.deep.equal([5n])
    await world.clock.advance(1)
    expect(again.leaseIds()).to.deep.equal([])
  })

  it('leaves no timer behind for a lease that is granted while the engine stops', async () => {
    const world = newWorld()
    const engine = await open(world)
    const release = world.log.holdAppends()
    const granted = engine.propose({ kind: 'leaseGrant', id: 5n, ttl: 2 })
    await world.clock.settle()
    const stopping = engine.stop()
    release()
    await Promise.all([granted, stopping])
    expect(world.clock.timerCount).to.equal(0)
  })

  it('expires no lease for time in which the process stood still and could hear no renewal', async () => {
    const world = newWorld()
    const engine = await open(world)
    await settled(world, engine.propose({ kind: 'leaseGrant', id: 5n, ttl: 5 }))
    await world.clock.advance(2_000)
    world.clock.standStill(60_000)
    await world.clock.advance(0)
    expect(engine.leaseIds(), 'timers come before what the clients sent meanwhile').to.deep.equal([5n])
    expect(await engine.keepAlive(5n)).to.equal(5)
    world.clock.standStill(60_000)
    expect(await engine.keepAlive(5n), 'a renewal may also come before the timers').to.equal(5)
    await world.clock.advance(4_999)
    expect(engine.leaseIds()).to.deep.equal([5n])
    await world.clock.advance(1)
    expect(engine.leaseIds()).to.deep.equal([])
  })
})

describe('engine quota, compaction, watches', () => {
  it('raises the NOSPACE alarm when the quota is reached, and refuses writes until it is disarmed', async () => {
    const world = newWorld()
    const engine = await open(world, { quotaBytes: 200_000 })
    const filled = outcomeOf(world.clock, engine.propose(put('big', 'x'.repeat(250_000))))
    expect(() => {
      engine.admit(put('big', 'x'.repeat(250_000)))
    }).to.throw('NO_SPACE')
    expect(await filled, 'applied, and told that there is no room').to.equal('NO_SPACE')
    expect(get(engine, 'big')).to.have.length(250_000)
    expect(engine.alarms()).to.deep.equal([{ memberId: 2n, alarm: 1 }])
    expect(await outcomeOf(world.clock, engine.propose(put('a', '1')))).to.equal('NO_SPACE')
    expect(await outcomeOf(world.clock, engine.propose({ kind: 'compact', revision: 2, physical: false }))).to.equal(
      'done',
    )
  })

  it('raises the alarm once, and goes on, when the queue is full at the moment when the quota is reached', async () => {
    const world = newWorld()
    const engine = await open(world, { quotaBytes: 200_000 })
    const release = world.log.holdAppends()
    const first = engine.propose(put('big', 'x'.repeat(250_000)))
    expect(await outcomeOf(world.clock, first)).to.equal('pending')
    const queued = Array.from({ length: 50_000 }, () => engine.propose(put('k', '')))
    expect(await outcomeOf(world.clock, engine.propose(put('k', '')))).to.equal('TOO_MANY_REQUESTS')
    const settled = Promise.allSettled(queued)
    const appended = countRecords(world.log)
    release()
    await world.clock.settle()
    expect(await outcomeOf(world.clock, first)).to.equal('NO_SPACE')
    await settled
    expect(engine.alarms()).to.deep.equal([{ memberId: 2n, alarm: 1 }])
    expect(appended.count, 'the alarm too').to.equal(50_001)
    await engine.stop()
  })

  it('answers a physical compaction when the memory is free', async () => {
    const world = newWorld()
    const engine = await open(world)
    for (let i = 0; i < 5; i++) {
      await settled(world, engine.propose(put('k', 'x'.repeat(100))))
    }
    const before = engine.status().dbSizeInUse
    await settled(world, engine.compact({ kind: 'compact', revision: 6, physical: true }))
    expect(engine.status().dbSizeInUse).to.be.lessThan(before / 3)
    expect(() => engine.range(range('k', { revision: 3 }))).to.throw('COMPACTED')
    expect(() => engine.range(range('k', { revision: 7 }))).to.throw('FUTURE_REVISION')
  })

  it('catches a watcher up from history and then tells it live', async () => {
    const world = newWorld()
    const engine = await open(world)
    await settled(world, engine.propose(put('k', '1')))
    const answers: WatchAnswer[] = []
    const stream = engine.openWatchStream({ send: (answer) => answers.push(answer) > 0 })
    const flags = { progressNotify: false, noPut: false, noDelete: false, prevKv: false, fragment: false }
    stream.create({ key: keyFromText('k'), rangeEnd: '' as Key, startRevision: 1, watchId: 0n, ...flags })
    await world.clock.settle()
    await settled(world, engine.propose(put('k', '2')))
    expect(answers.map((answer) => answer.kind)).to.deep.equal(['created', 'events', 'events'])
    stream.close()
    await engine.stop()
    expect(world.clock.timerCount, 'no timer outlives the engine').to.equal(0)
  })
})
