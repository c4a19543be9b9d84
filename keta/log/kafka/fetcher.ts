/**
 * Fetches records from one offset on, through whatever happens to brokers meanwhile. One fetcher has one connection and
 * one fetch under way.
 */
import type { Connection } from '@platformatic/kafka'
import type { KafkaClient } from '../../kafka/client/client.ts'
import { KafkaError } from '../../kafka/client/client.ts'
import { discard } from '../../kafka/client/open-connection.ts'
import type { Clock, Logger } from '../../kafka/client/ports.ts'
import { pause, unlessAborted } from '../../kafka/client/ports.ts'
import { answeredError, inWords } from '../../kafka/client/protocol-errors.ts'
import type { DecodedBatches } from '../../kafka/client/record-batch.ts'
import { decodeBatches, RecordBatchError } from '../../kafka/client/record-batch.ts'
import type { Fetched } from '../../kafka/client/requests.ts'
import { fetch, listOffset } from '../../kafka/client/requests.ts'
import { Trouble } from '../../kafka/client/trouble.ts'
import { LogError } from '../log.ts'

export interface FetcherOptions {
  readonly client: KafkaClient
  readonly topic: string
  readonly topicId: string
  readonly clock: Clock
  readonly logger: Logger
  /**
   * How long an offset beyond the end is not believed, in milliseconds: after a change of the leader the new one may
   * not know yet how far the old one had got.
   */
  readonly beyondEndPatienceMs: number
  /** Called for every answer, before its records are handed on. */
  readonly onAnswer: (answer: Fetched) => void
}

export interface FetchedValues extends DecodedBatches {
  readonly endOffset: number
  /** What the records took in the answer. */
  readonly bytes: number
}

const MAX_BYTES = 8 * 1024 * 1024
const WAIT_MS = 500
/** A broker that is cut off from the others may go on answering, without records: then the others know who leads. */
const SILENCE_MS = 15_000
/** A bit that flipped on the way is right the next time; one on the broker's disk is not. */
const DAMAGED_ATTEMPTS = 3

let fetchers = 0

export class Fetcher {
  readonly #options: FetcherOptions
  readonly #ending = new AbortController()
  readonly #trouble: Trouble
  readonly #use = `fetch ${++fetchers}`
  #connection: Connection | undefined
  #damaged = 0
  #beyondEndSince: number | undefined
  #lastNews: number

  constructor(options: FetcherOptions) {
    this.#options = options
    this.#lastNews = options.clock.now()
    this.#trouble = new Trouble(options.clock, options.logger, `reading topic ${options.topic}`)
  }

  /**
   * The records from `fromOffset` on that the log has now; perhaps none.
   * @param wait whether the broker waits for some if there are none, for half a second
   * @throws LogError 'OUT_OF_RANGE', 'CORRUPT', 'REFUSED', 'ABORTED'
   */
  next(fromOffset: number, wait: boolean): Promise<FetchedValues> {
    return this.#untilAnswered(async (connection) => {
      try {
        return await this.#fetch(connection, fromOffset, wait ? WAIT_MS : 0)
      } catch (error) {
        if (answeredError(error) === 'OFFSET_OUT_OF_RANGE') await this.#judgeRange(connection, fromOffset)
        throw error
      }
    })
  }

  /** The durable end of the log as of now. @throws as `next` */
  async end(): Promise<number> {
    const { topic } = this.#options
    return this.#untilAnswered((connection) => listOffset(connection, topic, 'end'))
  }

  /** Everything under way rejects with LogError 'ABORTED'. */
  close(): void {
    this.#ending.abort()
    if (this.#connection !== undefined) discard(this.#connection)
  }

  async #fetch(connection: Connection, fromOffset: number, maxWaitMs: number): Promise<FetchedValues> {
    const { topicId, onAnswer } = this.#options
    const answer = await fetch(connection, { topicId, fromOffset, maxWaitMs, maxBytes: MAX_BYTES })
    const decoded = decodeBatches(answer.batches, fromOffset)
    this.#damaged = 0
    this.#beyondEndSince = undefined
    this.#watchForSilence(connection, answer.batches.length > 0)
    onAnswer(answer)
    return { ...decoded, endOffset: answer.highWatermark, bytes: answer.batches.length }
  }

  #watchForSilence(connection: Connection, isNews: boolean): void {
    const { client, clock } = this.#options
    const now = clock.now()
    const isSilent = !isNews && now - this.#lastNews >= SILENCE_MS
    if (isSilent) client.distrust(connection)
    if (isNews || isSilent) this.#lastNews = now
  }

  async #untilAnswered<Answer>(ask: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    const { client, clock } = this.#options
    for (;;) {
      let connection: Connection | undefined
      try {
        connection = await this.#unlessAborted(this.#connect())
        const answer = await this.#unlessAborted(ask(connection))
        this.#trouble.over()
        return answer
      } catch (error) {
        if (connection !== undefined) client.distrust(connection)
        this.#throwIfFinal(error)
        await pause(clock, this.#trouble.next(error), this.#ending.signal)
      }
    }
  }

  async #connect(): Promise<Connection> {
    const { client, topic } = this.#options
    this.#connection = await client.toLeader(topic, this.#use, client.settings.requestTimeoutMs + WAIT_MS)
    return this.#connection
  }

  #unlessAborted<Value>(promise: Promise<Value>): Promise<Value> {
    return unlessAborted(promise, this.#ending.signal, () => new LogError('ABORTED', 'reading was ended'))
  }

  #throwIfFinal(error: unknown): void {
    if (error instanceof LogError) throw error
    if (error instanceof KafkaError && error.code === 'UNSAFE_TOPIC') {
      throw new LogError('CORRUPT', error.message, { cause: error })
    }
    if (error instanceof RecordBatchError && ++this.#damaged >= DAMAGED_ATTEMPTS) {
      throw new LogError('CORRUPT', `topic ${this.#options.topic}: ${error.message}`, { cause: error })
    }
    if (answeredError(error)?.endsWith('_AUTHORIZATION_FAILED') === true) {
      throw new LogError('REFUSED', `Kafka refused to let topic ${this.#options.topic} be read: ${inWords(error)}`, {
        cause: error,
      })
    }
  }

  /** Returns if it may pass. */
  async #judgeRange(connection: Connection, fromOffset: number): Promise<void> {
    const { topic, clock, beyondEndPatienceMs } = this.#options
    const start = await listOffset(connection, topic, 'start')
    if (fromOffset < start) throw outOfRange(topic, fromOffset, `begins at ${start}`)
    this.#beyondEndSince ??= clock.now()
    if (clock.now() - this.#beyondEndSince < beyondEndPatienceMs) return
    throw outOfRange(topic, fromOffset, `ends before ${await listOffset(connection, topic, 'end')}`)
  }
}

function outOfRange(topic: string, offset: number, extent: string): LogError {
  return new LogError('OUT_OF_RANGE', `offset ${offset} is not in topic ${topic}, which ${extent}`)
}
