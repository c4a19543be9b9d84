/** What followers are given: the logs of many partitions in one answer. */
import type { TopicPartition } from '../core/metadata.ts'
import { isBrokerError } from '../errors.ts'
import type { Answer } from '../wire/server.ts'
import type { Replicas } from './replicas.ts'

export interface PartitionFetch extends TopicPartition {
  readonly leaderEpoch: number
  readonly offset: number
}

/** Whether there is something to answer: records, or that the asker is mistaken. */
export function isFetchDue(replicas: Replicas, { leaderEpoch, offset, ...at }: PartitionFetch): boolean {
  try {
    const partition = replicas.get(at)
    partition.asLeader(leaderEpoch)
    return offset < partition.log.endOffset
  } catch (error) {
    if (!isBrokerError(error)) throw error
    return true
  }
}

/** In the order of the question; the bytes of all of them one after the other, `maxBytes` in all or a little more. */
export function readForReplica(replicas: Replicas, asked: readonly PartitionFetch[], maxBytes: number): Answer {
  const bodies: Buffer[] = []
  let left = maxBytes
  const partitions = asked.map(({ leaderEpoch, offset, ...at }) => {
    try {
      const partition = replicas.get(at)
      const { highWatermark } = partition.asLeader(leaderEpoch)
      const bytes = left > 0 ? partition.log.read(offset, left) : Buffer.alloc(0)
      left -= bytes.length
      bodies.push(bytes)
      return { size: bytes.length, high_watermark: highWatermark }
    } catch (error) {
      if (!isBrokerError(error)) throw error
      return { error: { code: error.code, message: error.message } }
    }
  })
  return { header: { partitions }, body: Buffer.concat(bodies) }
}
