/**
 * The clients of a case: in this process, or in a child process that can be killed, stopped and stalled. Each has its
 * own way to the servers.
 */
import type {
  Data,
  FencingToken,
  GroupMembershipClient,
  JoinOptions,
  LeaderElectionClient,
  LeaderInfo,
  ListenerRegistry,
  LossReason,
  Member,
  NominateOptions,
  PluginLocator,
  ReadOptions,
  Session,
  Storage,
} from '../../spi/index.ts'
import type { Link } from './link.ts'

/** A client in this process. */
export interface Party {
  /** 'A', 'B'. */
  readonly name: string
  readonly locator: PluginLocator
  readonly storage: Storage
  readonly registry: ListenerRegistry
  readonly session: Session
  /** Everything that the backend has logged, one line each. */
  readonly logged: readonly string[]
  readonly link: Link
  /** The case's own group or service unless named. */
  group(name?: string): GroupMembershipClient
  election(service?: string): LeaderElectionClient
}

/** A client in a child process; what it can do is what messages can carry. */
export interface RemoteParty {
  readonly name: string
  readonly link: Link
  readonly pid: number
  readonly storage: Pick<Storage, 'put' | 'update' | 'delete' | 'fetch' | 'fetchEntry' | 'list' | 'transact'>
  group(name?: string): RemoteGroup
  election(service?: string): RemoteElection
  /** Its session, as of its last start or re-establishment. */
  readonly sessionId: string
  /** Every callback so far, in its order. */
  readonly events: readonly RemoteEvent[]
  /** Resolves with the first event (also a past one, from index `from`) that fits; rejects after `withinMs`. */
  event(fits: (event: RemoteEvent) => boolean, withinMs: number, from?: number): Promise<RemoteEvent>
  /** Runs a routine of conformance/cases/*-routines.ts in the child, by name. */
  run<R>(routine: string, args?: unknown): Promise<R>
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>
  /** SIGSTOP; returns when it stands still. */
  stop(): void
  /** SIGCONT. */
  continue(): void
  /** Stalls its event loop: a busy loop that nothing interrupts. Resolves when it is over. */
  busy(ms: number): Promise<void>
  /** Shuts the plugin down in order and lets the process end by itself. Resolves with its exit code. */
  end(): Promise<number>
}

export interface RemoteGroup {
  /** `events` tells of its end; a listener for all callbacks is added on the first call. */
  join(id: string, data?: Data, options?: Omit<JoinOptions, 'signal'>): Promise<{ readonly epoch: FencingToken }>
  updateData(id: string, data: Data): Promise<void>
  leave(id: string): Promise<void>
  membershipList(options?: ReadOptions): Promise<ReadonlySet<string>>
  members(options?: ReadOptions): Promise<ReadonlyMap<string, Member>>
  /** Adds the listener without joining; the present state is its first event. */
  observe(): Promise<void>
}

export interface RemoteElection {
  nominate(candidate: string, options?: Omit<NominateOptions, 'signal'>): Promise<boolean>
  awaitLeadership(candidate: string, timeoutMs?: number): Promise<{ readonly token: FencingToken }>
  resign(candidate: string): Promise<void>
  withdraw(candidate: string): Promise<void>
  getLeader(options?: ReadOptions): Promise<string | undefined>
  leader(options?: ReadOptions): Promise<LeaderInfo | undefined>
  /** What its `leadership(candidate)` says at this moment. */
  leadership(candidate: string): Promise<{ readonly token: FencingToken; readonly held: boolean } | undefined>
  /** A write as the leader, of a key that is there or not, fenced by its latest handle – also if that is over. */
  fencedPut(candidate: string, key: string, data: Data): Promise<void>
  observe(): Promise<void>
}

/** A callback, or a signal's abort, in a child process. `at` is of the clock that is Given.now, milliseconds. */
export type RemoteEvent = { readonly at: number } & (
  | { readonly type: 'group-change'; readonly group: string; readonly members: readonly string[] }
  | { readonly type: 'membership-aborted' | 'rejoined'; readonly id: string; readonly epoch: FencingToken }
  | {
      readonly type: 'membership-lost'
      readonly id: string
      readonly epoch: FencingToken
      readonly reason: LossReason
    }
  | { readonly type: 'leader-change'; readonly service: string; readonly leader: string | undefined }
  | { readonly type: 'leadership-aborted' | 'elected'; readonly candidate: string; readonly token: FencingToken }
  | {
      readonly type: 'leadership-lost'
      readonly candidate: string
      readonly token: FencingToken
      readonly reason: LossReason
    }
  | { readonly type: 'suspended' | 'resumed' | 'lost' | 'reestablished'; readonly session: string }
  | { readonly type: 'log'; readonly line: string }
  /** What a routine wants to be seen. */
  | { readonly type: 'routine'; readonly what: string; readonly details?: unknown }
  | { readonly type: 'unhandled'; readonly error: string }
)
