/** What clients and other brokers may ask of a broker, and the answers. README.md has the table. */
import { isCoordinationError } from 'keta/spi'
import { asIds, asInt, asList, asObject, asText, type Json } from './core/json.ts'
import type { TopicConfig } from './core/metadata.ts'
import { topicSettings } from './core/topic-config.ts'
import { isFetchDue, type PartitionFetch, readForReplica } from './data/replica-reads.ts'
import type { Replicas } from './data/replicas.ts'
import { BrokerError, isBrokerError } from './errors.ts'
import { decodeRecords } from './log/batch.ts'
import type { Admin } from './store/admin.ts'
import type { Brokers } from './store/brokers.ts'
import type { ControllerStatus } from './store/controller.ts'
import type { Topics } from './store/topics.ts'
import type { Frame } from './wire/frames.ts'
import type { Answer } from './wire/server.ts'

export interface RequestPorts {
  readonly me: number
  readonly topics: Topics
  readonly brokers: Brokers
  readonly replicas: Replicas
  readonly admin: Admin
  readonly minInSyncReplicas: number
  readonly controller: () => number | undefined
  readonly controllerStatus: () => ControllerStatus
}

const MAX_WAIT_MS = 5_000
const MAX_BYTES = 8 * 1024 * 1024

type Request = (ports: RequestPorts, header: Json, body: Buffer) => Promise<Answer>

/** @throws BrokerError what the asker is to be told. */
export async function answer(ports: RequestPorts, api: string, { header, body }: Frame): Promise<Answer> {
  const request = Object.hasOwn(REQUESTS, api) ? REQUESTS[api] : undefined
  if (request === undefined) throw new BrokerError('INVALID_REQUEST', `there is no request ${api}`)
  try {
    return await request(ports, header, body)
  } catch (error) {
    if (isBrokerError(error, 'INVALID_METADATA')) throw new BrokerError('INVALID_REQUEST', error.message)
    if (isCoordinationError(error)) throw new BrokerError('COORDINATION', `${error.code}: ${error.message}`)
    throw error
  }
}

const REQUESTS: Readonly<Record<string, Request>> = {
  metadata,
  produce,
  fetch,
  offsets_for_leader_epoch: offsetsForLeaderEpoch,
  replica_fetch: replicaFetch,
  status,
  async create_topic({ admin }, header) {
    const { partitions, replication_factor: factor, assignment } = header
    await admin.createTopic({
      name: asText(header['name'], 'name'),
      ...(partitions !== undefined && { partitions: asInt(partitions, 'partitions', 1) }),
      ...(factor !== undefined && { replicationFactor: asInt(factor, 'replication_factor', 1) }),
      ...(assignment !== undefined && { assignment: assignmentOf(assignment) }),
      config: configOf(header['config'] ?? {}),
    })
    return { header: {} }
  },
  async delete_topic({ admin }, header) {
    await admin.deleteTopic(asText(header['name'], 'name'))
    return { header: {} }
  },
  async alter_config({ admin }, header) {
    await admin.alterConfig(asText(header['name'], 'name'), configOf(header['config']))
    return { header: {} }
  },
  async reassign({ admin }, header) {
    const partitions = asList(header['partitions'], 'partitions').map((one) => {
      const json = asObject(one, 'a partition')
      return { ...topicPartition(json), replicas: asIds(json['replicas'], 'replicas') }
    })
    await admin.reassign(partitions)
    return { header: {} }
  },
  async elect_preferred({ admin }, header) {
    const partitions = asList(header['partitions'], 'partitions')
    await admin.electPreferred(partitions.map((one) => topicPartition(asObject(one, 'a partition'))))
    return { header: {} }
  },
}

async function metadata({ brokers, topics, controller }: RequestPorts): Promise<Answer> {
  return {
    header: {
      brokers: [...brokers.all.values()].map(({ id, host, port, epoch }) => ({ id, host, port, epoch: String(epoch) })),
      controller: controller() ?? -1,
      topics: Object.fromEntries(
        [...topics.all].map(([name, { id, config, partitions }]) => {
          const all = [...partitions].map(([partition, { replicas, state }]) => {
            const { leader = -1, leaderEpoch = -1, isr = [] } = state?.value ?? {}
            return [partition, { leader, leader_epoch: leaderEpoch, isr, replicas }]
          })
          return [name, { topic_id: id, config, partitions: Object.fromEntries(all) as object }]
        }),
      ),
    },
  }
}

async function produce(ports: RequestPorts, header: Json, body: Buffer): Promise<Answer> {
  const at = topicPartition(header)
  const { minInSyncReplicas, maxMessageBytes } = topicSettings(ports.topics.all.get(at.topic)?.config ?? {}, ports)
  if (body.length > maxMessageBytes) {
    throw new BrokerError('TOO_LARGE', `${body.length} bytes, at most ${maxMessageBytes} are taken at once`)
  }
  const timeoutMs = asInt(header['timeout_ms'] ?? 10_000, 'timeout_ms', 1)
  const leader = ports.replicas.get(at).asLeader()
  const baseOffset = await leader.produce(decodeRecords(body), minInSyncReplicas, timeoutMs)
  return { header: { base_offset: baseOffset } }
}

