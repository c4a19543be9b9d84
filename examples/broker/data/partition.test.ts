import { expect } from 'chai'
import { CoordinationError, type Data, type Entry, makeEntry, toBytes, type Version, versionOf } from 'keta/spi'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeState, encodeState, type PartitionState } from '../core/metadata.ts'
import { BrokerError } from '../errors.ts'
import { encodeBatch } from '../log/batch.ts'
import { PartitionLog } from '../log/partition-log.ts'
import type { LeaderPorts } from './leader.ts'
import { Partition } from './partition.ts'

const ME = 0
const KEY = '/brokers/topics/t/partitions/0/state'

/** A store of one key, whose answers can get lost. */
class OneKey {
  entry: Entry | undefined
  /** Of the next writes. */
  loses: 'nothing' | 'requests' | 'replies' = 'nothing'
  readonly updates: string[] = []
  #writes = 0

  set(state: PartitionState): Version {
    const version = versionOf(`v${++this.#writes}`)
    this.entry = makeEntry(KEY, toBytes(encodeState(state)), version)
    return version
  }

  readonly storage: LeaderPorts['storage'] = {
    fetchEntry: async () => this.entry,
    update: async (_key: string, data: Data, options: { readonly ifVersion?: Version } = {}) => {
      this.updates.push(`${options.ifVersion ?? 'any'}: ${new TextDecoder().decode(toBytes(data))}`)
      if (this.loses === 'requests') throw new CoordinationError('TIMEOUT', 'lost')
      if (options.ifVersion !== undefined && options.ifVersion !== this.entry?.version) {
        throw new CoordinationError('VERSION_MISMATCH', 'changed')
      }
      const version = this.set(decodeState(new TextDecoder().decode(toBytes(data))))
      if (this.loses === 'replies') throw new CoordinationError('TIMEOUT', 'lost')
      return version
    },
  }
}

