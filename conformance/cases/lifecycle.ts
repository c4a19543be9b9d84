/** Part L of the catalogue: loading, configuration, and the life of a client. */
import type { ConformanceCase } from '../kit/case.ts'
import { lifecycleClosing } from './lifecycle-closing.ts'
import { lifecycleLoading } from './lifecycle-loading.ts'
import { lifecycleSharing } from './lifecycle-sharing.ts'

export const lifecycleCases: readonly ConformanceCase[] = [
  ...lifecycleLoading,
  ...lifecycleClosing,
  ...lifecycleSharing,
]
