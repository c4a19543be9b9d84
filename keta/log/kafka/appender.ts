/**
 * Appends one batch at a time to the topic, again and again until the outcome is known. Why that is safe without a
 * producer id: docs/decisions/0011-plain-produce-one-in-flight.md.
 */
import type { Connection } from '@platformatic/kafka'
import type { KafkaClient } from '../../kafka/client/client.ts'
import { KafkaError } from '../../kafka/client/client.ts'
import { discard } from '../../kafka/client/open-connection.ts'
import type { Clock, Logger } from '../../kafka/client/ports.ts'
import { pause, unlessAborted } from '../../kafka/client/ports.ts'
import { answeredError, inWords } from '../../kafka/client/protocol-errors.ts'
import { produce } from '../../kafka/client/requests.ts'
import { Trouble } from '../../kafka/client/trouble.ts'
import { LogError } from '../log.ts'

export interface AppenderOptions {
  readonly client: KafkaClient
  readonly topic: string
  readonly clock: Clock
  readonly logger: Logger
}

/** What the broker says before it appends anything, and will say again. */
const REFUSALS = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'POLICY_VIOLATION',
  'UNSUPPORTED_VERSION',
])
/**
 * What the broker says before it appends anything, and may not say again. Not among them: NOT_LEADER_OR_FOLLOWER, which
 * is also said of a batch that was appended and then waited for the other replicas.
 */
const NOT_YET = new Set(['NOT_ENOUGH_REPLICAS'])

export class Appender {
  readonly #options: AppenderOptions
  readonly #trouble: Trouble
  /** The broker gives up waiting for its replicas, and says so, before this side gives up the connection. */
  readonly #brokerTimeoutMs: number
  #connection: Connection | undefined

  constructor(options: AppenderOptions) {
    const { client, topic, clock, logger } = options
    this.#options = options
    this.#trouble = new Trouble(clock, logger, `appending to topic ${topic}`)
    this.#brokerTimeoutMs = Math.ceil(client.settings.requestTimeoutMs * 0.75)
  }

  /** Connects already, so that the next append need not wait for it. */
  prepare(): void {
    // An append that cannot connect either says why.
    this.#connect().catch(() => undefined)
  }

  /**
   * The offset of the batch's first record. @throws LogError as `Log.append`: 'ABORTED', 'REFUSED', 'APPEND_FAILED'
   */
  async append(batch: Buffer, signal: AbortSignal): Promise<number> {
    let maybeThere = false
    for (;;) {
      if (signal.aborted) throw aborted(maybeThere)
      let connection: Connection | undefined
      try {
        connection = await unlessAborted(this.#connect(), signal, () => aborted(maybeThere))
        const sent = produce(connection, this.#options.topic, batch, this.#brokerTimeoutMs)
        const baseOffset = await unlessAborted(sent, signal, () => aborted(true))
        this.#trouble.over()
        return baseOffset
      } catch (error) {
        if (connection !== undefined) this.#options.client.distrust(connection)
        if (error instanceof LogError) throw error
        const final = finalFailure(error, maybeThere)
        if (final !== undefined) throw final
        maybeThere ||= connection !== undefined && !NOT_YET.has(answeredError(error) ?? '')
        await pause(this.#options.clock, this.#trouble.next(error), signal)
      }
    }
  }

  close(): void {
    if (this.#connection !== undefined) discard(this.#connection)
  }

  async #connect(): Promise<Connection> {
    this.#connection = await this.#options.client.toLeader(this.#options.topic, 'produce')
    return this.#connection
  }
}

/** Undefined if the batch is to be sent again. */
function finalFailure(error: unknown, maybeThere: boolean): LogError | undefined {
  if (error instanceof KafkaError && error.code === 'UNSAFE_TOPIC') {
    return new LogError(maybeThere ? 'APPEND_FAILED' : 'REFUSED', error.message, { cause: error })
  }
  const answer = answeredError(error)
  if (answer === undefined || !REFUSALS.has(answer) || maybeThere) return undefined
  return new LogError('REFUSED', `Kafka refused the batch: ${inWords(error)}`, { cause: error })
}

function aborted(maybeThere: boolean): LogError {
  const known = maybeThere ? 'whether the batch is in the log is not known' : 'the batch was not sent'
  return new LogError('ABORTED', `the append was given up; ${known}`)
}
