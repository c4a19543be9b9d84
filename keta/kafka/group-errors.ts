/** What can go wrong in Kafka's group protocol, and what a member does about it. */
import type { KafkaErrorCode } from './client/client.ts'
import { KafkaError } from './client/client.ts'
import { answeredError, toKafkaError } from './client/protocol-errors.ts'

/** A request of the group protocol has failed. */
export class GroupError extends Error {
  override readonly name = 'GroupError'
  /** Kafka's name of the error; where no broker answered, what the client says. */
  readonly answer: string
  /** The name that the coordinator has given to this member, with MEMBER_ID_REQUIRED. */
  readonly kafkaId: string | undefined
  constructor(answer: string, message: string, options: { readonly cause?: unknown; readonly kafkaId?: string } = {}) {
    super(message, options)
    this.answer = answer
    this.kafkaId = options.kafkaId
  }
}

/**
 * - `identify`: the coordinator has named this member: join under that name, at once
 * - `rejoin`: join again under the same name, at once the first time
 * - `anew`: the coordinator does not know this member (any more): join as a new one, at once the first time
 * - `wait`: it may pass: the same request again after a while
 * - `fail`: trying again does not help
 */
export type Remedy = 'identify' | 'rejoin' | 'anew' | 'wait' | 'fail'

const REMEDIES: Readonly<Record<string, Remedy>> = {
  MEMBER_ID_REQUIRED: 'identify',
  REBALANCE_IN_PROGRESS: 'rejoin',
  ILLEGAL_GENERATION: 'rejoin',
  UNKNOWN_MEMBER_ID: 'anew',
  FENCED_INSTANCE_ID: 'anew',
  INVALID_SESSION_TIMEOUT: 'fail',
  INCONSISTENT_GROUP_PROTOCOL: 'fail',
  INVALID_GROUP_ID: 'fail',
  INVALID_REQUEST: 'fail',
  UNSUPPORTED_VERSION: 'fail',
  GROUP_AUTHORIZATION_FAILED: 'fail',
  CLUSTER_AUTHORIZATION_FAILED: 'fail',
  NOT_AUTHENTICATED: 'fail',
  NOT_AUTHORISED: 'fail',
}

/** Everything else may pass: no connection, a coordinator that moves or loads its groups, a full group. */
export function remedyFor(error: GroupError): Remedy {
  return REMEDIES[error.answer] ?? 'wait'
}

/** Whether the broker that was asked is not, or may not be, the group's coordinator. */
export function isMisdirected(error: unknown): boolean {
  const answer = answeredError(error)
  return answer === undefined || answer === 'NOT_COORDINATOR' || answer === 'COORDINATOR_NOT_AVAILABLE'
}

export interface GroupNames {
  readonly groupId: string
  readonly sessionTimeoutMs: number
}

/** @param doing "joining", "a heartbeat": what failed. */
export function toGroupError(error: unknown, doing: string, names: GroupNames): GroupError {
  const named = answeredError(error)
  const trouble = toKafkaError(error, `${doing} in the Kafka group ${names.groupId}`)
  const answer = named ?? answerFor(trouble.code)
  const advice = named === undefined ? undefined : adviceFor(named, names)
  const message = advice === undefined ? trouble.message : `${trouble.message}: ${advice}`
  const kafkaId = named === 'MEMBER_ID_REQUIRED' ? givenId(error) : undefined
  return new GroupError(answer, message, { cause: error, ...(kafkaId === undefined ? {} : { kafkaId }) })
}

/** For the caller of the coordinator. */
export function toFailure(error: GroupError): KafkaError {
  const code = answeredCode(error.answer)
  return new KafkaError(code, error.message, { cause: error.cause })
}

function answeredCode(answer: string): KafkaErrorCode {
  if (answer === 'NOT_AUTHENTICATED') return 'NOT_AUTHENTICATED'
  return answer === 'NOT_AUTHORISED' || answer.endsWith('_AUTHORIZATION_FAILED') ? 'NOT_AUTHORISED' : 'PROTOCOL'
}

/** A topic does not come into it, and what the client calls a breach of protocol may be a broker that is starting. */
function answerFor(code: KafkaErrorCode): string {
  return code === 'NOT_AUTHENTICATED' || code === 'NOT_AUTHORISED' ? code : 'UNREACHABLE'
}

function adviceFor(answer: string, { groupId, sessionTimeoutMs }: GroupNames): string | undefined {
  switch (answer) {
    case 'INVALID_SESSION_TIMEOUT':
      return (
        `the brokers do not allow a session timeout of ${sessionTimeoutMs} ms; choose one between their settings ` +
        'group.min.session.timeout.ms (6000 unless changed) and group.max.session.timeout.ms'
      )
    case 'INCONSISTENT_GROUP_PROTOCOL':
      return `another program uses this group; give the cluster a group of its own (cluster.group.id is ${groupId} now)`
    case 'GROUP_AUTHORIZATION_FAILED':
      return `this user needs the permission READ on the group ${groupId}`
    case 'INVALID_GROUP_ID':
      return 'cluster.group.id is no name that Kafka accepts'
    default:
      return undefined
  }
}

function givenId(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('response' in error)) return undefined
  const { response } = error
  if (typeof response !== 'object' || response === null || !('memberId' in response)) return undefined
  return typeof response.memberId === 'string' && response.memberId !== '' ? response.memberId : undefined
}
