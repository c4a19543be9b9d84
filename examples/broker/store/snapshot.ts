/** What a controller decides from, read from the store. */
import type { Entry, GroupMembershipClient, Storage, Version } from 'keta/spi'
import {
  decodePreferredElection,
  decodeReassignment,
  decodeState,
  decodeTopic,
  type PartitionState,
  type TopicRecord,
} from '../core/metadata.ts'
import * as paths from '../core/paths.ts'
import type { ClusterView, Deletion, LiveBroker, TopicView, Versioned } from '../core/view.ts'
import { isBrokerError } from '../errors.ts'

interface Draft {
  record: Versioned<TopicRecord> | undefined
  readonly states: Map<number, Versioned<PartitionState>>
  isUnreadable: boolean
}

/** @param unreadable is told of every value that is not what should stand there. */
export async function readCluster(
  storage: Storage,
  group: GroupMembershipClient,
  unreadable: (key: string, error: Error) => void,
): Promise<ClusterView> {
  const [members, topicEntries, configEntries, adminEntries] = await Promise.all([
    group.members(),
    all(storage, paths.TOPICS),
    all(storage, paths.TOPIC_CONFIGS),
    all(storage, paths.ADMIN),
  ])
  const topics = new Map<string, Draft>()
  for (const entry of topicEntries) readTopicEntry(topics, entry, unreadable)
  const configs = new Map<string, Version>()
  for (const { key, version } of configEntries) {
    const topic = paths.childName(paths.TOPIC_CONFIGS, key)
    if (topic !== undefined) configs.set(topic, version)
  }
  const admin = new Map(adminEntries.map((entry) => [entry.key, entry]))
  const wish = <T>(key: string, decode: (text: string) => T) => readWish(admin.get(key), decode, unreadable)
  const shutdowns = childrenOf(admin, paths.SHUTDOWNS)
  const isLeaving = (id: string, epoch: bigint) => shutdowns.get(id)?.text === epoch.toString()
  const live = [...members.values()].map(({ id, epoch }): [number, LiveBroker] => {
    return [Number(id), { isLeaving: isLeaving(id, epoch) }]
  })
  const past = [...shutdowns].filter(([id]) => {
    const member = members.get(id)
    return member === undefined || !isLeaving(id, member.epoch)
  })
  return {
    brokers: new Map(live),
    topics: topics satisfies ReadonlyMap<string, TopicView>,
    configs,
    deletions: new Map([...childrenOf(admin, paths.DELETE_TOPICS)].map(([topic, entry]) => [topic, deletionOf(entry)])),
    reassignment: wish(paths.REASSIGNMENT, decodeReassignment),
    preferred: wish(paths.PREFERRED_ELECTION, decodePreferredElection),
    pastShutdowns: new Map(past.map(([id, { version }]) => [Number(id), version])),
  }
}

async function all(storage: Storage, namespace: string): Promise<readonly Entry[]> {
  const entries: Entry[] = []
  for await (const entry of storage.scan(namespace)) entries.push(entry)
  return entries
}

function readTopicEntry(
  topics: Map<string, Draft>,
  { key, text, version }: Entry,
  unreadable: (key: string, error: Error) => void,
): void {
  const at = paths.parseStatePath(key)
  const name = at?.topic ?? paths.childName(paths.TOPICS, key)
  if (name === undefined) return
  const topic = topics.get(name) ?? { record: undefined, states: new Map(), isUnreadable: false }
  topics.set(name, topic)
  try {
    if (at === undefined) topic.record = { value: decodeTopic(text), version }
    else topic.states.set(at.partition, { value: decodeState(text), version })
  } catch (error) {
    if (!isBrokerError(error)) throw error
    topic.isUnreadable = true
    unreadable(key, error)
  }
}

/** One that cannot be read is as if it were not there: nobody knows what was wished. */
function readWish<T>(
  entry: Entry | undefined,
  decode: (text: string) => T,
  unreadable: (key: string, error: Error) => void,
): Versioned<T> | undefined {
  if (entry === undefined) return undefined
  try {
    return { value: decode(entry.text), version: entry.version }
  } catch (error) {
    if (!isBrokerError(error)) throw error
    unreadable(entry.key, error)
    return undefined
  }
}

function deletionOf({ text, version }: Entry): Versioned<Deletion> {
  return { value: { topicId: text }, version }
}

function childrenOf(entries: ReadonlyMap<string, Entry>, parent: string): ReadonlyMap<string, Entry> {
  const children = [...entries.values()].flatMap((entry): (readonly [string, Entry])[] => {
    const name = paths.childName(parent, entry.key)
    return name === undefined ? [] : [[name, entry]]
  })
  return new Map(children)
}
