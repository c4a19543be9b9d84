/** What the suite must know of a backend under test, and what it may do to its servers. */
import type { Capabilities } from '../spi/index.ts'

/**
 * A running store, ready for clients. The suite brings everything else: clients that are killed or stopped are its own
 * child processes, networks that are cut are its own proxies in front of `endpoints`.
 */
export interface BackendHarness {
  /** Of the report's column: `etcd (3 members)`. */
  readonly name: string
  /** `plugin.locator.classname`, as a child process can load it: a short name, or a `file:` URL with `#Export`. */
  readonly locator: string
  /** `plugin.additional.modules`. */
  readonly additionalModules?: readonly string[]
  /** Where clients connect, `host:port`. Empty: the store has no network, and nothing can be cut. */
  readonly endpoints: readonly string[]
  /** The contents of `plugin.configuration.file` for clients that are to use these endpoints (proxies of the suite). */
  properties(endpoints: readonly string[]): Readonly<Record<string, string>>
  /** What the backend is to promise; compared with what its services say (L10). */
  readonly expect: Capabilities
  /** T of the cases: the session timeout that clients ask for, and that the store grants unchanged. Milliseconds. */
  readonly sessionTtlMs: number
  /** How much later than its end the store may notice the end of a lease. Milliseconds. */
  readonly expiryLagMs: number
  readonly hooks: HarnessHooks
  /**
   * With so many of `hooks.servers`, whichever they are, the store works, and with fewer it does not (F4). Default:
   * half of them, rounded up, as where more than half must agree and their number is odd.
   */
  readonly enoughServers?: number
  /**
   * Cases that this harness cannot run, with the reason (`{ F8: 'no hook expireSession' }`). With this given the suite
   * is strict: a case that is not run and not listed fails, and one that is listed and could run too.
   */
  readonly notRun?: Readonly<Record<string, string>>
  /** Cases that fail, with the reason. Strict: one that passes all the same is an error. */
  readonly expectedFailures?: Readonly<Record<string, string>>
}

/** Without a hook the cases that need it are reported as not run, never as passed. */
export interface HarnessHooks {
  /** The servers, in the order of `endpoints`; killed and started again on the same endpoint with the same data. */
  readonly servers?: readonly ServerHook[]
  /** Ends a session in the store at once, as if its owner had been silent for too long. */
  expireSession?(sessionId: string): Promise<void>
  /** Removes, past the SPI, whoever leads the service: an administrator's deed. */
  removeLeader?(clusterId: string, service: string): Promise<void>
  removeMember?(clusterId: string, group: string, id: string): Promise<void>
  /** Lets the store forget all history that it can forget. */
  compact?(): Promise<void>
  /** What clients leave behind in the store: compared before and after (L12). */
  usage?(): Promise<{ readonly sessions: number; readonly connections?: number }>
  /** Properties that the store must refuse. */
  readonly wrongCredentials?: Readonly<Record<string, string>>
  /** A store with access control: clients with `properties` may not touch anything of the cluster `clusterId`. */
  readonly forbidden?: { readonly clusterId: string; readonly properties: Readonly<Record<string, string>> }
}

export interface ServerHook {
  readonly endpoint: string
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts a killed one; resolves when it answers (as far as it can without the others). */
  start(): Promise<void>
  /** Returns when it stands still. */
  pause(): void
  resume(): void
}
