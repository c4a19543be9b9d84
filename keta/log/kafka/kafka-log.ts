/** The log in one partition of a Kafka topic: an append is a record batch, a record the value of a Kafka record. */
import type { KafkaClient } from '../../kafka/client/client.ts'
import { KafkaError } from '../../kafka/client/client.ts'
import type { Clock, Logger } from '../../kafka/client/ports.ts'
import { pause } from '../../kafka/client/ports.ts'
import { answeredError, inWords, toKafkaError } from '../../kafka/client/protocol-errors.ts'
import { batchBytes, encodeBatch } from '../../kafka/client/record-batch.ts'
import { deleteRecords, listOffset, partitionBytes } from '../../kafka/client/requests.ts'
import { Trouble } from '../../kafka/client/trouble.ts'
import type { AppendReceipt, FollowedBatch, LogRecord, SharedLog } from '../log.ts'
import { LogError } from '../log.ts'
import { Appender } from './appender.ts'
import { Extent } from './extent.ts'
import type { FetchedValues, FetcherOptions } from './fetcher.ts'
import { Fetcher } from './fetcher.ts'

export interface KafkaLogOptions {
  /** Not closed with the log. */
  readonly client: KafkaClient
  /** Must exist, with one partition. */
  readonly topic: string
  /** The topic's max.message.bytes. */
  readonly maxBatchBytes: number
  readonly clock: Clock
  readonly logger: Logger
  /**
   * How long an offset beyond the end is not believed to be one, in milliseconds. Default 5000: after a change of the
   * leader the new one may not know yet how far the old one had got.
   */
  readonly beyondEndPatienceMs?: number
}

const BEYOND_END_PATIENCE_MS = 5000
const DROP_ATTEMPTS = 20
const ADMIN = 'admin'

/** @throws KafkaError; 'UNSETTLED' also while there is no such topic, 'UNSAFE_TOPIC' if it has several partitions */
export async function openKafkaLog(options: KafkaLogOptions): Promise<SharedLog> {
  const { client, topic } = options
  const [clusterId, found] = await Promise.all([client.clusterId(), client.topic(topic)])
  // After its creation brokers learn of it one by one.
  if (found === undefined) throw new KafkaError('UNSETTLED', `there is no topic ${topic}, or not yet`)
  if (found.partitions !== 1) {
    const message = `topic ${topic} has ${found.partitions} partitions; the log must have exactly one`
    throw new KafkaError('UNSAFE_TOPIC', message)
  }
  const connection = await client.toLeader(topic, ADMIN)
  try {
    const startOffset = await listOffset(connection, topic, 'start')
    const endOffset = await listOffset(connection, topic, 'end')
    const sizeBytes = endOffset === startOffset ? 0 : await sizeOnDisk(connection, topic, options.logger)
    const extent = new Extent(startOffset, endOffset, sizeBytes)
    return new KafkaLog(options, `${clusterId}/${found.id}`, found.id, extent)
  } catch (error) {
    client.distrust(connection)
    throw toKafkaError(error, `cannot open topic ${topic}`)
  }
}

/** Without permission to ask, the size counts from here on. */
async function sizeOnDisk(
  ...[connection, topic, logger]: [...Parameters<typeof partitionBytes>, Logger]
): Promise<number> {
  try {
    return await partitionBytes(connection, topic)
  } catch (error) {
    if (answeredError(error)?.endsWith('_AUTHORIZATION_FAILED') !== true) throw error
    logger.info('the size of the log is counted from now on: no permission to ask for it', { reason: inWords(error) })
    return 0
  }
}

class KafkaLog implements SharedLog {
  readonly logId: string
  readonly #options: KafkaLogOptions
  readonly #fetcherOptions: Omit<FetcherOptions, 'onAnswer'>
  readonly #extent: Extent
  readonly #appender: Appender
  /** Ends the reading. */
  readonly #closing = new AbortController()
  /** Ends the append in flight. */
  #givingUp = new AbortController()
  #inFlight: Promise<AppendReceipt> | undefined
  #failure: LogError | undefined

