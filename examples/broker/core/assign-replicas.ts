/** Which brokers get the replicas of a new topic. */
import { BrokerError } from '../errors.ts'
import type { Assignment } from './metadata.ts'

export interface WishedTopic {
  readonly partitions: number
  readonly replicationFactor: number
}

/**
 * Kafka's rule for brokers without racks: the first replicas go round the brokers; the others follow at a distance that
 * grows by one with every round, so that the partitions of one broker have their other replicas on all the others.
 *
 * @param start which broker gets the first replica of partition 0, and the first distance: random, so that topics of
 * one partition do not all meet on one broker.
 * @throws BrokerError INVALID_REQUEST if there are too few brokers or no partitions.
 */
export function assignReplicas(
  brokers: readonly number[],
  { partitions, replicationFactor }: WishedTopic,
  start: { readonly broker: number; readonly shift: number } = { broker: 0, shift: 0 },
): Assignment {
  if (!(partitions > 0)) throw new BrokerError('INVALID_REQUEST', 'a topic has at least one partition')
  if (!(replicationFactor > 0) || replicationFactor > brokers.length) {
    const message = `a replication factor of ${replicationFactor} cannot be had with ${brokers.length} brokers`
    throw new BrokerError('INVALID_REQUEST', message)
  }
  const ids = [...brokers].sort((a, b) => a - b)
  const count = ids.length
  let shift = start.shift
  const assigned = new Map<number, readonly number[]>()
  for (let partition = 0; partition < partitions; partition++) {
    if (partition > 0 && partition % count === 0) shift++
    const first = (partition + start.broker) % count
    const others = Array.from({ length: replicationFactor - 1 }, (_, other) => {
      const distance = 1 + ((shift + other) % (count - 1))
      return ids[(first + distance) % count]
    })
    assigned.set(
      partition,
      [ids[first], ...others].filter((id) => id !== undefined),
    )
  }
  return assigned
}
