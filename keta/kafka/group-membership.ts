/**
 * The coordination port as a member of a Kafka group. One loop: join, get the assignment, send heartbeats until there
 * is a reason to join again. What fails is mended within it, after pauses that grow while nothing succeeds.
 * `group-format.md` has the choices and what they protect.
 */
import { MalformedMessage } from '../bytes/proto-reader.ts'
import { assign } from '../cluster/assignment.ts'
import type { Assignment, Coordinator, CoordinatorPorts } from '../cluster/coordination.ts'
import type { Clock, Logger } from './client/ports.ts'
import { Alarm, atMost, pauseAfter } from './group-clock.ts'
import type { Remedy } from './group-errors.ts'
import { GroupError, remedyFor, toFailure } from './group-errors.ts'
import type { GroupMember } from './group-messages.ts'
import { decodeAssignment, decodeMetadata, encodeAssignment, encodeMetadata, toAssignment } from './group-messages.ts'
import type { GroupRequests, Joined } from './group-requests.ts'

export interface MembershipOptions {
  readonly heartbeatMs: number
  /** How long `leave` may take when the coordinator does not answer. */
  readonly leaveTimeoutMs: number
  readonly clock: Clock
  /** A number from 0 up to 1. */
  readonly random: () => number
  readonly logger: Logger
  readonly memory?: NameMemory
}

/**
 * What the coordinator called this node outlives the process: one that was killed takes itself out of the group when it
 * starts again. The group would else wait for the end of its session before it elects anybody.
 */
export interface NameMemory {
  readonly recall: () => string | undefined
  readonly keep: (kafkaId: string) => void
}

const LEAVE_ATTEMPTS = 3
/** The coordinator has not named this member yet. */
const UNNAMED = ''

/** Sends nothing before `join`. */
export function createMembership(requests: GroupRequests, options: MembershipOptions): Coordinator {
  return new GroupMembership(requests, options)
}

class GroupMembership implements Coordinator {
  readonly #requests: GroupRequests
  readonly #options: MembershipOptions
  readonly #alarm: Alarm
  #running: Promise<void> = Promise.resolve()
  #leaving: Promise<void> | undefined
  /** What the coordinator calls this member. */
  #kafkaId = UNNAMED
  /** What it calls the members of the last assignment. */
  #kafkaIds: ReadonlyMap<bigint, string> = new Map()
  /** How often a new generation was wished for. */
  #round = 0
  /** Kept until it has led to an assignment: the same bytes again disturb nobody. */
  #metadata: { readonly round: number; readonly bytes: Buffer } | undefined
  #lastSeen: { readonly generation: number; readonly kafkaId: string } | undefined
  /** In a row, since the last answer that shows that this member belongs to the group. */
  #failures = 0
  #lastWarning = ''

  constructor(requests: GroupRequests, options: MembershipOptions) {
    this.#requests = requests
    this.#options = options
    this.#alarm = new Alarm(options.clock)
  }

