/**
 * The node's heart: what stands in front of it asks for commands, reads and watches here (Put ②), and is answered by
 * the replica of the state and by whoever has the right to write. All IO, time and randomness come in through
 * `ports.ts`; `open-engine.ts` puts the parts together.
 */
import { type ActiveAlarm, ALARM_NOSPACE, type Command, type CompactResponse } from '../command/command.ts'
import type { RangeResponse, ResponseOf } from '../command/command.ts'
import type { Author } from '../command/author.ts'
import { encodeCommand } from '../command/codec.ts'
import { RequestFailure } from '../command/failure.ts'
import type { CompactOperation, RangeOperation, TxnOperation } from '../command/operations.ts'
import { executeRange } from '../state/range.ts'
import { executeReadTxn } from '../state/txn.ts'
import type { StateDump } from '../state/snapshot-dump.ts'
import type { StateMachine } from '../state/state-machine.ts'
import type { WatchSink, WatchStream } from '../watch/watch.ts'
import type { Access, EngineGauges, EngineStatus, ForwardedAnswer, Identity, LeaseStatus, Member } from './api.ts'
import type { OpenedEngine, Outcome, RoutedRequest } from './api.ts'
import { EngineAccess } from './access.ts'
import type { Authority } from './authority.ts'
import { type EngineObserver, NO_OBSERVER } from './observer.ts'
import type { EngineLogger, EngineOptions } from './ports.ts'
import type { Reign } from './reign.ts'
import type { Replica } from './replica.ts'
import type { Snapshotter } from './snapshotter.ts'

/** Keys visited per slice of a defragmentation. */
const DEFRAGMENT_SLICE_KEYS = 2_000

/**
 * What etcd's InternalRaftRequest adds to a request's own bytes: its header with an id, and the field's tag and length.
 */
const ENVELOPE_BYTES = 18

export interface EngineParts {
  readonly options: EngineOptions
  readonly replica: Replica
  readonly snapshotter: Snapshotter
  readonly authority: Authority
  /** One past the newest record that the log is known to hold. */
  readonly endOffset: () => number
}

export class KetaEngine implements OpenedEngine {
  readonly identity: Identity
  readonly access: Access
  readonly stopped: Promise<Error | undefined>
  readonly #parts: EngineParts
  readonly #state: StateMachine
  readonly #logger: EngineLogger
  readonly #observer: EngineObserver
  #end: (error: Error | undefined) => void = () => undefined
  #stopping: Promise<void> | undefined
  /** The alarm is on its way through the log. */
  #raisingNoSpace = false

