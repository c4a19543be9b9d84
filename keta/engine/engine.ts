/**
 * The node's heart: takes commands (Put ②), has them appended and applied in log order, answers whoever waits, and
 * runs what goes on beside: leases, watches, compaction, snapshots. All IO, time and randomness come in through
 * `ports.ts`.
 */
import { type ActiveAlarm, ALARM_NOSPACE, type Command, type CompactResponse } from '../command/command.ts'
import type { RangeResponse, ResponseOf } from '../command/command.ts'
import { encodeCommand } from '../command/codec.ts'
import { RequestFailure } from '../command/failure.ts'
import type { CompactOperation, RangeOperation, TxnOperation } from '../command/operations.ts'
import { executeRange } from '../mvcc/range.ts'
import { executeReadTxn } from '../state/txn.ts'
import type { StateMachine } from '../state/state-machine.ts'
import { WatchHub } from '../watch/watch-hub.ts'
import type { WatchSink, WatchStream } from '../watch/watch.ts'
import type { Engine, EngineStatus, Identity, LeaseStatus, Member, Outcome } from './api.ts'
import { AutoCompactor } from './auto-compactor.ts'
import { Committer } from './committer.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { EngineOptions } from './ports.ts'
import { Proposer } from './proposer.ts'
import { Quota } from './quota.ts'
import { type Replayed, replay } from './replay.ts'
import { Scrubber } from './scrubber.ts'
import { Snapshotter } from './snapshotter.ts'
import { WatchDriver } from './watch-driver.ts'

/** Keys visited per slice of a defragmentation. */
const DEFRAGMENT_SLICE_KEYS = 2_000

/**
 * What etcd's InternalRaftRequest adds to a request's own bytes: its header with an id, and the field's tag and length.
 */
const ENVELOPE_BYTES = 18

export interface OpenedEngine extends Engine {
  /**
   * Answers what is in flight, refuses the rest, and releases timers. The log stays open: it belongs to the caller.
   * Idempotent.
   */
  stop(): Promise<void>
}

/**
 * Replays snapshot and log, claims leadership of the log, and serves.
 * @throws LogError, LogDivergedError when the data cannot be trusted.
 */
export async function openEngine(options: EngineOptions): Promise<OpenedEngine> {
  const { log, snapshots, logger } = options
  const replayed = await replay({ log, snapshots, logger, onProgress: options.onReplay ?? (() => undefined) })
  const engine = new KetaEngine(options, replayed)
  try {
    await engine.claim()
  } catch (error) {
    await engine.stop()
    throw error
  }
  return engine
}

class KetaEngine implements OpenedEngine {
  readonly identity: Identity
  readonly stopped: Promise<Error | undefined>
  readonly #options: EngineOptions
  readonly #state: StateMachine
  readonly #quota: Quota
  readonly #hub: WatchHub
  readonly #watchDriver: WatchDriver
  readonly #scrubber: Scrubber
  readonly #snapshotter: Snapshotter
  readonly #leaseKeeper: LeaseKeeper
  readonly #autoCompactor: AutoCompactor
  readonly #committer: Committer
  readonly #proposer: Proposer
  #end: (error: Error | undefined) => void = () => undefined
  #stopping: Promise<void> | undefined
  /** The alarm is on its way through the log. */
  #raisingNoSpace = false

