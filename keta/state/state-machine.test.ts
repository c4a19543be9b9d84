/** The rule by which every replica accepts or ignores the log's records. */
import { expect } from 'chai'
import fc from 'fast-check'
import { ZERO_HASH } from '../bytes/hash64.ts'
import { encodeClaim } from '../command/claim.ts'
import { encodeCommand } from '../command/codec.ts'
import { encodeRecord, RecordChain } from '../command/record.ts'
import { RecordError } from '../command/record-error.ts'
import { command } from './commands.arbitraries.ts'
import { put } from './operations.fixture.ts'
import { CLAIMER, contents, OWNER, Replica } from './replica.fixture.ts'
import { LogDivergedError, StateDivergedError, StateMachine } from './state-machine.ts'

const OTHER = Buffer.from('somebody else...')
const PAYLOAD = encodeCommand(put('k', 'v'))

describe('a claim', () => {
  it('begins the next epoch under its owner, with seq 0', () => {
    const state = new StateMachine()
    const claimer = { memberId: 7n, urls: ['http://a'], readLeaseMs: 50 }
    const record = RecordChain.claiming(state.position, OWNER).claim(claimer)
    const claimed = { status: 'claimed', epoch: 1, owner: OWNER.toString('latin1'), claimer }
    expect(state.apply(10, record)).to.deep.equal(claimed)
    expect(state.position).to.include({ offset: 10, epoch: 1, seq: 0, owner: OWNER.toString('latin1') })
    expect(state.position.hash).not.to.equal(ZERO_HASH)
  })

  it('is void if another one came first', () => {
    const state = new StateMachine()
    const mine = RecordChain.claiming(state.position, OWNER).claim(CLAIMER)
    const other = RecordChain.claiming(state.position, OTHER).claim(CLAIMER)
    state.apply(0, mine)
    expect(state.apply(1, other)).to.deep.equal({ status: 'ignored', reason: 'void-claim' })
    expect(state.apply(2, mine)).to.deep.equal({ status: 'ignored', reason: 'void-claim' })
    expect(state.position).to.include({ offset: 2, epoch: 1, owner: OWNER.toString('latin1') })
  })

  it('is valid whatever landed since its writer looked: it cannot know the hash before it', () => {
    const replica = new Replica()
    const other = RecordChain.claiming(replica.state.position, OTHER).claim(CLAIMER)
    replica.run(put('k'))
    expect(replica.state.apply(9, other).status).to.equal('claimed')
    const chain = RecordChain.continuing(replica.state.position)
    expect(replica.state.apply(10, chain.command(PAYLOAD)).status).to.equal('applied')
  })

  it('of a node that knows of an epoch which is not in the log stops the replica', () => {
    const state = new StateMachine()
    const claim = RecordChain.claiming({ ...state.position, epoch: 1 }, OWNER).claim(CLAIMER)
    expect(() => state.apply(0, claim))
      .to.throw(LogDivergedError, 'epoch 1')
      .with.property('code', 'LOG_DIVERGED')
  })

  it('raises the feature level, and a level that is not known stops the replica', () => {
    const state = new StateMachine()
    const claim = (level: number) => RecordChain.claiming(state.position, OWNER).claim(CLAIMER, level)
    expect(() => state.apply(0, claim(2)))
      .to.throw(RecordError)
      .with.property('code', 'UNSUPPORTED_RECORD')
    state.apply(0, claim(1))
    state.apply(1, claim(0))
    expect(state.featureLevel).to.equal(1)
  })

  it('whose header does not fit its content is garbled', () => {
    const payload = encodeClaim({ prevEpoch: 0, ...CLAIMER, featureLevel: 1 })
    const header = {
      kind: 'claim',
      epoch: 3,
      owner: OWNER.toString('latin1'),
      seq: 0,
      previousHash: ZERO_HASH,
    } as const
    const apply = () => new StateMachine().apply(0, encodeRecord(header, payload))
    expect(apply).to.throw(RecordError).with.property('code', 'GARBLED_RECORD')
  })
})

