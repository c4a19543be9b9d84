/**
 * What a controller decides: the writes that bring the store nearer to what it should be, from what it is. No event and
 * no memory enters, so it does not matter what was missed, nor what a predecessor left half done. Writes of one plan
 * are of different keys and in any order; what depends on them is in the plan after it.
 */
import { encodeState, encodeTopic, type TopicRecord } from './metadata.ts'
import * as paths from './paths.ts'
import { planPartition } from './plan-partition.ts'
import { isReassigned, planReassignment } from './plan-reassignment.ts'
import type { ClusterView, TopicView, Versioned, Write } from './view.ts'

/** Empty: all is as it should be. @param controllerEpoch of the controller that asks. */
export function plan(view: ClusterView, controllerEpoch: number): readonly Write[] {
  const writes: Write[] = []
  for (const [topic, one] of view.topics) {
    if (one.isUnreadable) continue
    if (one.record === undefined) writes.push(...deleteStates(topic, one))
    else if (isToBeDeleted(view, topic, one.record)) writes.push(...deleteTopic(view, topic, one, one.record))
    else writes.push(...planTopic(view, topic, one, one.record, controllerEpoch))
  }
  writes.push(...forgetDeletions(view), ...forgetReassignment(view), ...forgetPreferredElection(view, writes))
  for (const [broker, version] of view.pastShutdowns) writes.push(remove(paths.shutdownPath(broker), version))
  return writes
}

function planTopic(
  view: ClusterView,
  topic: string,
  { states }: TopicView,
  { value: record, version }: Versioned<TopicRecord>,
  controllerEpoch: number,
): readonly Write[] {
  const writes: Write[] = []
  for (const [partition, replicas] of record.partitions) {
    const before = states.get(partition)
    const state = planPartition({
      controllerEpoch,
      brokers: view.brokers,
      replicas,
      removing: record.removing.get(partition) ?? [],
      state: before?.value,
      preferFirst: view.preferred?.value.some((one) => one.topic === topic && one.partition === partition) ?? false,
    })
    if (state === undefined) continue
    const key = paths.statePath(topic, partition)
    const data = encodeState(state)
    writes.push(
      before === undefined ? { op: 'put', key, data } : { op: 'update', key, data, ifVersion: before.version },
    )
  }
  const reassigned = planReassignment(
    record,
    states,
    view.reassignment?.value.filter((one) => one.topic === topic) ?? [],
  )
  if (reassigned !== undefined) {
    writes.push({ op: 'update', key: paths.topicPath(topic), data: encodeTopic(reassigned), ifVersion: version })
  }
  return writes
}

/** A wish is for the topic that had the name when it was made, not for one that was created since. */
function isToBeDeleted(view: ClusterView, topic: string, { value: record }: Versioned<TopicRecord>): boolean {
  const deletion = view.deletions.get(topic)?.value
  return deletion !== undefined && (deletion.topicId === '' || deletion.topicId === record.id)
}

/** The record goes last: as long as it is there, so is the name, and nobody can create another. */
function deleteTopic(
  view: ClusterView,
  topic: string,
  one: TopicView,
  { version }: Versioned<TopicRecord>,
): readonly Write[] {
  const writes = [...deleteStates(topic, one)]
  const config = view.configs.get(topic)
  if (config !== undefined) writes.push(remove(paths.topicConfigPath(topic), config))
  return writes.length > 0 ? writes : [remove(paths.topicPath(topic), version)]
}

function deleteStates(topic: string, { states }: TopicView): readonly Write[] {
  return [...states].map(([partition, { version }]) => remove(paths.statePath(topic, partition), version))
}

function forgetDeletions(view: ClusterView): readonly Write[] {
  return [...view.deletions].flatMap(([topic, { version }]) => {
    const one = view.topics.get(topic)
    if (one?.isUnreadable === true) return []
    if (one !== undefined && (one.record === undefined || isToBeDeleted(view, topic, one.record))) return []
    return [remove(paths.deletionPath(topic), version)]
  })
}

function forgetReassignment({ reassignment, topics }: ClusterView): readonly Write[] {
  if (reassignment === undefined) return []
  const isDone = reassignment.value.every((one) => {
    const topic = topics.get(one.topic)
    return topic?.isUnreadable !== true && isReassigned(topic?.record?.value, one)
  })
  return isDone ? [remove(paths.REASSIGNMENT, reassignment.version)] : []
}

/** Done when nothing is left to be changed by it: what cannot lead first now is not waited for. */
function forgetPreferredElection({ preferred }: ClusterView, writes: readonly Write[]): readonly Write[] {
  if (preferred === undefined) return []
  const keys = new Set(preferred.value.map(({ topic, partition }) => paths.statePath(topic, partition)))
  return writes.some(({ key }) => keys.has(key)) ? [] : [remove(paths.PREFERRED_ELECTION, preferred.version)]
}

function remove(key: string, ifVersion: Versioned<unknown>['version']): Write {
  return { op: 'delete', key, ifVersion }
}
