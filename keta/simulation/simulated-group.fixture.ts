/**
 * The group that says who should lead, and one process's membership of it. It works as Kafka's group protocol does:
 * a change makes all members join again; who has not done so in time is out. And it fails as that does: assignments
 * that come late or are of the past, a coordinator that forgets the group, members taken out although they live.
 */
import { assign } from '../cluster/assignment.ts'
import type { Assignment, Coordinator, CoordinatorPorts, MemberInfo } from '../cluster/coordination.ts'
import type { Chance } from './chance.fixture.ts'
import type { Network } from './network.fixture.ts'
import type { Process, World } from './world.fixture.ts'

export interface GroupFaults {
  readonly delayMs: number
  readonly sessionMs: number
  /** Probability of an assignment that takes up to `lateMs`. */
  readonly late: number
  readonly lateMs: number
}

const HEARTBEATS_PER_SESSION = 6

interface Member {
  readonly process: Process
  readonly ports: CoordinatorPorts
  /** When its session ends. */
  deadline: number
  /** What it said when it joined the round under way. */
  joined: MemberInfo | undefined
  /** The newest assignment that it was given. */
  given: Assignment | undefined
}

export class SimulatedGroup {
  readonly #world: World
  readonly #network: Network
  readonly #faults: GroupFaults
  readonly #chance: Chance
  readonly #members = new Map<number, Member>()
  #generation = 0
  #round = 0
  #isRoundOpen = false
  #last: Assignment | undefined

  constructor(world: World, network: Network, faults: GroupFaults) {
    this.#world = world
    this.#network = network
    this.#faults = faults
    this.#chance = world.chance.branch('group')
    this.#watchSessions()
  }

