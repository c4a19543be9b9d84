/** The catalogue: every case of the suite, in the order of its report. */
import type { ConformanceCase } from '../kit/case.ts'
import { electionCases } from './election.ts'
import { errorCases } from './errors.ts'
import { faultCases } from './faults.ts'
import { groupCases } from './group.ts'
import { lifecycleCases } from './lifecycle.ts'
import { registryCases } from './registry.ts'
import { storageCases } from './storage.ts'

/** Of the parts of the catalogue, by the letters that their ids begin with. */
const PARTS = ['L', 'E', 'S', 'R', 'G', 'X', 'F', 'B']

const CASES: readonly ConformanceCase[] = [
  ...lifecycleCases,
  ...errorCases,
  ...faultCases,
  ...storageCases,
  ...registryCases,
  ...groupCases,
  ...electionCases,
]

export const catalogue: readonly ConformanceCase[] = Object.freeze([...CASES].sort(byId))

function byId({ id: a }: ConformanceCase, { id: b }: ConformanceCase): number {
  return partOf(a) - partOf(b) || numberOf(a) - numberOf(b) || (a < b ? -1 : 1)
}

function partOf(id: string): number {
  return PARTS.indexOf(id.charAt(0))
}

function numberOf(id: string): number {
  return Number.parseInt(id.slice(1), 10)
}
