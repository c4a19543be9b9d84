/** The cases of leader election, X1–X27. */
import type { ConformanceCase } from '../kit/case.ts'
import { electionBasics } from './election-basics.ts'
import { electionChaos } from './election-chaos.ts'
import { electionFaults } from './election-faults.ts'
import { electionMany } from './election-many.ts'
import { electionNames } from './election-names.ts'
import { electionTime } from './election-time.ts'
import { electionWaiting } from './election-waiting.ts'

export const electionCases: readonly ConformanceCase[] = [
  ...electionBasics,
  ...electionNames,
  ...electionTime,
  ...electionFaults,
  ...electionMany,
  ...electionWaiting,
  ...electionChaos,
]