describe('a command', () => {
  it('stops the replica before any claim: the log has lost the one that it follows', () => {
    const header = {
      kind: 'command',
      epoch: 0,
      owner: OWNER.toString('latin1'),
      seq: 1,
      previousHash: ZERO_HASH,
    } as const
    expect(() => new StateMachine().apply(0, encodeRecord(header, PAYLOAD))).to.throw(LogDivergedError)
  })

  it('is ignored if its owner has been deposed, also by itself', () => {
    for (const successor of [OTHER, OWNER]) {
      const { state, chain } = claimed()
      const late = chain.command(PAYLOAD)
      state.apply(1, RecordChain.claiming(state.position, successor).claim(CLAIMER))
      const before = contents(state)
      expect(state.apply(2, late)).to.deep.equal({ status: 'ignored', reason: 'stale-epoch' })
      expect(contents(state)).to.equal(before)
    }
  })

  it('stops the replica if another has claimed the epoch: its writer read a log in which itself did', () => {
    const { state } = claimed()
    const loser = RecordChain.continuing({ ...state.position, owner: OTHER.toString('latin1') })
    expect(() => state.apply(1, loser.command(PAYLOAD))).to.throw(LogDivergedError, 'is in epoch 1, which process')
  })

  it('is applied once, however often a retried append put it into the log', () => {
    const { state, chain } = claimed()
    const batch = [chain.command(PAYLOAD), chain.command(PAYLOAD)]
    const statuses = [...batch, ...batch].map((record, index) => state.apply(1 + index, record).status)
    expect(statuses).to.deep.equal(['applied', 'applied', 'ignored', 'ignored'])
    expect(state.store.revision).to.equal(3)
    expect(state.position).to.include({ offset: 4, seq: 2 })
  })

  it('stops the replica if one before it is missing: the log has lost it', () => {
    const { state, chain } = claimed()
    chain.command(PAYLOAD)
    const second = chain.command(PAYLOAD)
    expect(() => state.apply(1, second)).to.throw(LogDivergedError, 'is number 2 of epoch 1')
    expect(state.position.offset, 'nothing has changed').to.equal(0)
  })

  it('in the right place, but of another past, stops the replica', () => {
    const { state, chain } = claimed()
    const forked = RecordChain.continuing(state.position)
    chain.command(PAYLOAD)
    state.apply(1, forked.command(encodeCommand(put('other'))))
    const before = contents(state)
    const next = chain.command(PAYLOAD)
    expect(() => state.apply(2, next))
      .to.throw(LogDivergedError, 'seq 2')
      .with.property('code', 'LOG_DIVERGED')
    expect(contents(state)).to.equal(before)
    expect(state.position.offset).to.equal(1)
  })

  it('of an epoch whose claim is not in the log stops the replica', () => {
    const { state } = claimed()
    const future = RecordChain.continuing({ ...state.position, epoch: 2 })
    expect(() => state.apply(1, future.command(PAYLOAD))).to.throw(LogDivergedError, 'epoch 2')
  })

  it('that cannot be understood changes nothing', () => {
    const { state, chain } = claimed()
    const before = contents(state)
    const position = state.position
    const broken = chain.command(Uint8Array.of(200))
    expect(() => state.apply(1, broken))
      .to.throw(RecordError)
      .with.property('code', 'UNSUPPORTED_RECORD')
    expect(contents(state)).to.equal(before)
    expect(state.position).to.equal(position)
  })

  it('is taken as its writer decoded it, if the writer hands it in', () => {
    const { state, chain } = claimed()
    const applied = state.apply(1, chain.command(PAYLOAD), { command: put('handed in'), author: undefined })
    expect(applied).to.have.nested.property('commit.events[0].version.key', 'handed in')
  })

  it('that was refused still counts as a record', () => {
    const replica = new Replica()
    replica.refusal({ kind: 'leaseRevoke', id: 5n })
    expect(replica.state.position.seq).to.equal(1)
    replica.answer(put('k'))
  })
})

