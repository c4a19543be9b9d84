/** What runs in child processes, by the name that RemoteParty.run knows it by. */
import type { Routines } from '../kit/agent-world.ts'

export const routines: Routines = {}