  constructor(parts: EngineParts) {
    this.#parts = parts
    this.#state = parts.replica.state
    this.access = new EngineAccess(parts.replica, parts.options.clock)
    this.#logger = parts.options.logger
    this.#observer = parts.options.observer ?? NO_OBSERVER
    this.identity = parts.options.identity
    this.stopped = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  get revision(): number {
    return this.#state.store.revision
  }

  get term(): number {
    return this.#state.position.epoch
  }

  get appliedOffset(): number {
    return this.#state.position.offset
  }

  get members(): readonly Member[] {
    return this.#parts.authority.members
  }

  get leaderId(): bigint {
    return this.#parts.authority.leaderId
  }

  onLeaderChange(listener: () => void): () => void {
    return this.#parts.authority.onLeaderChange(listener)
  }

  get leading(): boolean {
    return this.#parts.authority.reign !== undefined
  }

  admit(command: Command): void {
    if (this.#parts.replica.quota.hasRoomFor(command)) return
    this.raiseNoSpace()
    throw new RequestFailure('NO_SPACE')
  }

  // Not async: on the way of every write each promise counts.
  propose<C extends Command>(command: C, body?: Uint8Array, author?: Author): Promise<Outcome<ResponseOf<C>>> {
    try {
      const payload = encodeCommand(command, body, author)
      const { maxRequestBytes } = this.#parts.options
      if (payload.length + ENVELOPE_BYTES > maxRequestBytes) throw new RequestFailure('REQUEST_TOO_LARGE')
      // The state machine answers each command with the response of its kind.
      return this.#reign().submit(command, payload, author) as Promise<Outcome<ResponseOf<C>>>
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)))
    }
  }

  async compact(operation: CompactOperation, body?: Uint8Array, author?: Author): Promise<Outcome<CompactResponse>> {
    const outcome = await this.propose(operation, body, author)
    if (operation.physical) await this.#parts.replica.scrubber.finished()
    return outcome
  }

  route(
    request: RoutedRequest,
    local: () => Uint8Array | Promise<Uint8Array>,
  ): Uint8Array | Promise<Uint8Array | ForwardedAnswer> {
    return this.#parts.authority.route(request, local)
  }

  async readIndex(): Promise<number> {
    await this.#reign().barrier()
    return this.appliedOffset
  }

  takeOver(epoch: number): boolean {
    return this.#parts.authority.takeOver(epoch)
  }

  moveLeader(memberId: bigint): Promise<void> {
    return this.#parts.authority.moveTo(memberId)
  }

  read<T>(serializable: boolean, read: () => T): T | Promise<T> {
    const barrier = serializable ? undefined : this.#parts.authority.linearize()
    return barrier === undefined ? read() : barrier.then(read)
  }

  range(operation: RangeOperation): Outcome<RangeResponse> {
    this.#observer.ranged()
    const { store } = this.#state
    const revision = operation.revision <= 0 ? store.revision : operation.revision
    this.#checkRevision(revision)
    const result = executeRange(store, operation, revision)
    return { response: { kind: 'range', keysOnly: operation.keysOnly, ...result }, revision: store.revision }
  }

  readTxn(operation: TxnOperation): Outcome<ResponseOf<TxnOperation>> {
    return { response: executeReadTxn(this.#state.store, operation), revision: this.#state.store.revision }
  }

  async keepAlive(id: bigint): Promise<number | undefined> {
    const reign = this.#reign()
    const ttl = await reign.leases.renew(id)
    // Only then is it certain that no other node leads and has let the lease run out.
    await reign.barrier()
    if (ttl !== undefined) this.#observer.leaseRenewed()
    return ttl
  }

  leaseStatus(id: bigint): LeaseStatus | undefined {
    return this.#reign().leases.status(id)
  }

  leaseIds(): readonly bigint[] {
    return this.#reign().leases.idsBySoonestExpiry()
  }

  openWatchStream(sink: WatchSink): WatchStream {
    return this.#parts.replica.hub.openStream(sink)
  }

  alarms(): readonly ActiveAlarm[] {
    return this.#state.alarms.list()
  }

  status(): EngineStatus {
    const { store } = this.#state
    const { quota } = this.#parts.replica
    return {
      dbSize: store.allocatedBytes,
      dbSizeInUse: store.liveBytes,
      dbSizeQuota: quota.limitBytes === Infinity ? 0 : quota.limitBytes,
      appendedIndex: Math.max(this.#parts.endOffset(), this.appliedOffset + 1),
      appliedIndex: this.appliedOffset + 1,
      leaderId: this.#parts.authority.leaderId,
      alarms: this.alarms(),
    }
  }

  gauges(): EngineGauges {
    const { authority, replica } = this.#parts
    const { store, leases } = this.#state
    return {
      ...replica.hub.stats(),
      keys: store.keyCount,
      leases: leases.size,
      compactRevision: Math.max(0, store.compactRevision),
      pendingProposals: authority.reign?.pending ?? 0,
    }
  }

  hashKv(revision: number): { readonly hash: number; readonly compactRevision: number; readonly hashRevision: number } {
    const { store } = this.#state
    const hashRevision = revision <= 0 ? store.revision : revision
    this.#checkRevision(hashRevision)
    return { hash: store.hashKv(hashRevision), compactRevision: store.compactRevision, hashRevision }
  }

  dump(): StateDump {
    const { scrubber } = this.#parts.replica
    const dump = this.#state.dump()
    scrubber.pause()
    let open = true
    return {
      ...dump,
      close() {
        if (!open) return
        open = false
        dump.close()
        scrubber.resume()
      },
    }
  }

  async defragment(): Promise<void> {
    const { replica, snapshotter } = this.#parts
    await snapshotter.idle()
    await replica.scrubber.finished()
    const { store } = this.#state
    while (this.#stopping === undefined && !store.defragment(DEFRAGMENT_SLICE_KEYS)) await this.#turn()
  }

  /** Raises the NOSPACE alarm through the log, once. */
  raiseNoSpace(): void {
    const { memberId } = this.identity
    const raised = this.alarms().some((active) => active.alarm === ALARM_NOSPACE && active.memberId === memberId)
    if (raised || this.#raisingNoSpace || this.#stopping !== undefined) return
    this.#raisingNoSpace = true
    const command: Command = { kind: 'alarm', action: 'activate', memberId, alarm: ALARM_NOSPACE }
    this.propose(command)
      .catch((error: unknown) => {
        this.#logger.warn('could not raise the NOSPACE alarm; the next write tries again', { error })
      })
      .finally(() => {
        this.#raisingNoSpace = false
      })
  }

  join(): void {
    this.#parts.authority.join()
  }

  resign(): Promise<void> {
    return this.#parts.authority.resign()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#shutDown(undefined)
    return this.#stopping
  }

  /** Something happened after which nothing more can be promised. */
  fail(error: Error): void {
    if (this.#stopping !== undefined) return
    this.#logger.error('the node ends, because it can promise nothing more', { error })
    this.#stopping = this.#shutDown(error)
  }

  async #shutDown(error: Error | undefined): Promise<void> {
    const { authority, replica, snapshotter } = this.#parts
    await authority.stop()
    // The device that failed may never finish what is under way on it: the failure is told without waiting for that.
    if (error !== undefined) this.#end(error)
    replica.stop()
    await snapshotter.stop()
    this.#end(error)
  }

  /** @throws RequestFailure NOT_LEADER */
  #reign(): Reign {
    const { reign } = this.#parts.authority
    if (reign === undefined) throw new RequestFailure('NOT_LEADER')
    return reign
  }

  #checkRevision(revision: number): void {
    const problem = this.#state.store.checkRevision(revision)
    if (problem !== undefined) throw new RequestFailure(problem === 'compacted' ? 'COMPACTED' : 'FUTURE_REVISION')
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.options.clock.soon(resolve)
    })
  }
}
