/** What runs in child processes, by the name that RemoteParty.run knows it by. */
import type { Routines } from '../kit/agent-world.ts'
import { electionRoutines } from './election-routines.ts'
import { groupRoutines } from './group-routines.ts'
import { lifecycleRoutines } from './lifecycle-routines.ts'

export const routines: Routines = { ...lifecycleRoutines, ...groupRoutines, ...electionRoutines }
