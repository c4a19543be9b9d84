/**
 * Moving partitions to other brokers. A topic's record says how far it has come: first the replicas are those that
 * come and those that go; when all who stay are in sync, and the others out of it, they are those who stay.
 */
import type { PartitionState, Reassigned, TopicRecord } from './metadata.ts'
import type { Versioned } from './view.ts'

/** The topic's record after the next step; undefined if there is none to be taken now. @param wishes for this topic. */
export function planReassignment(
  record: TopicRecord,
  states: ReadonlyMap<number, Versioned<PartitionState>>,
  wishes: readonly Reassigned[],
): TopicRecord | undefined {
  const partitions = new Map(record.partitions)
  const adding = new Map(record.adding)
  const removing = new Map(record.removing)
  let changed = false
  for (const [partition, replicas] of record.partitions) {
    const wish = wishes.find((one) => one.partition === partition)
    const target = targetOf(record, partition, replicas)
    if (wish !== undefined && wish.replicas.length > 0 && !isSame(target, wish.replicas)) {
      const come = record.adding.get(partition) ?? []
      const origin = replicas.filter((id) => !come.includes(id))
      partitions.set(partition, [...new Set([...wish.replicas, ...origin])])
      put(adding, partition, without(wish.replicas, origin))
      put(removing, partition, without(origin, wish.replicas))
    } else if (isUnderWay(record, partition) && isSettled(target, states.get(partition)?.value)) {
      partitions.set(partition, target)
      adding.delete(partition)
      removing.delete(partition)
    } else {
      continue
    }
    changed = true
  }
  return changed ? { id: record.id, partitions, adding, removing } : undefined
}

/** Whether a wish has come true, or cannot: there is no such partition. */
export function isReassigned(record: TopicRecord | undefined, { partition, replicas }: Reassigned): boolean {
  const now = record?.partitions.get(partition)
  if (record === undefined || now === undefined || replicas.length === 0) return true
  return isSame(now, replicas) && !isUnderWay(record, partition)
}

function isUnderWay({ adding, removing }: TopicRecord, partition: number): boolean {
  return adding.has(partition) || removing.has(partition)
}

function targetOf({ removing }: TopicRecord, partition: number, replicas: readonly number[]): readonly number[] {
  return without(replicas, removing.get(partition) ?? [])
}

function isSettled(target: readonly number[], state: PartitionState | undefined): boolean {
  if (state === undefined) return false
  return target.every((id) => state.isr.includes(id)) && state.isr.every((id) => target.includes(id))
}

function put(map: Map<number, readonly number[]>, partition: number, ids: readonly number[]): void {
  if (ids.length > 0) map.set(partition, ids)
  else map.delete(partition)
}

function without(ids: readonly number[], others: readonly number[]): readonly number[] {
  return ids.filter((id) => !others.includes(id))
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, at) => id === b[at])
}
