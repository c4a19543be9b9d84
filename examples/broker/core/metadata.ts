/** Kafka's metadata, and how they are written: its keys, in its order, so that they compare as text. */
import { asIds, asInt, asList, asObject, asText, parseObject } from './json.ts'

/** `/brokers/topics/T/partitions/P/state` */
export interface PartitionState {
  /** Of the controller that wrote it, or under whom the leader did. */
  readonly controllerEpoch: number
  /** -1: there is none. */
  readonly leader: number
  /** Rises with each change by a controller. Within one, only the leader writes. */
  readonly leaderEpoch: number
  /** Who has every acknowledged record. Never empty; without a leader, who had them last. */
  readonly isr: readonly number[]
}

export const NO_LEADER = -1

/** Replicas by partition, in the order of preference. */
export type Assignment = ReadonlyMap<number, readonly number[]>

/** `/brokers/topics/T` */
export interface TopicRecord {
  readonly id: string
  readonly partitions: Assignment
  /** Of partitions that are being reassigned: who joins, who leaves. */
  readonly adding: Assignment
  readonly removing: Assignment
}

export type TopicConfig = Readonly<Record<string, string>>

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface Reassigned extends TopicPartition {
  readonly replicas: readonly number[]
}

export function encodeState({ controllerEpoch, leader, leaderEpoch, isr }: PartitionState): string {
  return JSON.stringify({ controller_epoch: controllerEpoch, leader, version: 1, leader_epoch: leaderEpoch, isr })
}

/** @throws BrokerError INVALID_METADATA, as do all that decode. */
export function decodeState(text: string): PartitionState {
  const json = parseObject(text, 'a partition’s state')
  return {
    controllerEpoch: asInt(json['controller_epoch'], 'controller_epoch'),
    leader: asInt(json['leader'], 'leader', NO_LEADER),
    leaderEpoch: asInt(json['leader_epoch'], 'leader_epoch'),
    isr: asIds(json['isr'], 'isr'),
  }
}

export function encodeTopic({ id, partitions, adding, removing }: TopicRecord): string {
  return JSON.stringify({
    version: 3,
    partitions: byNumber(partitions),
    adding_replicas: byNumber(adding),
    removing_replicas: byNumber(removing),
    topic_id: id,
  })
}

export function decodeTopic(text: string): TopicRecord {
  const json = parseObject(text, 'a topic')
  return {
    id: asText(json['topic_id'], 'topic_id'),
    partitions: assignmentOf(json['partitions'], 'partitions'),
    adding: assignmentOf(json['adding_replicas'] ?? {}, 'adding_replicas'),
    removing: assignmentOf(json['removing_replicas'] ?? {}, 'removing_replicas'),
  }
}

export function encodeTopicConfig(config: TopicConfig): string {
  return JSON.stringify({ version: 1, config })
}

export function decodeTopicConfig(text: string): TopicConfig {
  const config = asObject(parseObject(text, 'a topic’s configuration')['config'], 'config')
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [name, asText(value, name)]))
}

export function encodeReassignment(partitions: readonly Reassigned[]): string {
  return JSON.stringify({
    version: 1,
    partitions: partitions.map(({ topic, partition, replicas }) => ({ topic, partition, replicas })),
  })
}

export function decodeReassignment(text: string): readonly Reassigned[] {
  return listOf(text).map((one) => {
    const json = asObject(one, 'a reassigned partition')
    return { ...topicPartition(json), replicas: asIds(json['replicas'], 'replicas') }
  })
}

export function encodePreferredElection(partitions: readonly TopicPartition[]): string {
  return JSON.stringify({ version: 1, partitions: partitions.map(({ topic, partition }) => ({ topic, partition })) })
}

export function decodePreferredElection(text: string): readonly TopicPartition[] {
  return listOf(text).map((one) => topicPartition(asObject(one, 'a partition')))
}

function listOf(text: string): readonly unknown[] {
  return asList(parseObject(text, 'an administrator’s wish')['partitions'], 'partitions')
}

function topicPartition(json: Readonly<Record<string, unknown>>): TopicPartition {
  return { topic: asText(json['topic'], 'topic'), partition: asInt(json['partition'], 'partition') }
}

function assignmentOf(value: unknown, about: string): Assignment {
  const entries = Object.entries(asObject(value, about))
  return new Map(entries.map(([number, ids]) => [asInt(Number(number), about), asIds(ids, about)]))
}

/** JavaScript puts numeric keys into ascending order by itself. */
function byNumber(assignment: Assignment): Readonly<Record<string, readonly number[]>> {
  return Object.fromEntries([...assignment].map(([number, ids]) => [String(number), ids]))
}