/** For consumers: what is safe. Waits for it if there is nothing. */
async function fetch({ replicas }: RequestPorts, header: Json): Promise<Answer> {
  const offset = asInt(header['offset'], 'offset')
  const maxBytes = Math.min(MAX_BYTES, asInt(header['max_bytes'] ?? MAX_BYTES, 'max_bytes', 1))
  const end = Date.now() + waitMs(header)
  for (;;) {
    const changed = replicas.bell.next(end - Date.now())
    const partition = replicas.get(topicPartition(header))
    const { highWatermark, knowsHighWatermark } = partition.asLeader()
    if (offset >= highWatermark && !knowsHighWatermark) {
      throw new BrokerError('OFFSET_NOT_AVAILABLE', `what ${partition.name} may show is not known yet`)
    }
    if (offset > partition.log.endOffset) {
      throw new BrokerError('OFFSET_OUT_OF_RANGE', `${partition.name} ends at ${partition.log.endOffset}`)
    }
    if (offset < highWatermark || Date.now() >= end) {
      const body = offset < highWatermark ? partition.log.read(offset, maxBytes, highWatermark) : Buffer.alloc(0)
      return { header: { high_watermark: highWatermark }, body }
    }
    await changed
  }
}

async function offsetsForLeaderEpoch({ replicas }: RequestPorts, header: Json): Promise<Answer> {
  const partitions = asList(header['partitions'], 'partitions').map((one) => {
    const json = asObject(one, 'a partition')
    try {
      const partition = replicas.get(topicPartition(json))
      partition.asLeader(asInt(json['leader_epoch'], 'leader_epoch'))
      return json['epoch'] === undefined ? {} : partition.log.endOfEpoch(asInt(json['epoch'], 'epoch'))
    } catch (error) {
      return problem(error)
    }
  })
  return { header: { partitions } }
}

async function replicaFetch({ replicas }: RequestPorts, header: Json): Promise<Answer> {
  const replica = asInt(header['replica'], 'replica')
  const asked: readonly PartitionFetch[] = asList(header['partitions'], 'partitions').map((one) => {
    const json = asObject(one, 'a partition')
    const leaderEpoch = asInt(json['leader_epoch'], 'leader_epoch')
    return { ...topicPartition(json), leaderEpoch, offset: asInt(json['offset'], 'offset') }
  })
  for (const { topic, partition, leaderEpoch, offset } of asked) {
    try {
      replicas.get({ topic, partition }).asLeader(leaderEpoch).fetchedBy(replica, offset)
    } catch (error) {
      // the answer tells of it
      problem(error)
    }
  }
  const end = Date.now() + waitMs(header)
  for (;;) {
    const changed = replicas.bell.next(end - Date.now())
    if (Date.now() >= end || asked.some((one) => isFetchDue(replicas, one))) break
    await changed
  }
  return readForReplica(replicas, asked, Math.min(MAX_BYTES, asInt(header['max_bytes'] ?? MAX_BYTES, 'max_bytes')))
}

/** For operators and tests. */
async function status({ me, brokers, replicas, topics, controllerStatus }: RequestPorts): Promise<Answer> {
  const partitions = replicas.all.map(({ name, topicId, leading, following, leaderEpoch, log, highWatermark }) => ({
    ...{ name, topic_id: topicId, leader_epoch: leaderEpoch },
    role: leading !== undefined ? 'leader' : following !== undefined ? 'follower' : 'idle',
    ...{ end_offset: log.endOffset, high_watermark: highWatermark, epochs: log.epochs },
  }))
  const configs = Object.fromEntries([...topics.all].map(([name, { config }]) => [name, config]))
  const epoch = String(brokers.epoch ?? '')
  return { header: { broker: me, broker_epoch: epoch, controller: controllerStatus(), configs, partitions } }
}

/** @throws what is not a refusal. */
function problem(error: unknown): { readonly error: { readonly code: string; readonly message: string } } {
  if (!isBrokerError(error)) throw error
  return { error: { code: error.code, message: error.message } }
}

function waitMs(header: Json): number {
  return Math.min(MAX_WAIT_MS, asInt(header['max_wait_ms'] ?? 0, 'max_wait_ms'))
}

function topicPartition(json: Json) {
  return { topic: asText(json['topic'], 'topic'), partition: asInt(json['partition'], 'partition') }
}

function assignmentOf(value: unknown): ReadonlyMap<number, readonly number[]> {
  const entries = Object.entries(asObject(value, 'assignment'))
  return new Map(entries.map(([partition, ids]) => [asInt(Number(partition), 'a partition'), asIds(ids, 'replicas')]))
}

function configOf(value: unknown): TopicConfig {
  const entries = Object.entries(asObject(value, 'config'))
  return Object.fromEntries(entries.map(([name, text]) => [name, asText(text, name)]))
}