  join(ports: CoordinatorPorts): void {
    if (this.#leaving !== undefined) return
    this.#running = this.#run(ports)
  }

  announce(): void {
    this.#round++
    this.#alarm.ring()
  }

  async expel(memberId: bigint): Promise<void> {
    const kafkaId = this.#kafkaIds.get(memberId)
    if (kafkaId === undefined || kafkaId === this.#kafkaId || this.#leaving !== undefined) return
    this.#options.logger.info('taking a member out of the group', { member: memberId.toString(16), kafkaId })
    await this.#takeOut(kafkaId)
    // The heartbeat that this brings forward is answered with the rebalance.
    this.#alarm.ring()
  }

  leave(): Promise<void> {
    this.#leaving ??= atMost(this.#options.clock, this.#options.leaveTimeoutMs, this.#sayGoodbye())
    this.#alarm.ring()
    return this.#leaving
  }

  async #sayGoodbye(): Promise<void> {
    // The name that a first join is about to bring would be waited for by everybody else's joins.
    if (this.#kafkaId === UNNAMED) await this.#running
    if (this.#kafkaId !== UNNAMED) await this.#takeOut(this.#kafkaId)
    await this.#running
  }

  /** Ends when this node leaves, or when trying again cannot help. */
  async #run(ports: CoordinatorPorts): Promise<void> {
    let seat: Seat | undefined
    const former = this.#options.memory?.recall()
    if (former !== undefined) await this.#takeOut(former)
    while (!this.#isLeaving()) {
      try {
        seat ??= await this.#join(ports)
        await this.#stay(seat)
        seat = undefined
      } catch (error) {
        const remedy = remedyForAny(error)
        // Also when leaving: the name has to be given back.
        if (remedy === 'identify' && error instanceof GroupError) this.#named(error.kafkaId ?? UNNAMED)
        if (this.#isLeaving()) return
        if (remedy === 'fail') {
          ports.onFailure(error instanceof GroupError ? toFailure(error) : toError(error))
          return
        }
        if (remedy !== 'wait') seat = undefined
        await this.#mend(toError(error), remedy)
      }
    }
  }

  async #join(ports: CoordinatorPorts): Promise<Seat> {
    const round = this.#round
    if (this.#metadata?.round !== round) this.#metadata = { round, bytes: encodeMetadata(ports.self(), round) }
    const joined = await this.#requests.join(this.#kafkaId, this.#metadata.bytes)
    this.#named(joined.kafkaId)
    const isGroupLeader = joined.groupLeader === joined.kafkaId
    const answer = await this.#requests.sync(joined, isGroupLeader ? this.#assign(joined) : undefined)
    const message = decodeAssignment(answer)
    this.#kafkaIds = new Map(message.members.map(({ kafkaId, info }) => [info.memberId, kafkaId]))
    this.#metadata = undefined
    // Not zero before a heartbeat was answered too: a broker that takes members in and forgets them must not keep us
    // busy.
    this.#failures = Math.min(this.#failures, 1)
    if (!this.#isLeaving()) this.#deliver(ports, joined, toAssignment(joined.generation, message))
    return { joined, round }
  }

  #assign({ generation, members }: Joined): Buffer {
    const understood: GroupMember[] = []
    for (const { kafkaId, metadata } of members) {
      try {
        understood.push({ kafkaId, info: decodeMetadata(metadata) })
      } catch (error) {
        this.#warn(`what member ${kafkaId} of the group says of itself cannot be read: ${toError(error).message}`)
      }
    }
    const assignment = assign(
      generation,
      understood.map(({ info }) => info),
    )
    const accepted = understood.filter(({ info }) => assignment.members.includes(info))
    return encodeAssignment({ ...assignment, members: inOrder(accepted) })
  }

  /** Who joins again without a change, when nobody else did, is told the same generation again. */
  #deliver(ports: CoordinatorPorts, { generation, kafkaId }: Joined, assignment: Assignment): void {
    if (this.#lastSeen?.generation === generation && this.#lastSeen.kafkaId === kafkaId) return
    this.#lastSeen = { generation, kafkaId }
    this.#options.logger.info('a new generation of the group', {
      generation,
      leader: assignment.leader?.toString(16),
      members: assignment.members.map(({ name }) => name),
    })
    ports.onAssignment(assignment)
  }

  /** Resolves when there is a reason of our own to join again or to go; rejects when the coordinator gives one. */
  async #stay({ joined, round }: Seat): Promise<void> {
    while (round === this.#round && !this.#isLeaving()) {
      await this.#requests.heartbeat(joined)
      this.#failures = 0
      this.#lastWarning = ''
      await this.#alarm.sleep(this.#options.heartbeatMs)
    }
  }

  async #mend(error: Error, remedy: Remedy): Promise<void> {
    if (remedy === 'anew') this.#kafkaId = UNNAMED
    this.#failures++
    if (remedy === 'wait' || remedy === 'anew') this.#warn(error.message)
    const inVain = remedy === 'wait' ? this.#failures : this.#failures - 1
    if (inVain > 0) await this.#alarm.sleep(pauseAfter(inVain, this.#options.random()))
  }

  #named(kafkaId: string): void {
    if (kafkaId === this.#kafkaId) return
    this.#kafkaId = kafkaId
    if (kafkaId !== UNNAMED) this.#options.memory?.keep(kafkaId)
  }

  /** Gives up after some attempts: then the session has to end by itself. */
  async #takeOut(kafkaId: string): Promise<void> {
    const { clock, random } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#requests.leave(kafkaId)
        return
      } catch (error) {
        const remedy = remedyForAny(error)
        if (remedy === 'anew') return
        if (remedy === 'fail' || attempt === LEAVE_ATTEMPTS) {
          this.#warn(`member ${kafkaId} could not be taken out of the group: ${toError(error).message}`)
          return
        }
      }
      await new Alarm(clock).sleep(pauseAfter(attempt, random()))
    }
  }

  /** The same trouble is told once, until it is over. */
  #warn(message: string): void {
    if (message === this.#lastWarning) return
    this.#lastWarning = message
    this.#options.logger.warn(message)
  }

  #isLeaving(): boolean {
    return this.#leaving !== undefined
  }
}

/** A place in one generation, and which of our rounds has brought it about. */
interface Seat {
  readonly joined: Joined
  readonly round: number
}

/** An assignment that cannot be read may be followed by a better one. */
function remedyForAny(error: unknown): Remedy {
  if (error instanceof GroupError) return remedyFor(error)
  return error instanceof MalformedMessage ? 'wait' : 'fail'
}

function inOrder(members: readonly GroupMember[]): readonly GroupMember[] {
  return [...members].sort((a, b) => (a.info.memberId < b.info.memberId ? -1 : 1))
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
