import { expect } from 'chai'
import type { Assignment, Coordinator, MemberInfo } from '../cluster/coordination.ts'
import type { Clock } from './client/ports.ts'
import { GroupError } from './group-errors.ts'
import { createMembership, type MembershipOptions } from './group-membership.ts'
import { decodeAssignment, decodeMetadata, encodeAssignment, encodeMetadata } from './group-messages.ts'
import type { GroupRequests, Joined } from './group-requests.ts'

const HEARTBEAT_MS = 750
const LEAVE_TIMEOUT_MS = 2_000

describe('membership of a Kafka group', () => {
  let broker: ScriptedBroker
  let clock: ManualClock
  let warnings: string[]
  let assignments: Assignment[]
  let failures: Error[]
  let member: Coordinator
  let self: MemberInfo

  beforeEach(() => {
    broker = new ScriptedBroker()
    clock = new ManualClock()
    warnings = []
    assignments = []
    failures = []
    self = infoOf(1n)
    member = createMembership(broker, options())
  })

  function options(): MembershipOptions {
    return {
      heartbeatMs: HEARTBEAT_MS,
      leaveTimeoutMs: LEAVE_TIMEOUT_MS,
      clock,
      random: () => 0.5,
      logger: { info: () => {}, warn: (message) => warnings.push(message) },
    }
  }

  function start(): void {
    member.join({
      self: () => self,
      onAssignment: (assignment) => assignments.push(assignment),
      onFailure: (error) => failures.push(error),
    })
  }

  /** Joins as a follower of `leader`; the seat's first heartbeat is answered. */
  async function settle(generation = 1): Promise<void> {
    await broker.answer('join', seat(generation))
    await broker.answer('sync', assignmentOf([1n, 2n]))
    await broker.answer('heartbeat')
  }

  describe('that remembers its name', () => {
    const kept: string[] = []
    beforeEach(() => {
      kept.length = 0
      const memory = { recall: () => 'k0', keep: (kafkaId: string) => void kept.push(kafkaId) }
      member = createMembership(broker, { ...options(), memory })
      start()
    })

    it('takes its dead predecessor out of the group before it joins, and keeps its new name', async () => {
      const left = await broker.next('leave')
      expect(left.kafkaId).to.equal('k0')
      left.succeed()
      const first = await broker.next('join')
      first.fail('MEMBER_ID_REQUIRED', 'k1')
      await broker.next('join')
      expect(kept).to.deep.equal(['k1'])
    })

    it('joins all the same if the group does not know the predecessor any more', async () => {
      const left = await broker.next('leave')
      left.fail('UNKNOWN_MEMBER_ID')
      await broker.next('join')
      expect(warnings).to.deep.equal([])
    })
  })

  describe('that joins', () => {
    beforeEach(start)

    it('takes the name that the coordinator gives it, and says what it is', async () => {
      const first = await broker.next('join')
      expect(first.kafkaId).to.equal('')
      first.fail('MEMBER_ID_REQUIRED', 'k1')
      const second = await broker.next('join')
      expect(second.kafkaId).to.equal('k1')
      expect(decodeMetadata(second.bytes ?? Buffer.alloc(0))).to.deep.equal(self)
      expect(clock.slept).to.equal(0)
    })

    it('computes the assignment when it is the leader of the group, and is told it like the others', async () => {
      const members = [
        { kafkaId: 'k2', metadata: encodeMetadata({ ...infoOf(2n), ledEpoch: 4 }, 0) },
        { kafkaId: 'k1', metadata: encodeMetadata(self, 0) },
      ]
      await broker.answer('join', { ...seat(3), groupLeader: 'k1', members })
      const sync = await broker.next('sync')
      const sent = decodeAssignment(sync.bytes ?? Buffer.alloc(0))
      expect(sent.leader).to.equal(2n)
      expect(sent.members.map(({ kafkaId }) => kafkaId)).to.deep.equal(['k1', 'k2'])
      sync.succeed(sync.bytes)
      await broker.next('heartbeat')
      const infos = [self, { ...infoOf(2n), ledEpoch: 4 }]
      expect(assignments).to.deep.equal([{ generation: 3, leader: 2n, members: infos, refused: [] }])
    })

    it('leaves out whom it cannot understand, and refuses the younger of two with one URL', async () => {
      const twin = { ...infoOf(3n), clientUrls: self.clientUrls, startedAt: 9 }
      const members = [
        { kafkaId: 'k0', metadata: Buffer.from('what?') },
        { kafkaId: 'k3', metadata: encodeMetadata(twin, 0) },
        { kafkaId: 'k1', metadata: encodeMetadata(self, 0) },
      ]
      await broker.answer('join', { ...seat(1), groupLeader: 'k1', members })
      const sent = decodeAssignment((await broker.next('sync')).bytes ?? Buffer.alloc(0))
      expect(sent.members.map(({ kafkaId }) => kafkaId)).to.deep.equal(['k1'])
      expect(sent.refused.map(({ memberId }) => memberId)).to.deep.equal([3n])
      expect(warnings.join()).to.include('k0')
    })

    it('gives nothing to the coordinator when another leads the group', async () => {
      await broker.answer('join', seat(1))
      const sync = await broker.next('sync')
      expect(sync.bytes).to.equal(undefined)
      sync.succeed(assignmentOf([1n, 2n]))
      await broker.next('heartbeat')
      expect(assignments.map(({ leader, members }) => [leader, members.length])).to.deep.equal([[1n, 2]])
    })

    for (const answer of ['UNREACHABLE', 'COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'GROUP_MAX_SIZE_REACHED']) {
      it(`tries again after growing pauses on ${answer}, with what it said before`, async () => {
        const said = new Set<string>()
        let attempts = 0
        for (; clock.now() < 60_000; attempts++) {
          self = { ...self, appliedOffset: attempts }
          const join = await broker.next('join')
          said.add(join.bytes?.toString('hex') ?? '')
          join.fail(answer)
          await turn()
          expect(broker.pending, 'no request before the pause is over').to.equal(0)
          clock.advance()
        }
        expect(attempts).to.be.within(50, 100)
        expect(said.size).to.equal(1)
        expect(warnings).to.have.length(1)
        expect(failures).to.deep.equal([])
      })
    }

    for (const [answer, code] of [
      ['INVALID_SESSION_TIMEOUT', 'PROTOCOL'],
      ['INCONSISTENT_GROUP_PROTOCOL', 'PROTOCOL'],
      ['GROUP_AUTHORIZATION_FAILED', 'NOT_AUTHORISED'],
      ['NOT_AUTHENTICATED', 'NOT_AUTHENTICATED'],
    ] as const) {
      it(`fails for good on ${answer}`, async () => {
        ;(await broker.next('join')).fail(answer)
        await turn()
        expect(failures.map((error) => 'code' in error && error.code)).to.deep.equal([code])
        expect(clock.timers).to.equal(0)
        expect(broker.pending).to.equal(0)
      })
    }

    it('fails when the assignment is of a later format than it knows', async () => {
      await broker.answer('join', seat(1))
      await broker.answer('sync', Buffer.from([0x08, 0x63]))
      await turn()
      expect(failures.map(({ name }) => name)).to.deep.equal(['NewerGroupFormat'])
    })

    it('tries again when the assignment is empty', async () => {
      await broker.answer('join', seat(1))
      await broker.answer('sync', Buffer.alloc(0))
      await turn()
      clock.advance()
      await settle()
      expect(assignments).to.have.length(1)
    })

    it('is not kept busy by a coordinator that takes it in and forgets it', async () => {
      let rounds = 0
      for (; clock.now() < 10_000; rounds++) {
        await broker.answer('join', seat(rounds))
        await broker.answer('sync', assignmentOf([1n]))
        ;(await broker.next('heartbeat')).fail('UNKNOWN_MEMBER_ID')
        await turn()
        clock.advance()
      }
      expect(rounds).to.be.lessThan(300)
    })
  })

  describe('that has joined', () => {
    beforeEach(async () => {
      start()
      await settle()
    })

    it('sends a heartbeat each time that the interval is over', async () => {
      for (let round = 1; round <= 3; round++) {
        await turn()
        expect(broker.pending).to.equal(0)
        clock.advance()
        expect(clock.now()).to.equal(round * HEARTBEAT_MS)
        const heartbeat = await broker.next('heartbeat')
        expect(heartbeat.kafkaId).to.equal('k1')
        heartbeat.succeed()
      }
    })

    for (const [answer, kafkaId] of [
      ['REBALANCE_IN_PROGRESS', 'k1'],
      ['ILLEGAL_GENERATION', 'k1'],
      ['UNKNOWN_MEMBER_ID', ''],
      ['FENCED_INSTANCE_ID', ''],
    ] as const) {
      it(`joins at once on ${answer}, ${kafkaId === '' ? 'as a new member' : 'under its name'}`, async () => {
        self = { ...self, ledEpoch: 7 }
        clock.advance()
        ;(await broker.next('heartbeat')).fail(answer)
        const join = await broker.next('join')
        expect(join.kafkaId).to.equal(kafkaId)
        expect(decodeMetadata(join.bytes ?? Buffer.alloc(0)).ledEpoch).to.equal(7)
        expect(clock.now()).to.equal(HEARTBEAT_MS)
      })
    }

    it('keeps its seat while the coordinator cannot be reached', async () => {
      clock.advance()
      for (const answer of ['UNREACHABLE', 'COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR', 'UNREACHABLE']) {
        ;(await broker.next('heartbeat')).fail(answer)
        await turn()
        expect(broker.pending).to.equal(0)
        clock.advance()
      }
      await broker.answer('heartbeat')
      await turn()
      expect(broker.pending).to.equal(0)
      expect(assignments).to.have.length(1)
    })

    it('is not told the same generation twice', async () => {
      clock.advance()
      ;(await broker.next('heartbeat')).fail('ILLEGAL_GENERATION')
      await settle(1)
      expect(assignments).to.have.length(1)
      clock.advance()
      ;(await broker.next('heartbeat')).fail('REBALANCE_IN_PROGRESS')
      await settle(2)
      expect(assignments.map(({ generation }) => generation)).to.deep.equal([1, 2])
    })

    it('joins again to announce a change, so that what it says differs even if nothing else has changed', async () => {
      const said = encodeMetadata(self, 0)
      member.announce()
      const join = await broker.next('join')
      expect(join.kafkaId).to.equal('k1')
      expect(join.bytes?.equals(said)).to.equal(false)
      expect(decodeMetadata(join.bytes ?? Buffer.alloc(0))).to.deep.equal(self)
      expect(clock.now()).to.equal(0)
    })

    it('announces a change also when it comes while it joins', async () => {
      member.announce()
      const join = await broker.next('join')
      self = { ...self, ledEpoch: 3 }
      member.announce()
      join.succeed(seat(2))
      await broker.answer('sync', assignmentOf([1n, 2n]))
      expect(decodeMetadata((await broker.next('join')).bytes ?? Buffer.alloc(0)).ledEpoch).to.equal(3)
    })

    it('takes out another by the name that Kafka gave it, and looks at once what becomes of the group', async () => {
      const done = member.expel(2n)
      const leave = await broker.next('leave')
      expect(leave.kafkaId).to.equal('k2')
      leave.succeed()
      await done
      ;(await broker.next('heartbeat')).fail('REBALANCE_IN_PROGRESS')
      await broker.next('join')
      expect(clock.now()).to.equal(0)
    })

    it('takes out another while its own join is held back', async () => {
      member.announce()
      await broker.next('join')
      const done = member.expel(2n)
      await broker.answer('leave')
      await done
    })

    it('does not mind when another is gone already, or is unknown, or is itself', async () => {
      const done = member.expel(2n)
      ;(await broker.next('leave')).fail('UNKNOWN_MEMBER_ID')
      await done
      await broker.answer('heartbeat')
      await member.expel(77n)
      await member.expel(1n)
      expect(broker.pending).to.equal(0)
      expect(warnings).to.deep.equal([])
    })

    it('gives up to take out another after three attempts', async () => {
      const done = member.expel(2n)
      for (let attempt = 0; attempt < 3; attempt++) {
        ;(await broker.next('leave')).fail('UNREACHABLE')
        await turn()
        if (attempt < 2) clock.advance()
      }
      await done
      expect(warnings.join()).to.include('k2')
    })

    it('leaves under its name and sends nothing more', async () => {
      const left = member.leave()
      expect(member.leave()).to.equal(left)
      const leave = await broker.next('leave')
      expect(leave.kafkaId).to.equal('k1')
      leave.succeed()
      await left
      member.announce()
      await member.expel(2n)
      await turn()
      expect(broker.pending).to.equal(0)
      expect(clock.timers).to.equal(0)
    })

    it('leaves also while its join is held back', async () => {
      member.announce()
      const join = await broker.next('join')
      const left = member.leave()
      await broker.answer('leave')
      join.fail('UNKNOWN_MEMBER_ID')
      await left
      await turn()
      expect(broker.pending).to.equal(0)
    })

    it('has left after a while although nobody answers', async () => {
      const left = member.leave()
      await broker.next('leave')
      await turn()
      clock.advance()
      await left
      expect(clock.now()).to.equal(LEAVE_TIMEOUT_MS)
    })
  })

  it('that leaves before it was named waits for the name, so that it can be given back', async () => {
    start()
    const join = await broker.next('join')
    const left = member.leave()
    await turn()
    expect(broker.pending).to.equal(0)
    join.fail('MEMBER_ID_REQUIRED', 'k1')
    const leave = await broker.next('leave')
    expect(leave.kafkaId).to.equal('k1')
    leave.succeed()
    await left
    expect(assignments).to.deep.equal([])
  })

  it('that leaves before it has joined sends nothing', async () => {
    await member.leave()
    start()
    await turn()
    expect(broker.pending).to.equal(0)
  })
})

function infoOf(memberId: bigint): MemberInfo {
  const url = `http://node-${memberId}:2379`
  const name = `n${memberId}`
  return { memberId, name, clientUrls: [url], eligible: true, ledEpoch: 0, appliedOffset: -1, startedAt: 5 }
}

function seat(generation: number): Joined {
  return { generation, kafkaId: 'k1', groupLeader: 'k9', members: [] }
}

function assignmentOf(ids: readonly bigint[]): Buffer {
  const members = ids.map((id) => ({ kafkaId: `k${id}`, info: infoOf(id) }))
  return encodeAssignment({ leader: ids[0], members, refused: [] })
}

/** Everything that can happen without time passing has happened. */
async function turn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}

