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
  const { sessionTimeoutMs, rebalanceTimeoutMs, answerTimeoutMs } = times
  const heldTimeoutMs = rebalanceTimeoutMs + sessionTimeoutMs + answerTimeoutMs

  async function ask<Answer>(
    doing: string,
    [use, timeoutMs]: readonly [string, number],
    send: (connection: Connection) => Promise<Answer>,
  ): Promise<Answer> {
    let connection: Connection | undefined
    try {
      connection = await client.toCoordinator(groupId, use, timeoutMs)
      return await send(connection)
    } catch (error) {
      if (connection !== undefined && isMisdirected(error)) client.distrust(connection)
      throw toGroupError(error, doing, { groupId, sessionTimeoutMs })
    }
  }

  // A broker answers what comes over one connection in order: while it holds back a join, nothing behind it is
  // answered, and just then it may be necessary to take out the member for whom it waits.
  const held = ['group-join', heldTimeoutMs] as const
  const prompt = ['group', answerTimeoutMs] as const

  return {
    join: (kafkaId, metadata) =>
      ask('joining', held, async (connection) => {
        const protocols = [{ name: PROTOCOL, metadata }]
        const answer = await joinGroupV7.api.async(
          connection,
          groupId,
          sessionTimeoutMs,
          rebalanceTimeoutMs,
          kafkaId,
          NO_INSTANCE,
          PROTOCOL_TYPE,
          protocols,
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
      }),
    sync: ({ generation, kafkaId, members }, assignment) =>
      ask('getting the assignment', held, async (connection) => {
        const assignments =
          assignment === undefined ? [] : members.map((member) => ({ memberId: member.kafkaId, assignment }))
        const answer = await syncGroupV5.api.async(
          connection,
          groupId,
          generation,
          kafkaId,
          NO_INSTANCE,
          PROTOCOL_TYPE,
          PROTOCOL,
          assignments,
        )
        return answer.assignment
      }),
    heartbeat: ({ generation, kafkaId }) =>
      ask('a heartbeat', prompt, async (connection) => {
        await heartbeatV4.api.async(connection, groupId, generation, kafkaId, NO_INSTANCE)
      }),
    leave: (kafkaId) =>
      ask('leaving', prompt, async (connection) => {
        await leaveGroupV4.api.async(connection, groupId, [{ memberId: kafkaId, groupInstanceId: NO_INSTANCE }])
      }),
  }
}