  coordinator(process: Process): Coordinator {
    let ports: CoordinatorPorts | undefined
    let hasLeft = false
    const heartbeat = (): void => {
      process.clock.setTimer(this.#faults.sessionMs / HEARTBEATS_PER_SESSION, () => {
        if (hasLeft || ports === undefined) return
        heartbeat()
        const joining = ports
        this.#send(process, 'heartbeat', () => this.#heard(process, joining))
      })
    }
    return {
      join: (given) => {
        ports = given
        this.#send(process, 'join', () => this.#heard(process, given))
        heartbeat()
      },
      announce: () => this.#send(process, 'announce', () => this.#rebalance('announcement')),
      expel: async (memberId) => {
        this.#send(process, 'expel', () => this.expel(memberId))
        await this.#answered(process)
      },
      leave: async () => {
        hasLeft = true
        this.#send(process, 'leave', () => this.#remove(process.id, 'left'))
        await this.#answered(process)
      },
    }
  }

  /** Takes a member out, whether it lives or not. */
  expel(memberId: bigint): void {
    for (const member of this.#members.values()) {
      if (member.joined?.memberId === memberId) this.#remove(member.process.id, 'expelled')
    }
  }

  /** Somebody is taken out for nothing. */
  expelAnyone(): void {
    const ids = [...this.#members.keys()]
    if (ids.length > 0) this.#remove(this.#chance.pick(ids), 'expelled for nothing')
  }

  /** The coordinator has forgotten the group: it begins anew. */
  forget(): void {
    this.#world.note(() => 'group: forgotten')
    this.#members.clear()
    this.#generation = 0
    this.#last = undefined
    this.#isRoundOpen = false
  }

  /** One member is told that another, or it itself, should lead, whatever the others were told. */
  mislead(): void {
    const members = [...this.#members.values()]
    const { generation, members: infos } = this.#last ?? { generation: 0, members: [] }
    if (members.length === 0 || infos.length === 0) return
    const told = this.#chance.pick(members)
    const own = told.joined?.memberId
    const leader = own !== undefined && this.#chance.oneIn(2) ? own : this.#chance.pick(infos).memberId
    this.#world.note(() => `group: n${told.process.node} is told that ${leader} should lead`)
    const lie = { generation: generation + this.#chance.below(2), leader, members: infos, refused: [] }
    this.#world.schedule(this.#chance.between(0, this.#faults.delayMs), told.process, 'lie', () => {
      told.ports.onAssignment(lie)
    })
  }

  #heard(process: Process, ports: CoordinatorPorts): void {
    if (process.isDead) return
    const deadline = this.#world.now + this.#faults.sessionMs
    const known = this.#members.get(process.id)
    if (known !== undefined) {
      known.deadline = deadline
      // What was lost on its way is asked for again.
      if (!this.#isRoundOpen && this.#last !== undefined && known.given !== this.#last) this.#deliver(known, this.#last)
      return
    }
    this.#members.set(process.id, { process, ports, deadline, joined: undefined, given: undefined })
    this.#rebalance(`n${process.node} joins`)
  }

  #remove(processId: number, why: string): void {
    const member = this.#members.get(processId)
    if (member === undefined) return
    this.#members.delete(processId)
    this.#rebalance(`n${member.process.node} ${why}`)
  }

  #watchSessions(): void {
    this.#world.schedule(this.#faults.sessionMs / HEARTBEATS_PER_SESSION, undefined, 'sessions', () => {
      this.#watchSessions()
      for (const [id, { deadline }] of [...this.#members]) {
        if (deadline < this.#world.now) this.#remove(id, 'was silent')
      }
    })
  }

  #rebalance(why: string): void {
    if (this.#isRoundOpen) {
      // Whoever has joined this round has said what is old by now.
      for (const member of this.#members.values()) member.joined = undefined
    }
    this.#isRoundOpen = true
    const round = ++this.#round
    this.#world.note(() => `group: rebalances because ${why}`)
    for (const member of this.#members.values()) {
      member.joined = undefined
      this.#askToJoin(member, round)
    }
    this.#world.schedule(this.#faults.sessionMs, undefined, 'round ends', () => {
      if (round !== this.#round || !this.#isRoundOpen) return
      for (const [id, { joined }] of [...this.#members]) if (joined === undefined) this.#members.delete(id)
      this.#complete()
    })
  }

  #askToJoin(member: Member, round: number): void {
    const { process, ports } = member
    this.#world.schedule(this.#chance.between(0, this.#faults.delayMs), process, 'rejoin', () => {
      if (!this.#network.reachesGroup(process.node)) return
      const info = ports.self()
      this.#send(process, 'rejoined', () => {
        if (round !== this.#round || !this.#isRoundOpen) return
        member.joined = info
        member.deadline = this.#world.now + this.#faults.sessionMs
        if ([...this.#members.values()].every(({ joined }) => joined !== undefined)) this.#complete()
      })
    })
  }

  #complete(): void {
    this.#isRoundOpen = false
    const members = [...this.#members.values()]
    if (members.length === 0) {
      this.#generation = 0
      return
    }
    const assignment = assign(
      ++this.#generation,
      members.map(({ joined }) => joined!),
    )
    this.#last = assignment
    this.#world.note(() => `group: generation ${assignment.generation}, ${assignment.leader} should lead`)
    for (const member of members) this.#deliver(member, assignment)
  }

  /** Nobody is misled any more. */
  mend(): void {
    this.#rebalance('everything is mended')
  }

  #deliver(member: Member, assignment: Assignment): void {
    const { process, ports } = member
    const { delayMs, late, lateMs } = this.#faults
    const delay = this.#chance.happens(late) ? this.#chance.between(0, lateMs) : this.#chance.between(0, delayMs)
    this.#world.schedule(delay, process, 'assignment', () => {
      if (!this.#network.reachesGroup(process.node)) return
      member.given = assignment
      ports.onAssignment(assignment)
    })
  }

  #send(process: Process, what: string, arrive: () => void): void {
    this.#world.schedule(this.#chance.skewed(0.2, this.#faults.delayMs), undefined, what, () => {
      if (this.#network.reachesGroup(process.node)) arrive()
    })
  }

  #answered(process: Process): Promise<void> {
    return new Promise((resolve) => {
      this.#world.schedule(this.#faults.delayMs, process, 'answer of the group', resolve)
    })
  }
}
