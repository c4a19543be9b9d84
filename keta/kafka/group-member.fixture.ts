/**
 * A process that is a member of a group, for tests that kill or stop it. It is given what to be as JSON in its first
 * argument, sends every assignment and failure to its parent, and does what the parent's messages say.
 */
import type { Assignment } from '../cluster/coordination.ts'
import { createKafkaClient } from './client/kafka-client.ts'
import { createGroupCoordinator } from './group-coordinator.ts'

export interface MemberSettings {
  readonly bootstrapServers: readonly { readonly host: string; readonly port: number }[]
  readonly groupId: string
  readonly memberId: number
  readonly sessionTimeoutMs?: number
}

/** Member ids are small numbers here, so that messages are plain JSON. */
export type MemberOrder =
  | { readonly do: 'announce'; readonly ledEpoch: number }
  | { readonly do: 'expel'; readonly memberId: number }
  | { readonly do: 'leave' }

export interface MemberNews {
  /** Milliseconds of the wall clock, which all processes of a test share. */
  readonly at: number
  readonly generation?: number
  readonly leader?: number | undefined
  readonly members?: readonly number[]
  readonly refused?: readonly number[]
  readonly failure?: { readonly code: string; readonly message: string }
  readonly log?: string
  readonly left?: true
}

const argument = process.argv[2]
if (argument !== undefined) run(JSON.parse(argument) as MemberSettings)

function run({ bootstrapServers, groupId, memberId, sessionTimeoutMs }: MemberSettings): void {
  let ledEpoch = 0
  const startedAt = Date.now()
  const client = createKafkaClient({ bootstrapServers, clientId: `member-${memberId}`, requestTimeoutMs: 5_000 })
  const coordinator = createGroupCoordinator(client, {
    groupId,
    ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
    clock: {
      now: () => performance.now(),
      setTimer(delayMs, fire) {
        const timer = setTimeout(fire, delayMs)
        return { cancel: () => clearTimeout(timer) }
      },
    },
    random: Math.random,
    logger: { info: tellLog, warn: tellLog },
  })
  coordinator.join({
    self: () => ({
      memberId: BigInt(memberId),
      name: `m${memberId}`,
      clientUrls: [`http://127.0.0.1:${memberId}`],
      eligible: true,
      ledEpoch,
      appliedOffset: 0,
      startedAt,
    }),
    onAssignment: (assignment) => tell(inShort(assignment)),
    onFailure: (error) => {
      const code = 'code' in error ? String(error.code) : error.name
      tell({ failure: { code, message: error.message } })
    },
  })
  tell({ log: 'joins' })
  process.on('message', (order: MemberOrder) => {
    if (order.do === 'announce') {
      ledEpoch = order.ledEpoch
      coordinator.announce()
    } else {
      const done = order.do === 'expel' ? coordinator.expel(BigInt(order.memberId)) : coordinator.leave()
      done.then(
        () => {
          if (order.do === 'leave') tell({ left: true })
        },
        (error: unknown) => tell({ log: `rejected: ${String(error)}` }),
      )
    }
  })
}

function inShort({ generation, leader, members, refused }: Assignment): Omit<MemberNews, 'at'> {
  return {
    generation,
    leader: leader === undefined ? undefined : Number(leader),
    members: members.map((member) => Number(member.memberId)),
    refused: refused.map((member) => Number(member.memberId)),
  }
}

function tellLog(message: string, fields?: object): void {
  tell({ log: fields === undefined ? message : `${message} ${JSON.stringify(fields)}` })
}

function tell(news: Omit<MemberNews, 'at'>): void {
  process.send?.({ at: Date.now(), ...news } satisfies MemberNews)
}
