/** What a routine of a case finds in the child process that it runs in. */
import type { GroupMembershipClient, LeaderElectionClient, PluginLocator } from '../../spi/index.ts'
import type { RemoteEvent } from './party.ts'

export interface AgentWorld {
  /** Started. */
  readonly locator: PluginLocator
  /** The case's own group or service unless named. */
  group(name?: string): GroupMembershipClient
  election(service?: string): LeaderElectionClient
  /** Every callback so far, in its order. */
  readonly events: readonly RemoteEvent[]
  /** Shows something to the case, in order with the callbacks. */
  emit(what: string, details?: unknown): void
  /** The clock of all events: milliseconds. */
  now(): number
}

/**
 * Runs in the child; what it is given and what it returns are plain data, bytes, bigints, Maps and Sets. Kept in
 * conformance/cases/*-routines.ts and listed in routines.ts there.
 */
export type Routine = (world: AgentWorld, args: never) => Promise<unknown>

export type Routines = Readonly<Record<string, Routine>>