describe('a tick', () => {
  it('takes its place in the chain and changes nothing else', () => {
    const { state, chain } = claimed()
    const before = contents(state)
    expect(state.apply(1, chain.tick(0))).to.deep.equal({ status: 'ticked' })
    expect(contents(state)).to.equal(before)
    expect(state.apply(2, chain.command(PAYLOAD)).status).to.equal('applied')
  })
})

describe('the digest', () => {
  it('of a tick stops a replica whose state is another one', () => {
    const { state, chain } = claimed()
    state.apply(1, chain.command(PAYLOAD))
    const { digest } = state.position
    const tick = chain.tick((digest + 1) % 2 ** 32)
    expect(() => state.apply(2, tick)).to.throw(StateDivergedError, 'offset 2')
    expect(state.position.offset).to.equal(1)
  })

  it('changes with every command, also with one that is refused', () => {
    const replica = new Replica()
    const seen = new Set([replica.state.position.digest])
    replica.answer(put('k', 'v'))
    seen.add(replica.state.position.digest)
    replica.answer({ kind: 'compact', revision: 2, physical: false })
    seen.add(replica.state.position.digest)
    replica.refusal({ kind: 'leaseRevoke', id: 5n })
    seen.add(replica.state.position.digest)
    expect(seen.size).to.equal(4)
  })

  it('tells states apart whose values differ in length only', () => {
    const [one, other] = ['v', 'vv'].map((value) => {
      const replica = new Replica()
      replica.answer(put('k', value))
      return replica.state.position.digest
    })
    expect(one).to.not.equal(other)
  })
})

describe('the state machine', () => {
  it('takes offsets with gaps, but never goes back', () => {
    const { state, chain } = claimed()
    state.apply(100, chain.tick(0))
    const next = chain.tick(0)
    expect(() => state.apply(100, next)).to.throw('offset 100')
  })

  it('gives the same answers and the same state for the same records', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40, size: 'max' }), (commands) => {
        const original = new Replica()
        for (const each of commands) original.run(each)
        const replay = replayed(original.records)
        expect(contents(replay)).to.equal(contents(original.state))
        expect(replay.position).to.deep.equal(original.state.position)
        expect(Buffer.concat([...replay.dump().chunks])).to.deep.equal(Buffer.concat([...original.state.dump().chunks]))
      }),
      { numRuns: 50 },
    )
  })

  it('comes to the same state with records of deposed owners, repeated batches and void claims in between', () => {
    const junk = fc.record({ at: fc.nat(), what: fc.constantFrom('repeat', 'stale', 'void') })
    fc.assert(
      fc.property(
        fc.array(command, { minLength: 1, maxLength: 20, size: 'max' }),
        fc.array(junk, { maxLength: 10 }),
        (commands, junks) => {
          const original = new Replica()
          const first = original.records.slice()
          for (const each of commands) original.run(each)
          const records = original.records.slice()
          for (const { at, what } of junks) {
            const index = 1 + (at % records.length)
            const repeated = records[index - 1] ?? Buffer.alloc(0)
            const deposed = encodeRecord(
              { kind: 'command', epoch: 0, owner: OTHER.toString('latin1'), seq: 1, previousHash: ZERO_HASH },
              PAYLOAD,
            )
            records.splice(index, 0, what === 'repeat' ? repeated : what === 'stale' ? deposed : (first[0] ?? deposed))
          }
          const replay = replayed(records)
          expect(contents(replay)).to.equal(contents(original.state))
          expect(replay.position.hash).to.equal(original.state.position.hash)
        },
      ),
      { numRuns: 50 },
    )
  })
})

function claimed(): { state: StateMachine; chain: RecordChain } {
  const state = new StateMachine()
  const chain = RecordChain.claiming(state.position, OWNER)
  state.apply(0, chain.claim(CLAIMER))
  return { state, chain }
}

function replayed(records: readonly Buffer[]): StateMachine {
  const state = new StateMachine()
  records.forEach((record, offset) => state.apply(offset, record))
  return state
}