  constructor(options: EngineOptions, replayed: Replayed) {
    const { clock, log, logger, snapshots } = options
    const { state } = replayed
    this.#options = options
    this.#state = state
    this.identity = options.identity
    this.stopped = new Promise((resolve) => {
      this.#end = resolve
    })
    this.#quota = new Quota(options.quotaBytes, () => state.store.allocatedBytes)
    this.#hub = new WatchHub(state.store, () => this.#watchDriver.catchUpPending())
    this.#watchDriver = new WatchDriver(clock, this.#hub, options.progressNotifyIntervalMs)
    this.#scrubber = new Scrubber(clock, state.store)
    const { snapshotLogBytes: minLogBytes } = options
    this.#snapshotter = new Snapshotter({
      state,
      log,
      snapshots,
      scrubber: this.#scrubber,
      logger,
      minLogBytes,
      replayed,
    })
    this.#leaseKeeper = new LeaseKeeper({
      clock,
      lessor: state.leases,
      logger,
      revoke: (command) => this.#submit(command, encodeCommand(command)),
    })
    this.#autoCompactor = new AutoCompactor(
      {
        clock,
        logger,
        revision: () => state.store.revision,
        compact: (revision) => this.propose({ kind: 'compact', revision, physical: false }),
      },
      options.autoCompaction,
    )
    this.#committer = new Committer({
      log,
      state,
      quota: this.#quota,
      owner: options.random(16),
      clock,
      logger,
      urls: options.members().flatMap((member) => member.clientUrls),
      onCommit: (commit) => this.#hub.publish(commit),
      onApplied: (command) => this.#afterApply(command),
      onNoSpace: () => this.#raiseNoSpace(),
      onBatch: (bytes) => this.#snapshotter.logGrew(bytes),
    })
    this.#proposer = new Proposer({
      clock,
      commit: (batch) => this.#committer.commit(batch),
      onFailure: (error) => this.#fail(error),
    })
  }

  /** Takes the log over: from here on records of an earlier owner are void, and this one may append commands. */
  async claim(): Promise<void> {
    await this.#committer.claim()
    this.#leaseKeeper.start()
    this.#autoCompactor.start()
    this.#scrubber.wake()
  }

  get revision(): number {
    return this.#state.store.revision
  }

  get term(): number {
    return this.#state.position.epoch
  }

  get members(): readonly Member[] {
    return this.#options.members()
  }

  admit(command: Command): void {
    if (this.#quota.hasRoomFor(command)) return
    this.#raiseNoSpace()
    throw new RequestFailure('NO_SPACE')
  }

  async propose<C extends Command>(command: C, body?: Uint8Array): Promise<Outcome<ResponseOf<C>>> {
    const payload = encodeCommand(command, body)
    if (payload.length + ENVELOPE_BYTES > this.#options.maxRequestBytes) throw new RequestFailure('REQUEST_TOO_LARGE')
    // The state machine answers each command with the response of its kind.
    return (await this.#submit(command, payload)) as Outcome<ResponseOf<C>>
  }

  async compact(operation: CompactOperation, body?: Uint8Array): Promise<Outcome<CompactResponse>> {
    const outcome = await this.propose(operation, body)
    if (operation.physical) await this.#scrubber.finished()
    return outcome
  }

  read<T>(_serializable: boolean, read: () => T): T {
    // No barrier: the data directory's lock makes this process the only owner of the log.
    return read()
  }

  range(operation: RangeOperation): Outcome<RangeResponse> {
    const { store } = this.#state
    const revision = operation.revision <= 0 ? store.revision : operation.revision
    this.#checkRevision(revision)
    const result = executeRange(store, operation, revision)
    return { response: { kind: 'range', keysOnly: operation.keysOnly, ...result }, revision: store.revision }
  }

  readTxn(operation: TxnOperation): Outcome<ResponseOf<TxnOperation>> {
    return { response: executeReadTxn(this.#state.store, operation), revision: this.#state.store.revision }
  }

  keepAlive(id: bigint): Promise<number | undefined> {
    return this.#leaseKeeper.renew(id)
  }

  leaseStatus(id: bigint): LeaseStatus | undefined {
    return this.#leaseKeeper.status(id)
  }

  leaseIds(): readonly bigint[] {
    return this.#leaseKeeper.idsBySoonestExpiry()
  }

  openWatchStream(sink: WatchSink): WatchStream {
    return this.#hub.openStream(sink)
  }

  alarms(): readonly ActiveAlarm[] {
    return this.#state.alarms.list()
  }

  status(): EngineStatus {
    const { store, position } = this.#state
    return {
      dbSize: store.allocatedBytes,
      dbSizeInUse: store.liveBytes,
      dbSizeQuota: this.#quota.limitBytes === Infinity ? 0 : this.#quota.limitBytes,
      appendedIndex: this.#options.log.endOffset,
      appliedIndex: position.offset + 1,
      leaderId: this.identity.memberId,
      alarms: this.alarms(),
    }
  }

  hashKv(revision: number): { readonly hash: number; readonly compactRevision: number; readonly hashRevision: number } {
    const { store } = this.#state
    const hashRevision = revision <= 0 ? store.revision : revision
    this.#checkRevision(hashRevision)
    return { hash: store.hashKv(hashRevision), compactRevision: store.compactRevision, hashRevision }
  }

  async defragment(): Promise<void> {
    await this.#snapshotter.idle()
    await this.#scrubber.finished()
    const { store } = this.#state
    while (this.#stopping === undefined && !store.defragment(DEFRAGMENT_SLICE_KEYS)) await this.#turn()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#shutDown(undefined)
    return this.#stopping
  }

  #submit(command: Command, payload: Uint8Array): Promise<Outcome<unknown>> {
    return this.#proposer.submit(command, payload)
  }

  #checkRevision(revision: number): void {
    const problem = this.#state.store.checkRevision(revision)
    if (problem !== undefined) throw new RequestFailure(problem === 'compacted' ? 'COMPACTED' : 'FUTURE_REVISION')
  }

  /** Follow-up work of a command that has been applied. */
  #afterApply(command: Command): void {
    switch (command.kind) {
      case 'leaseGrant':
        this.#leaseKeeper.granted(command.id, command.ttl)
        break
      case 'leaseRevoke':
        this.#leaseKeeper.revoked(command.id)
        break
      case 'compact':
        this.#scrubber.wake()
        break
      case 'put':
      case 'deleteRange':
      case 'txn':
      case 'alarm':
        break
    }
  }

  /** Raises the NOSPACE alarm through the log, once. */
  #raiseNoSpace(): void {
    const { memberId } = this.identity
    const raised = this.alarms().some((active) => active.alarm === ALARM_NOSPACE && active.memberId === memberId)
    if (raised || this.#raisingNoSpace || this.#stopping !== undefined) return
    this.#raisingNoSpace = true
    const command: Command = { kind: 'alarm', action: 'activate', memberId, alarm: ALARM_NOSPACE }
    this.propose(command)
      .catch((error: unknown) => {
        this.#options.logger.warn('could not raise the NOSPACE alarm; the next write tries again', { error })
      })
      .finally(() => {
        this.#raisingNoSpace = false
      })
  }

  #fail(error: Error): void {
    this.#options.logger.error('the log failed; the server ends, because it can promise nothing more', { error })
    this.#stopping ??= this.#shutDown(error)
  }

  async #shutDown(error: Error | undefined): Promise<void> {
    this.#leaseKeeper.stop()
    this.#watchDriver.stop()
    this.#autoCompactor.stop()
    await this.#proposer.stop()
    // The device that failed may never finish what is under way on it: the failure is told without waiting for that.
    if (error !== undefined) this.#end(error)
    this.#scrubber.stop()
    await this.#snapshotter.stop()
    this.#end(error)
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.soon(resolve)
    })
  }
}