type Kind = keyof GroupRequests

interface Request {
  readonly kind: Kind
  readonly kafkaId: string
  readonly bytes: Buffer | undefined
  succeed(answer?: unknown): void
  fail(answer: string, kafkaId?: string): void
}

/** The other side of the protocol: the test answers each request as it comes. */
class ScriptedBroker implements GroupRequests {
  readonly #requests: Request[] = []

  get pending(): number {
    return this.#requests.length
  }

  /** The request that has come, which must be of this kind. */
  async next(kind: Kind): Promise<Request> {
    await turn()
    const request = this.#requests.shift()
    expect(request?.kind).to.equal(kind)
    return request!
  }

  async answer(kind: Kind, answer?: Joined | Buffer): Promise<void> {
    ;(await this.next(kind)).succeed(answer)
  }

  join(kafkaId: string, metadata: Buffer): Promise<Joined> {
    return this.#take('join', kafkaId, metadata)
  }

  sync(joined: Joined, assignment: Buffer | undefined): Promise<Uint8Array> {
    return this.#take('sync', joined.kafkaId, assignment)
  }

  heartbeat(joined: Joined): Promise<void> {
    return this.#take('heartbeat', joined.kafkaId)
  }

  leave(kafkaId: string): Promise<void> {
    return this.#take('leave', kafkaId)
  }

