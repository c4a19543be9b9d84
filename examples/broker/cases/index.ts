/** All cases of brokers on the SPI: the same for every backend. */
import type { ConformanceCase } from 'keta/conformance'
import { controllers } from './controllers.ts'
import { failover } from './failover.ts'
import { inSyncSets } from './in-sync-sets.ts'
import { manyPartitions } from './many-partitions.ts'
import { moving } from './moving.ts'
import { records } from './records.ts'
import { registration } from './registration.ts'
import { topics } from './topics.ts'

export const brokerCases: readonly ConformanceCase[] = [
  ...registration,
  ...topics,
  ...inSyncSets,
  ...failover,
  ...controllers,
  ...records,
  ...moving,
  ...manyPartitions,
]
