/** The cases of the storage, S1–S25. */
import type { ConformanceCase } from '../kit/case.ts'
import { storageBasics } from './storage-basics.ts'
import { storageData } from './storage-data.ts'
import { storageFences } from './storage-fences.ts'
import { storageHistories } from './storage-histories.ts'
import { storageModify } from './storage-modify.ts'
import { storagePaths } from './storage-paths.ts'
import { storageRaces } from './storage-races.ts'
import { storageRestarts } from './storage-restarts.ts'
import { storageScans } from './storage-scans.ts'
import { storageTransactions } from './storage-transactions.ts'

export const storageCases: readonly ConformanceCase[] = [
  ...storageBasics,
  ...storageData,
  ...storagePaths,
  ...storageScans,
  ...storageRaces,
  ...storageHistories,
  ...storageTransactions,
  ...storageRestarts,
  ...storageFences,
  ...storageModify,
]