  constructor(options: KafkaLogOptions, logId: string, topicId: string, extent: Extent) {
    this.logId = logId
    this.#options = options
    this.#extent = extent
    this.#appender = new Appender(options)
    this.#fetcherOptions = {
      ...options,
      topicId,
      beyondEndPatienceMs: options.beyondEndPatienceMs ?? BEYOND_END_PATIENCE_MS,
    }
  }

  get startOffset(): number {
    return this.#extent.startOffset
  }

  get endOffset(): number {
    return this.#extent.endOffset
  }

  /** An estimate: what the leader had on its disk when this was opened, what was added since, less what was dropped. */
  get sizeBytes(): number {
    return this.#extent.sizeBytes
  }

  append(records: readonly Uint8Array[], signal?: AbortSignal): Promise<AppendReceipt> {
    const refusal = this.#refusal(records)
    if (refusal !== undefined) return Promise.reject(refusal)
    this.#inFlight = this.#append(records, signal)
    return this.#inFlight
  }

  async *read(fromOffset: number): AsyncGenerator<readonly LogRecord[]> {
    const { fetcher, end } = this.#fetcher(this.#closing.signal)
    try {
      const endOffset = await fetcher.end()
      for await (const { values } of this.#stream(fetcher, fromOffset, endOffset)) {
        const last = values.at(-1)
        const within = last === undefined || last.offset < endOffset ? values : values.filter(isBelow(endOffset))
        if (within.length > 0) yield within
      }
    } catch (error) {
      throw this.#asClosed(error)
    } finally {
      end()
    }
  }

  async *follow(fromOffset: number, signal: AbortSignal): AsyncGenerator<FollowedBatch> {
    // Whoever follows may come to append in a hurry.
    this.#appender.prepare()
    const { fetcher, end } = this.#fetcher(this.#closing.signal, signal)
    try {
      for await (const { values, nextOffset, endOffset } of this.#stream(fetcher, fromOffset, Infinity)) {
        if (signal.aborted) return
        yield { records: values, nextOffset, endOffset }
      }
    } catch (error) {
      if (!signal.aborted) throw this.#asClosed(error)
    } finally {
      end()
    }
  }

  async dropBefore(offset: number): Promise<void> {
    const { client, topic, clock, logger } = this.#options
    const trouble = new Trouble(clock, logger, `dropping records of topic ${topic}`)
    for (let attempt = 1; ; attempt++) {
      if (this.#closing.signal.aborted) throw closedError()
      const connection = await client.toLeader(topic, ADMIN).catch((error: unknown) => toKafkaError(error, 'dropping'))
      try {
        if (connection instanceof Error) throw connection
        if (offset > this.endOffset) this.#extent.ends(await listOffset(connection, topic, 'end'))
        const target = Math.min(offset, this.endOffset)
        if (target <= this.startOffset) return
        this.#extent.begins(await deleteRecords(connection, topic, target, client.settings.requestTimeoutMs))
        return
      } catch (error) {
        if (!(connection instanceof Error)) client.distrust(connection)
        const isRefused = answeredError(error)?.endsWith('_AUTHORIZATION_FAILED') === true
        if (isRefused || attempt === DROP_ATTEMPTS) {
          const message = `Kafka did not drop the records of topic ${topic} below ${offset}: ${inWords(error)}`
          throw new LogError(isRefused ? 'REFUSED' : 'IO', message, { cause: error })
        }
        await pause(clock, trouble.next(error), this.#closing.signal)
      }
    }
  }

  /** An append that is still under way when a request would have timed out is given up: 'ABORTED'. */
  async close(): Promise<void> {
    this.#closing.abort()
    const { clock, client } = this.#options
    const timer = clock.setTimer(client.settings.requestTimeoutMs, () => this.#givingUp.abort())
    await Promise.allSettled([this.#inFlight])
    timer.cancel()
    this.#appender.close()
  }

  async #append(records: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<AppendReceipt> {
    const givingUp = new AbortController()
    this.#givingUp = givingUp
    const relay = relayAbort(signal, givingUp)
    try {
      const batch = encodeBatch(records)
      const baseOffset = await this.#appender.append(batch, givingUp.signal)
      this.#extent.holds(baseOffset, baseOffset + records.length, batch.length)
      return { baseOffset }
    } catch (error) {
      if (error instanceof LogError && error.code === 'APPEND_FAILED') this.#failure = error
      throw error
    } finally {
      relay.end()
      this.#inFlight = undefined
    }
  }

  #refusal(records: readonly Uint8Array[]): Error | undefined {
    if (this.#closing.signal.aborted) return closedError()
    if (this.#inFlight !== undefined) {
      return new LogError('APPEND_IN_FLIGHT', 'the previous append has not settled yet')
    }
    if (records.length === 0) return new RangeError('a batch holds at least one record')
    const bytes = batchBytes(records)
    const { maxBatchBytes, topic } = this.#options
    if (bytes > maxBatchBytes) {
      return new RangeError(`a batch of ${bytes} bytes exceeds max.message.bytes=${maxBatchBytes} of topic ${topic}`)
    }
    return this.#failure
  }

  /** Each fetch is sent before the records of the one before it are handed out: no time is lost between them. */
  async *#stream(fetcher: Fetcher, fromOffset: number, end: number): AsyncGenerator<FetchedValues> {
    let next = fromOffset
    let fetching = fetcher.next(next, false)
    for (;;) {
      const fetched = await fetching
      this.#extent.holds(next, fetched.nextOffset, fetched.bytes)
      next = fetched.nextOffset
      if (next >= end) {
        yield fetched
        return
      }
      fetching = fetcher.next(next, true)
      // Its outcome is awaited after the yield, if the reader comes back.
      fetching.catch(() => undefined)
      yield fetched
    }
  }

  #fetcher(...signals: readonly AbortSignal[]): { readonly fetcher: Fetcher; readonly end: () => void } {
    if (this.#closing.signal.aborted) throw closedError()
    const onAnswer: FetcherOptions['onAnswer'] = ({ logStartOffset, highWatermark }) => {
      this.#extent.begins(logStartOffset)
      this.#extent.ends(highWatermark)
    }
    const fetcher = new Fetcher({ ...this.#fetcherOptions, onAnswer })
    const close = (): void => fetcher.close()
    for (const signal of signals) signal.addEventListener('abort', close)
    if (signals.some(({ aborted }) => aborted)) close()
    const end = (): void => {
      for (const signal of signals) signal.removeEventListener('abort', close)
      close()
    }
    return { fetcher, end }
  }

  #asClosed(error: unknown): unknown {
    return this.#closing.signal.aborted ? closedError() : error
  }
}

/** `AbortSignal.any` without its cost: an append takes a fraction of a millisecond. */
function relayAbort(from: AbortSignal | undefined, to: AbortController): { end(): void } {
  const relay = (): void => to.abort()
  from?.addEventListener('abort', relay)
  if (from?.aborted === true) relay()
  return { end: () => from?.removeEventListener('abort', relay) }
}

function isBelow(end: number): (record: LogRecord) => boolean {
  return ({ offset }) => offset < end
}

function closedError(): LogError {
  return new LogError('CLOSED', 'the log is closed')
}
