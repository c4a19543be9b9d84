/** The PluginLocator of KAFKA-2921, the patch that KIP-30's first plugin ran on: what a backend exports. */
import type { ConfigDef } from './config/config-def.ts'
import type { GroupMembershipClient } from './group-membership.ts'
import type { LeaderElectionClient } from './leader-election.ts'
import type { ListenerRegistry } from './listener-registry.ts'
import type { OpOptions } from './options.ts'
import type { PluginHost } from './plugin-context.ts'
import type { Session } from './session.ts'
import type { Storage } from './storage.ts'

/** Of the contract in this folder. A locator of another version is refused before it is started. */
export const API_VERSION = 1

/**
 * Owns the connection and the session; the services share both and come out initialised. Asked twice for the same
 * group or service it gives the same instance. `await using` shuts down.
 */
export interface PluginLocator extends AsyncDisposable {
  /**
   * Connects and opens the session. Once, and not after `shutdown`; the services are there when it resolves.
   * @param configFile where the configuration stands, for messages; `host.config` is what it says. Without
   * `host.config` the locator reads the file itself.
   * @throws CoordinationError CONFIG, CONNECTION, TIMEOUT, AUTHENTICATION, AUTHORIZATION
   */
  startup(configFile: string, host?: PluginHost, options?: OpOptions): Promise<void>

  /** Each: NOT_INITIALIZED before startup; after shutdown a closed service, or CLOSED. */
  getGroupMembership(group: string): GroupMembershipClient
  getLeaderElection(service: string): LeaderElectionClient
  getStorage(): Storage
  getListenerRegistry(): ListenerRegistry

  /** The one session of all the services; after a loss, the new one. @throws CoordinationError NOT_INITIALIZED */
  readonly session: Session

  /** Closes all services and then the session, as Lifecycle.close says. Any number of times; never rejects. */
  shutdown(): Promise<void>
}

/**
 * What a plugin module exports: a class, so that its configuration can be checked and documented without connecting.
 * `conformance` runs on it.
 */
export interface PluginLocatorClass {
  new (): PluginLocator
  readonly apiVersion: typeof API_VERSION
  readonly configDef: ConfigDef
  /**
   * What is wrong with values that are right one by one, such as two that exclude each other; one sentence each. Asked
   * before anything connects, of the values that `configDef` has found right. It may read files.
   */
  configProblems?(values: Readonly<Record<string, unknown>>): readonly string[]
}
