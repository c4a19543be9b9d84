/** One partition of the snapshot topic: append, read, drop. Trouble that may pass is waited out, for a while. */
import type { Connection } from '@platformatic/kafka'
import type { KafkaClient } from '../../kafka/client/client.ts'
import { KafkaError } from '../../kafka/client/client.ts'
import type { Clock, Logger } from '../../kafka/client/ports.ts'
import { pause } from '../../kafka/client/ports.ts'
import { answeredError, inWords } from '../../kafka/client/protocol-errors.ts'
import type { ValueAt } from '../../kafka/client/record-batch.ts'
import { decodeBatches, encodeBatch, RecordBatchError } from '../../kafka/client/record-batch.ts'
import { deleteRecords, fetch, listOffset, produce } from '../../kafka/client/requests.ts'
import { Trouble } from '../../kafka/client/trouble.ts'
import { LogError } from '../log.ts'
import type { Bounds } from './snapshot-catalogue.ts'

export interface SnapshotPartitionOptions {
  readonly client: KafkaClient
  readonly topic: string
  /** As `KafkaClient.topic` gives it. */
  readonly topicId: string
  readonly partition: number
  readonly clock: Clock
  readonly logger: Logger
  /** How long brokers may be in trouble before an operation fails, in milliseconds. */
  readonly patienceMs: number
}

const FETCH_BYTES = 8 * 1024 * 1024
const FETCH_WAIT_MS = 500
/** A bit that flipped on the way is right the next time; one on the broker's disk is not. */
const DAMAGED_ATTEMPTS = 3
const NEVER = new AbortController().signal

export class SnapshotPartition {
  readonly #options: SnapshotPartitionOptions

  constructor(options: SnapshotPartitionOptions) {
    this.#options = options
  }

  /**
   * As one batch; the offset of its first record. Where an answer was lost it is sent again, so that records may be
   * there twice.
   * @throws LogError 'IO', 'REFUSED'
   */
  append(records: readonly Uint8Array[]): Promise<number> {
    const batch = encodeBatch(records)
    const { topic, partition, client } = this.#options
    // The broker gives up waiting for its replicas, and says so, before this side gives up the connection.
    const brokerTimeoutMs = Math.ceil(client.settings.requestTimeoutMs * 0.75)
    return this.#attempt('writing', (connection) => produce(connection, topic, batch, brokerTimeoutMs, partition))
  }

  /** @throws LogError 'IO', 'REFUSED' */
  bounds(): Promise<Bounds> {
    const { topic, partition } = this.#options
    return this.#attempt('reading', async (connection) => {
      const [start, end] = await Promise.all([
        listOffset(connection, topic, 'start', partition),
        listOffset(connection, topic, 'end', partition),
      ])
      return { start, end }
    })
  }

  /**
   * The records within the bounds, of which some may have been dropped from the beginning.
   * @throws LogError 'CORRUPT' when a batch is damaged, or the partition ends too early; 'IO', 'REFUSED'
   */
  async *read({ start, end }: Bounds): AsyncGenerator<readonly ValueAt[]> {
    const { clock, patienceMs } = this.#options
    let next = start
    let lastNews = clock.now()
    while (next < end) {
      const { values, nextOffset } = await this.#fetch(next)
      if (nextOffset > next) lastNews = clock.now()
      else if (clock.now() - lastNews > patienceMs) throw this.#corrupt(`it ends before offset ${end}`)
      next = nextOffset
      const within = values.filter(({ offset }) => offset < end)
      if (within.length > 0) yield within
    }
  }

  /** @throws LogError 'IO', 'REFUSED' */
  async dropBefore(offset: number): Promise<void> {
    const { client, topic, partition } = this.#options
    const timeoutMs = client.settings.requestTimeoutMs
    await this.#attempt('dropping records', (connection) =>
      deleteRecords(connection, topic, offset, timeoutMs, partition),
    )
  }

  #fetch(fromOffset: number): Promise<ReturnType<typeof decodeBatches>> {
    const { topic, topicId, partition } = this.#options
    let damaged = 0
    return this.#attempt('reading', async (connection) => {
      try {
        const wanted = { topicId, partition, fromOffset, maxWaitMs: FETCH_WAIT_MS, maxBytes: FETCH_BYTES }
        return decodeBatches((await fetch(connection, wanted)).batches, fromOffset)
      } catch (error) {
        if (error instanceof RecordBatchError && ++damaged === DAMAGED_ATTEMPTS) throw this.#corrupt(error.message)
        if (answeredError(error) !== 'OFFSET_OUT_OF_RANGE') throw error
        const start = await listOffset(connection, topic, 'start', partition)
        // Otherwise the leader is new, and does not know yet how far the old one had got.
        if (start <= fromOffset) throw error
        return { values: [], nextOffset: start }
      }
    })
  }

  async #attempt<Answer>(doing: string, ask: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    const { client, topic, partition, clock, logger, patienceMs } = this.#options
    const timeoutMs = client.settings.requestTimeoutMs + FETCH_WAIT_MS
    const trouble = new Trouble(clock, logger, `${doing} in topic ${topic}`)
    const since = clock.now()
    for (;;) {
      let connection: Connection | undefined
      try {
        connection = await client.toLeader(topic, 'snapshots', timeoutMs, partition)
        const answer = await ask(connection)
        trouble.over()
        return answer
      } catch (error) {
        if (error instanceof LogError) throw error
        if (connection !== undefined) client.distrust(connection)
        const failed = `${doing} in topic ${topic} failed: ${inWords(error)}`
        if (isRefusal(error)) throw new LogError('REFUSED', failed, { cause: error })
        if (clock.now() - since > patienceMs) throw new LogError('IO', failed, { cause: error })
        await pause(clock, trouble.next(error), NEVER)
      }
    }
  }

  #corrupt(reason: string): LogError {
    const { topic, partition } = this.#options
    return new LogError('CORRUPT', `partition ${partition} of topic ${topic} is damaged: ${reason}`)
  }
}

function isRefusal(error: unknown): boolean {
  const answer = answeredError(error)
  if (answer !== undefined) return answer.endsWith('_AUTHORIZATION_FAILED') || answer === 'MESSAGE_TOO_LARGE'
  return error instanceof KafkaError && (error.code === 'UNSAFE_TOPIC' || error.code === 'NOT_AUTHENTICATED')
}
