/** The cases of group membership, G1–G18. */
import type { ConformanceCase } from '../kit/case.ts'
import { groupBasics } from './group-basics.ts'
import { groupMany } from './group-many.ts'
import { groupTakeover } from './group-takeover.ts'
import { groupTime } from './group-time.ts'

export const groupCases: readonly ConformanceCase[] = [...groupBasics, ...groupTime, ...groupTakeover, ...groupMany]
