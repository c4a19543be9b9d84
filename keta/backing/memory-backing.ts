/** A state in memory alone: what outlives the process are the snapshots and the log. */
import { SnapshotLoader } from '../state/snapshot.ts'
import { StateMachine } from '../state/state-machine.ts'
import type { StateBacking } from './backing.ts'

/** A backing that makes nothing durable cannot fail to. */
const NEVER = new Promise<never>(() => {
  // stays pending
})

export function memoryBacking(): StateBacking {
  return {
    restored: undefined,
    empty: async () => new StateMachine(),
    loader: async () => new SnapshotLoader(),
    ready: () => undefined,
    durableOffset: -1,
    flush: async () => undefined,
    failed: NEVER,
    close: async () => undefined,
  }
}