describe('a replica of a partition', () => {
  let folder: string
  let store: OneKey
  let partition: Partition
  let now: number
  let live: Set<number>
  let stale: string[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keta-partition-'))
    store = new OneKey()
    now = 0
    live = new Set([0, 1, 2])
    stale = []
    const log = new PartitionLog({ folder, flushMessages: 1 })
    partition = new Partition({ topic: 't', partition: 0, topicId: 'id' }, log, {
      me: ME,
      storage: store.storage,
      maxLagMs: 100,
      now: () => now,
      live: () => live,
      changed: () => undefined,
      stale: (topic) => stale.push(topic),
    })
  })
  afterEach(() => {
    partition.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function give(leader: number, leaderEpoch: number, isr: readonly number[]): boolean {
    const state = { controllerEpoch: 1, leader, leaderEpoch, isr }
    const version = store.set(state)
    return partition.apply({ replicas: [0, 1, 2], removing: [], state, version })
  }

  /** Until all that was begun has been answered. */
  async function settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }

  const leader = () => partition.leading ?? expect.fail('it does not lead')

  it('acknowledges what all in sync have, and not before', async () => {
    give(ME, 0, [0, 1, 2])
    let answered: number | undefined
    const produced = leader().produce(bytes('a', 'b'), 1, 1_000)
    produced.then(
      (offset) => {
        answered = offset
      },
      () => undefined,
    )
    leader().fetchedBy(1, 2)
    leader().fetchedBy(2, 1)
    await settle()
    expect([answered, partition.highWatermark]).to.deep.equal([undefined, 1])
    leader().fetchedBy(2, 2)
    expect(await produced).to.equal(0)
    expect(partition.highWatermark).to.equal(2)
  })

  it('writes who is in sync only over what it knows', async () => {
    give(ME, 0, [0, 1])
    leader().fetchedBy(2, 0)
    await settle()
    expect(store.updates).to.deep.equal([
      'v1: {"controller_epoch":1,"leader":0,"version":1,"leader_epoch":0,"isr":[0,1,2]}',
    ])
    live.delete(1)
    leader().tick()
    await settle()
    expect(store.updates.at(-1)).to.equal(
      'v2: {"controller_epoch":1,"leader":0,"version":1,"leader_epoch":0,"isr":[0,2]}',
    )
    expect(leader().isr).to.deep.equal([0, 2])
  })

  it('stops when a controller has written meanwhile, and has the metadata looked at', async () => {
    give(ME, 0, [0, 1, 2])
    const produced = refusal(leader().produce(bytes('a'), 1, 1_000))
    store.set({ controllerEpoch: 2, leader: 1, leaderEpoch: 1, isr: [1, 2] })
    live.delete(1)
    leader().tick()
    await settle()
    expect(decodeState(store.entry?.text ?? '').leader).to.equal(1)
    expect(stale).to.deep.equal(['t'])
    expect(await produced).to.equal('NOT_LEADER')
    expect(() => partition.asLeader(0)).to.throw(BrokerError, 'does not lead')
  })

  it('counts whoever may be in sync while a write is in doubt', async () => {
    give(ME, 0, [0, 1])
    store.loses = 'requests'
    leader().fetchedBy(2, 0)
    await settle()
    const produced = leader().produce(bytes('a'), 1, 1_000)
    leader().fetchedBy(1, 1)
    await settle()
    expect(partition.highWatermark, 'broker 2 may be in sync').to.equal(0)
    store.loses = 'nothing'
    leader().tick()
    await settle()
    expect(leader().isr).to.deep.equal([0, 1, 2])
    leader().fetchedBy(2, 1)
    expect(await produced).to.equal(0)
  })

  it('finds its own write whose answer was lost', async () => {
    give(ME, 0, [0, 1])
    store.loses = 'replies'
    leader().fetchedBy(2, 0)
    await settle()
    expect(leader().isr).to.deep.equal([0, 1, 2])
    expect(store.updates).to.have.lengthOf(1)
  })

  it('takes nothing while too few are in sync', async () => {
    give(ME, 0, [0, 1])
    expect(await refusal(leader().produce(bytes('a'), 3, 1_000))).to.equal('NOT_ENOUGH_REPLICAS')
    expect(partition.log.endOffset).to.equal(0)
    const doubtful = refusal(leader().produce(bytes('a'), 2, 1_000))
    live.delete(1)
    leader().tick()
    await settle()
    expect(await doubtful).to.equal('NOT_ENOUGH_REPLICAS')
  })

  it('gives up what does not come to all in time', async () => {
    give(ME, 0, [0, 1])
    expect(await refusal(leader().produce(bytes('a'), 1, 5))).to.equal('REQUEST_TIMED_OUT')
  })

  it('answers only those of its own leader epoch', () => {
    give(ME, 3, [0, 1, 2])
    expect(() => partition.asLeader(2))
      .to.throw(BrokerError)
      .with.property('code', 'FENCED_LEADER_EPOCH')
    expect(() => partition.asLeader(4))
      .to.throw(BrokerError)
      .with.property('code', 'UNKNOWN_LEADER_EPOCH')
    expect(partition.asLeader(3)).to.equal(partition.asLeader())
    expect(() => leader().fetchedBy(7, 0)).to.throw(BrokerError, 'no replica')
  })

  it('changes its role with the leader epoch only', () => {
    expect(give(1, 1, [0, 1, 2])).to.equal(true)
    expect(partition.following).to.include({ leader: 1, epoch: 1 })
    expect(give(ME, 1, [0, 1, 2]), 'of the same epoch').to.equal(false)
    expect(give(ME, 0, [0, 1, 2]), 'of an earlier epoch').to.equal(false)
    expect(give(ME, 2, [0, 1, 2])).to.equal(true)
    expect(leader().epoch).to.equal(2)
    expect(give(-1, 3, [0])).to.equal(true)
    expect([partition.leading, partition.following]).to.deep.equal([undefined, undefined])
  })

  it('follows: cuts off what the leader has not, and drops what is out of date', () => {
    partition.log.append(bytes('a', 'b'), 0)
    partition.log.append(bytes('c'), 0)
    give(1, 1, [1])
    const asked = partition.following ?? expect.fail('it does not follow')
    expect(asked.ask).to.equal(0)
    partition.align(asked, { epoch: 0, end: 2 })
    expect(partition.log.endOffset).to.equal(2)
    partition.align(asked, { epoch: 0, end: 0 })
    expect(partition.log.endOffset, 'after an answer to a question of before').to.equal(2)
    const aligned = partition.following ?? expect.fail('it does not follow')
    expect(aligned.ask).to.equal(undefined)
    partition.follow(asked, 2, encodeBatch(2, 1, bytes('x')), 3)
    expect(partition.log.endOffset).to.equal(2)
    partition.follow(aligned, 2, encodeBatch(2, 1, bytes('d')), 9)
    expect([partition.log.endOffset, partition.highWatermark]).to.deep.equal([3, 3])
    give(ME, 2, [0, 1])
    expect(leader().knowsHighWatermark).to.equal(true)
  })

  it('does not know as a new leader what may be shown, until its followers have asked', async () => {
    partition.log.append(bytes('a'), 0)
    give(ME, 1, [0, 1])
    expect(leader().knowsHighWatermark).to.equal(false)
    leader().fetchedBy(1, 1)
    expect(leader().knowsHighWatermark).to.equal(true)
  })
})

function bytes(...texts: readonly string[]): readonly Buffer[] {
  return texts.map((text) => Buffer.from(text))
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  try {
    await call
    return 'none'
  } catch (error) {
    return error instanceof BrokerError ? error.code : error
  }
}
