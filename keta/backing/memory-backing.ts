/** A state in memory alone: what outlives the process are the snapshots and the log. */
import { SnapshotLoader } from '../state/snapshot.ts'
import { StateMachine } from '../state/state-machine.ts'
import type { StateBacking } from './backing.ts'

export function memoryBacking(): StateBacking {
  return {
    restored: undefined,
    empty: async () => new StateMachine(),
    loader: async () => new SnapshotLoader(),
    ready: () => undefined,
    durableOffset: -1,
    flush: async () => undefined,
    // Makes nothing durable, and so cannot fail to. One for each: who waits for it is held by it.
    failed: new Promise(() => {
      // Stays pending.
    }),
    close: async () => undefined,
  }
}
