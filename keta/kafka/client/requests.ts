/** The requests that the log is made of, each for one partition (0) of one topic. Their errors: see `answeredError`. */
import type { Connection, Reader } from '@platformatic/kafka'
import {
  deleteRecordsV2,
  describeLogDirsV2,
  listOffsetsV7,
  produceV9,
  ResponseError,
  Writer,
} from '@platformatic/kafka'

const ALL_IN_SYNC_REPLICAS = -1
const CONSUMER = -1
const READ_UNCOMMITTED = 0
const FETCH_KEY = 1
/** The first version that names the topic by its id: a topic made anew under the same name is not mistaken for it. */
const FETCH_VERSION = 13
const NONE = -1
const NO_TAGS = 0

/** Appends a record batch; returns the offset of its first record. */
export function produce(
  connection: Connection,
  topic: string,
  batch: Buffer,
  timeoutMs: number,
  partition = 0,
): Promise<number> {
  const request = (): Writer =>
    Writer.create()
      .appendString(null)
      .appendInt16(ALL_IN_SYNC_REPLICAS)
      .appendInt32(timeoutMs)
      .appendUnsignedVarInt(2)
      .appendString(topic)
      .appendUnsignedVarInt(2)
      .appendInt32(partition)
      .appendUnsignedVarInt(batch.length + 1)
      .append(batch)
      .appendUnsignedInt8(NO_TAGS)
      .appendUnsignedInt8(NO_TAGS)
      .appendUnsignedInt8(NO_TAGS)
  return new Promise((resolve, reject) => {
    const { key, version } = produceV9.api
    connection.send(key, version, request, produceV9.parseResponse, true, true, (error, answer) => {
      const found = answer?.responses[0]?.partitionResponses[0]
      if (error === null && found !== undefined) resolve(Number(found.baseOffset))
      else reject(error ?? new Error('the answer to a produce request is empty'))
    })
  })
}

export interface FetchRequest {
  /** In Kafka's own notation, as `KafkaClient.topic` gives it. */
  readonly topicId: string
  readonly partition?: number
  readonly fromOffset: number
  /** How long the broker waits for records if it has none. */
  readonly maxWaitMs: number
  /** The broker exceeds it for a batch that is larger. */
  readonly maxBytes: number
}

export interface Fetched {
  /** Whole record batches, and perhaps the beginning of another: see `decodeBatches`. */
  readonly batches: Buffer
  readonly highWatermark: number
  readonly logStartOffset: number
}

export function fetch(
  connection: Connection,
  { topicId, partition = 0, fromOffset, maxWaitMs, maxBytes }: FetchRequest,
): Promise<Fetched> {
  const request = (): Writer =>
    Writer.create()
      .appendInt32(CONSUMER)
      .appendInt32(maxWaitMs)
      .appendInt32(1)
      .appendInt32(maxBytes)
      .appendInt8(READ_UNCOMMITTED)
      .appendInt32(0)
      .appendInt32(NONE)
      .appendUnsignedVarInt(2)
      .append(Buffer.from(topicId, 'base64url'))
      .appendUnsignedVarInt(2)
      .appendInt32(partition)
      .appendInt32(NONE)
      .appendInt64(BigInt(fromOffset))
      .appendInt32(NONE)
      .appendInt64(BigInt(NONE))
      .appendInt32(maxBytes)
      .appendUnsignedInt8(NO_TAGS)
      .appendUnsignedInt8(NO_TAGS)
      .appendUnsignedVarInt(1)
      .appendString('')
      .appendUnsignedInt8(NO_TAGS)
  return new Promise((resolve, reject) => {
    connection.send(FETCH_KEY, FETCH_VERSION, request, parseFetched, true, true, (error, answer) => {
      if (error === null && answer !== undefined) resolve(answer)
      else reject(error ?? new Error('the answer to a fetch request is empty'))
    })
  })
}

function parseFetched(_correlationId: number, _key: number, _version: number, reader: Reader): Fetched {
  reader.readInt32() // throttled for so long
  refuse(reader.readInt16())
  reader.readInt32() // session
  reader.readUnsignedVarInt() // topics: the one asked for
  reader.skip(16)
  reader.readUnsignedVarInt() // partitions: the one asked for
  reader.readInt32()
  refuse(reader.readInt16())
  const highWatermark = Number(reader.readInt64())
  reader.readInt64() // last stable offset
  const logStartOffset = Number(reader.readInt64())
  for (let aborted = reader.readUnsignedVarInt() - 1; aborted > 0; aborted--) {
    reader.skip(16)
    reader.readTaggedFields()
  }
  reader.readInt32() // preferred replica
  const bytes = Math.max(0, reader.readUnsignedVarInt() - 1)
  const batches = reader.buffer.slice(reader.position, reader.position + bytes)
  return { batches, highWatermark, logStartOffset }
}

function refuse(errorCode: number): void {
  if (errorCode !== 0) throw new ResponseError(FETCH_KEY, FETCH_VERSION, { '/': [errorCode, null] }, undefined)
}

/** The lowest offset held, or one past the highest durable one. */
export async function listOffset(
  connection: Connection,
  topic: string,
  which: 'start' | 'end',
  partition = 0,
): Promise<number> {
  const timestamp = which === 'start' ? -2n : -1n
  const partitions = [{ partitionIndex: partition, currentLeaderEpoch: NONE, timestamp }]
  const { topics } = await listOffsetsV7.api.async(connection, CONSUMER, READ_UNCOMMITTED, [
    { name: topic, partitions },
  ])
  const found = topics[0]?.partitions[0]
  if (found === undefined) throw new Error('the answer to a request for offsets is empty')
  return Number(found.offset)
}

/** Drops the records below `offset`; returns the lowest offset held. */
export async function deleteRecords(
  connection: Connection,
  topic: string,
  offset: number,
  timeoutMs: number,
  partition = 0,
): Promise<number> {
  const partitions = [{ partitionIndex: partition, offset: BigInt(offset) }]
  const { topics } = await deleteRecordsV2.api.async(connection, [{ name: topic, partitions }], timeoutMs)
  const found = topics[0]?.partitions[0]
  if (found === undefined) throw new Error('the answer to a request to delete records is empty')
  return Number(found.lowWatermark)
}

/** Bytes on the disk of the broker that is asked. */
export async function partitionBytes(connection: Connection, topic: string): Promise<number> {
  const { results } = await describeLogDirsV2.api.async(connection, [{ name: topic, partitions: [0] }])
  const found = results.flatMap(({ topics }) => topics.flatMap(({ partitions }) => partitions))
  return found.reduce((sum, { partitionSize }) => sum + Number(partitionSize), 0)
}
