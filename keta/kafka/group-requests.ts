/** The four requests of Kafka's classic group protocol, to whichever broker coordinates the group. */
import type { Connection } from '@platformatic/kafka'
import { heartbeatV4, joinGroupV7, leaveGroupV4, syncGroupV5 } from '@platformatic/kafka'
import type { KafkaClient } from './client/client.ts'
import { isMisdirected, toGroupError } from './group-errors.ts'

/** Nobody else's groups are of this type, so that the coordinator keeps foreign programs out. */
const PROTOCOL_TYPE = 'keta'
const PROTOCOL = 'keta-1'
/** Members are known by the name that the coordinator gives them, not by one of their own. */
const NO_INSTANCE = null

export interface Joined {
  readonly generation: number
  /** The name of this member. */
  readonly kafkaId: string
  /** Who computes the assignment: itself, if it is `kafkaId`. */
  readonly groupLeader: string
  /** Told to the group's leader only. */
  readonly members: readonly { readonly kafkaId: string; readonly metadata: Uint8Array }[]
}

/** All of them reject with a GroupError. */
export interface GroupRequests {
  /** @param kafkaId '' if the coordinator has not named this member yet. Held back until all have joined. */
  join(kafkaId: string, metadata: Buffer): Promise<Joined>
  /** Held back until the group's leader has given the assignment. @param assignment of all, if this is the leader. */
  sync(joined: Joined, assignment: Buffer | undefined): Promise<Uint8Array>
  heartbeat(joined: Joined): Promise<void>
  /** Takes a member out: this one, or another. */
  leave(kafkaId: string): Promise<void>
}

export interface GroupTimes {
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Within which whatever is not held back must be answered. */
  readonly answerTimeoutMs: number
}

export function groupRequests(client: KafkaClient, groupId: string, times: GroupTimes): GroupRequests {
  return new CoordinatorRequests(client, groupId, times)
}

/** A connection to the coordinator: what it is for, and how long an answer may take. */
type Line = readonly [use: string, timeoutMs: number]

class CoordinatorRequests implements GroupRequests {
  readonly #client: KafkaClient
  readonly #groupId: string
  readonly #times: GroupTimes
  // A broker answers what comes over one connection in order: while it holds back a join, nothing behind it is
  // answered, and just then it may be necessary to take out the member for whom it waits.
  readonly #held: Line
  readonly #prompt: Line

  constructor(client: KafkaClient, groupId: string, times: GroupTimes) {
    const { sessionTimeoutMs, rebalanceTimeoutMs, answerTimeoutMs } = times
    this.#client = client
    this.#groupId = groupId
    this.#times = times
    this.#held = ['group-join', rebalanceTimeoutMs + sessionTimeoutMs + answerTimeoutMs]
    this.#prompt = ['group', answerTimeoutMs]
  }

  join(kafkaId: string, metadata: Buffer): Promise<Joined> {
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#times
    return this.#ask('joining', this.#held, async (connection) => {
      const answer = await joinGroupV7.api.async(
        connection,
        this.#groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        kafkaId,
        NO_INSTANCE,
        PROTOCOL_TYPE,
        [{ name: PROTOCOL, metadata }],
      )
      return {
        generation: answer.generationId,
        kafkaId: answer.memberId ?? kafkaId,
        groupLeader: answer.leader,
        members: answer.members.map((member) => ({
          kafkaId: member.memberId,
          metadata: member.metadata ?? Buffer.alloc(0),
        })),
      }
    })
  }

  sync({ generation, kafkaId, members }: Joined, assignment: Buffer | undefined): Promise<Uint8Array> {
    return this.#ask('getting the assignment', this.#held, async (connection) => {
      const answer = await syncGroupV5.api.async(
        connection,
        this.#groupId,
        generation,
        kafkaId,
        NO_INSTANCE,
        PROTOCOL_TYPE,
        PROTOCOL,
        assignment === undefined ? [] : members.map((member) => ({ memberId: member.kafkaId, assignment })),
      )
      return answer.assignment
    })
  }

  heartbeat({ generation, kafkaId }: Joined): Promise<void> {
    return this.#ask('a heartbeat', this.#prompt, async (connection) => {
      await heartbeatV4.api.async(connection, this.#groupId, generation, kafkaId, NO_INSTANCE)
    })
  }

  leave(kafkaId: string): Promise<void> {
    return this.#ask('leaving', this.#prompt, async (connection) => {
      await leaveGroupV4.api.async(connection, this.#groupId, [{ memberId: kafkaId, groupInstanceId: NO_INSTANCE }])
    })
  }

  async #ask<Answer>(
    doing: string,
    [use, timeoutMs]: Line,
    send: (connection: Connection) => Promise<Answer>,
  ): Promise<Answer> {
    const { sessionTimeoutMs } = this.#times
    let connection: Connection | undefined
    try {
      connection = await this.#client.toCoordinator(this.#groupId, use, timeoutMs)
      return await send(connection)
    } catch (error) {
      if (connection !== undefined && isMisdirected(error)) this.#client.distrust(connection)
      throw toGroupError(error, doing, { groupId: this.#groupId, sessionTimeoutMs })
    }
  }
}
