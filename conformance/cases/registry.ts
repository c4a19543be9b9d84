/** The cases of the listener registry, R1–R16. */
import type { ConformanceCase } from '../kit/case.ts'
import { registryFaults } from './registry-faults.ts'
import { registryKeySets } from './registry-key-sets.ts'
import { registryListeners } from './registry-listeners.ts'
import { registryMany } from './registry-many.ts'
import { registryValues } from './registry-values.ts'

export const registryCases: readonly ConformanceCase[] = [
  ...registryValues,
  ...registryListeners,
  ...registryKeySets,
  ...registryMany,
  ...registryFaults,
]
