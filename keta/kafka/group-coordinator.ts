/** The coordination port over Kafka's group protocol. `group-format.md` has the choices and what they protect. */
import type { Coordinator } from '../cluster/coordination.ts'
import type { KafkaClient } from './client/client.ts'
import type { Clock, Logger } from './client/ports.ts'
import { createMembership, type NameMemory } from './group-membership.ts'
import { groupRequests } from './group-requests.ts'

export interface GroupCoordinatorOptions {
  /** The cluster's own: clusters that share a Kafka differ in it. */
  readonly groupId: string
  /**
   * A member is taken out after this long without a sign of life, in milliseconds. Brokers allow no less than their
   * group.min.session.timeout.ms, 6000 unless changed. Default 6000.
   */
  readonly sessionTimeoutMs?: number
  readonly clock: Clock
  /** A number from 0 up to 1, so that members that have failed together do not try again together. */
  readonly random: () => number
  readonly logger: Logger
  readonly memory?: NameMemory
}

const SESSION_TIMEOUT_MS = 6_000
const HEARTBEATS_PER_SESSION = 8
const HEARTBEAT_MS = { shortest: 250, longest: 1_000 }
/** So that a broker that has stopped answering is given up in time to keep the session at the next coordinator. */
const ANSWERS_PER_SESSION = 3

/**
 * Sends nothing before `join`. `onFailure` gets a KafkaError: 'NOT_AUTHENTICATED', 'NOT_AUTHORISED', or 'PROTOCOL' when
 * the group or the session timeout will not do; its message says what to change.
 * The client is its caller's, to be closed after `leave`.
 */
export function createGroupCoordinator(client: KafkaClient, options: GroupCoordinatorOptions): Coordinator {
  const { groupId, sessionTimeoutMs = SESSION_TIMEOUT_MS, clock, random, logger, memory } = options
  const answerTimeoutMs = Math.ceil(sessionTimeoutMs / ANSWERS_PER_SESSION)
  const requests = groupRequests(client, groupId, {
    sessionTimeoutMs,
    // Not shorter: whoever stands still for less than its session keeps its place, also while others join.
    rebalanceTimeoutMs: sessionTimeoutMs,
    answerTimeoutMs,
  })
  const heartbeatMs = Math.ceil(sessionTimeoutMs / HEARTBEATS_PER_SESSION)
  return createMembership(requests, {
    heartbeatMs: Math.min(Math.max(heartbeatMs, HEARTBEAT_MS.shortest), HEARTBEAT_MS.longest),
    leaveTimeoutMs: answerTimeoutMs,
    clock,
    random,
    logger,
    ...(memory && { memory }),
  })
}