  #take<Answer>(kind: Kind, kafkaId: string, bytes?: Buffer): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#requests.push({
        kind,
        kafkaId,
        bytes,
        succeed: (answer) => resolve(answer as Answer),
        fail: (answer, given) => {
          reject(new GroupError(answer, `${kind}: ${answer}`, given === undefined ? {} : { kafkaId: given }))
        },
      })
    })
  }
}

/** Time passes from timer to timer, when the test says so. */
class ManualClock implements Clock {
  #now = 0
  slept = 0
  readonly #timers: { readonly at: number; readonly fire: () => void }[] = []

  now(): number {
    return this.#now
  }

  get timers(): number {
    return this.#timers.length
  }

  setTimer(delayMs: number, fire: () => void): { cancel(): void } {
    const timer = { at: this.#now + delayMs, fire }
    this.#timers.push(timer)
    return { cancel: () => this.#remove(timer) }
  }

  /** To the next timer, if there is one. */
  advance(): void {
    const [next] = [...this.#timers].sort((a, b) => a.at - b.at)
    if (next === undefined) return
    this.#remove(next)
    this.slept += next.at - this.#now
    this.#now = next.at
    next.fire()
  }

  #remove(timer: { readonly at: number; readonly fire: () => void }): void {
    const index = this.#timers.indexOf(timer)
    if (index >= 0) this.#timers.splice(index, 1)
  }
}
