/** What a case of the suite is, and what it is given. */
import type { Capabilities, PluginHost } from '../../spi/index.ts'
import type { BackendHarness, HarnessHooks } from '../harness.ts'
import type { History } from './history.ts'
import type { Link } from './link.ts'
import type { Party, RemoteParty } from './party.ts'

/** One line of the catalogue. */
export interface ConformanceCase {
  /** Of the catalogue (conformance/README.md): 'S8'. */
  readonly id: string
  /** A sentence about the backend: 'a version does not come back after delete and re-create'. */
  readonly title: string
  /** What it cannot do without; where it is missing the case is not run. */
  readonly needs?: readonly Need[]
  /** A promise that the backend may not make; then `otherwise` runs instead. */
  readonly capability?: OptionalCapability
  /** With the capability: the case. */
  run(given: Given): Promise<void>
  /** Without it: the calls must throw UNSUPPORTED. */
  otherwise?(given: Given): Promise<void>
  /** Must not run beside other cases: it harms the servers, or measures time. */
  readonly alone?: boolean
  /** Longer than the others may take, as a multiple of T added to the default. */
  readonly extraTtls?: number
}

/** 'processes': clients in child processes; 'links': a network that can be cut; the others: hooks of the harness. */
export type Need = 'processes' | 'links' | keyof HarnessHooks

/** A capability of which a backend may say false. */
export type OptionalCapability = 'linearizableReads' | 'atomicFencing' | 'snapshotScan' | 'transactions' | 'persistent'

/** What a case works with. Everything is closed after it, whatever happens. */
export interface Given {
  readonly harness: BackendHarness
  readonly hooks: HarnessHooks
  readonly capabilities: Capabilities
  /** The session's time to live, milliseconds. */
  readonly T: number
  /** By when, after the deadline of a dead client, everybody must have been told: granularity, expiry and lag. */
  readonly graceMs: number
  /** Cluster id of this case alone. */
  readonly clusterId: string
  /** One clock for this process, the agents' events and the history: milliseconds, with fractions; never set. */
  now(): number
  /** Of the seed and the case's id: the same in each run with that seed. */
  random(): number
  /** The number for this run's scale. */
  scale(quick: number, full: number): number

  /** A started client in this process; its name is for messages. */
  party(name: string, options?: PartyOptions): Promise<Party>
  /** A started client in a process of its own. */
  process(name: string, options?: PartyOptions): Promise<RemoteParty>
  /** A way to the servers for a client that the case starts itself. */
  link(): Promise<Link>
  /** The plugin's properties for a client on that way. */
  properties(link: Link): Readonly<Record<string, string>>
  /** A server.properties with its plugin.properties, for `loadPlugin`. Its path. */
  serverProperties(link: Link, options?: PartyOptions): Promise<string>
  /** Saved as JSONL if the case fails. */
  readonly history: History
  /** A figure for the report, milliseconds: how long it took here and now, nothing that a backend has promised. */
  measured(what: string, ms: number): void

  /**
   * Asks again and again until `condition` gives something else than false, undefined or a rejection with an assertion
   * error; fails, saying what for, after `withinMs` (default: T + graceMs).
   */
  until<R>(what: string, condition: () => R | Promise<R>, withinMs?: number): Promise<Exclude<R, false | undefined>>
  /** The condition must hold now and all the while. */
  always(what: string, condition: () => boolean | Promise<boolean>, forMs: number): Promise<void>
  /** To be done after the case, in reverse order. */
  after(task: () => Promise<void> | void): void
}

export interface PartyOptions {
  readonly clusterId?: string
  readonly sessionTtlMs?: number
  /** Besides the harness's. */
  readonly properties?: Readonly<Record<string, string>>
  /** Of a client in this process. */
  readonly host?: PluginHost
  /** Share another client's way instead of having one's own. */
  readonly link?: Link
}
