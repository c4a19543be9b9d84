/**
 * The time of one leader, from its claim to the next one's (Put ④–⑧): batches become records of its epoch, the log
 * makes them durable, the state machine applies them in log order, and every waiting client gets its answer. A command
 * is acknowledged only here, and only when it is known to be valid: the log acknowledged it in the very place after
 * what was applied, or it was read back. Leases run out and history is compacted on the leader's clock.
 */
import { type Author, SERVER } from '../command/author.ts'
import { encodeCommand } from '../command/codec.ts'
import type { Command, CommandResponse } from '../command/command.ts'
import type { FailureCode } from '../command/failure.ts'
import { RecordChain } from '../command/record.ts'
import { type Log, LogError } from '../log/log.ts'
import type { Applied } from '../state/state.ts'
import { LogDivergedError } from '../state/state-machine.ts'
import type { Outcome } from './api.ts'
import { AutoCompactor } from './auto-compactor.ts'
import { Flight } from './flight.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { EngineObserver } from './observer.ts'
import type { AutoCompaction, Clock, EngineLogger, Timer } from './ports.ts'
import { type Proposal, Proposer } from './proposer.ts'
import type { Replica } from './replica.ts'

/** etcd's threshold for its warning of the same name. */
const SLOW_APPLY_MS = 100

/** A clock may run faster than another by so much: a successor waits longer than the lease by this factor. */
export const CLOCK_DRIFT = 1.1

export interface ReignPorts {
  readonly replica: Replica
  readonly log: Log
  readonly clock: Clock
  readonly logger: EngineLogger
  readonly observer: EngineObserver
  readonly autoCompaction: AutoCompaction
  /** What those are told whose request was never appended when the reign is over. */
  readonly closedCode: FailureCode
  /** Others may append too: reads need a barrier, and a sign of life is due when nothing else is appended. */
  readonly shared: { readonly tickIntervalMs: number; readonly readLeaseMs: number } | undefined
  /** A write crossed the space quota. */
  readonly onNoSpace: () => void
  /**
   * The log holds, or may hold, what has not been applied here: it is to be read along until `onInPlace`. What is read
   * comes back through `observe` and `supersede`.
   */
  readonly onOutOfPlace: () => void
  readonly onInPlace: () => void
  /** The log can be trusted no more, or refuses this node's appends. */
  readonly onFailure: (error: Error) => void
}

/** The log answered with something that the protocol does not allow: going on would risk acknowledged data. */
export class LogProtocolError extends Error {
  override readonly name = 'LogProtocolError'
  readonly code = 'LOG_PROTOCOL'
}

/** Somebody else has taken the log over. */
class Superseded extends Error {
  override readonly name = 'Superseded'
}

/** An append that takes longer: perhaps another node has taken over, and only reading tells. */
const OVERDUE_MS = 500

export class Reign {
  readonly epoch: number
  readonly leases: LeaseKeeper
  readonly #ports: ReignPorts
  readonly #chain: RecordChain
  readonly #proposer: Proposer
  readonly #autoCompactor: AutoCompactor
  readonly #giveUp = new AbortController()
  #flight: Flight | undefined
  #superseded = false
  /** Until when reads need no barrier. */
  #readsUntil = -Infinity
  /** Promised to a successor, who therefore does not wait for the lease to end: for the rest of this reign. */
  #leaseGivenUp = false
  #tickTimer: Timer | undefined
  #lastCommit: number

  /** Begins where the replica stands: its last valid record is the claim of this reign. */
  constructor(ports: ReignPorts) {
    const { clock, logger, replica } = ports
    this.#ports = ports
    this.epoch = replica.position.epoch
    this.#chain = RecordChain.continuing(replica.position)
    this.#lastCommit = clock.now()
    this.#proposer = new Proposer({
      clock,
      closedCode: ports.closedCode,
      commit: (batch) => this.#commit(batch),
      onGivenUp: (requests) => ports.observer.gaveUp(requests),
      onFailure: (error) => {
        if (!(error instanceof Superseded)) ports.onFailure(error)
      },
    })
    this.leases = new LeaseKeeper({
      clock,
      lessor: replica.state.leases,
      logger,
      revoke: (command) => {
        ports.observer.leaseExpired()
        return this.#submitOwn(command)
      },
    })
    this.#autoCompactor = new AutoCompactor(
      {
        clock,
        logger,
        revision: () => replica.state.store.revision,
        compact: (revision) => {
          const command: Command = { kind: 'compact', revision, physical: false }
          return this.#submitOwn(command)
        },
      },
      ports.autoCompaction,
    )
  }

  /** Takes commands from now on. */
  start(): void {
    this.leases.start()
    this.#autoCompactor.start()
    if (this.#ports.shared !== undefined) this.#armTick(this.#ports.shared.tickIntervalMs)
  }

  /** When an own record was last known to be valid, on the clock. */
  get lastCommit(): number {
    return this.#lastCommit
  }

  /** Requests that wait for the log. */
  get pending(): number {
    return this.#proposer.pending
  }

  /** @throws RequestFailure at once or as rejection, see Proposer. */
  submit(command: Command, payload: Uint8Array, author?: Author): Promise<Outcome<CommandResponse>> {
    return this.#proposer.submit(command, payload, author)
  }

  /** A command of the server's own. Only where somebody asks who it is, it says so: most logs know no authors. */
  #submitOwn(command: Command): Promise<Outcome<CommandResponse>> {
    const author = this.#ports.replica.state.auth.enabled ? SERVER : undefined
    return this.submit(command, encodeCommand(command, undefined, author), author)
  }

  /**
   * For a linearizable read: undefined if it may be done now, in this turn; otherwise what to wait for.
   * The promise rejects with `closedCode` if this node turns out to lead no longer.
   */
  barrier(): Promise<void> | undefined {
    if (this.#ports.shared === undefined) return undefined
    if (!this.#holdsLease()) return this.#proposer.barrier()
    return this.#flight === undefined ? undefined : this.#landing(this.#flight)
  }

  /**
   * What is in flight may stand in the log, and another node may have read it there and answered with it before this
   * one hears of it: a read by the lease must not be older.
   */
  async #landing(flight: Flight): Promise<void> {
    await flight.over
    if (!this.#holdsLease()) await this.#proposer.barrier()
  }

  #holdsLease(): boolean {
    return !this.#superseded && this.#ports.clock.now() < this.#readsUntil
  }

  /** A record of this reign was applied while the log was read along. */
  observe(seq: number, applied: Applied): void {
    const { replica } = this.#ports
    this.#afterApply(applied)
    this.#flight?.applied(seq, applied, replica.state.store.revision, replica.quota.hasRoomFor(NOTHING))
  }

  /**
   * A later claim was applied: nothing that is not applied by now ever will be. Resolves when the log takes appends
   * again.
   */
  supersede(): Promise<void> {
    this.#superseded = true
    this.#giveUp.abort()
    this.#flight?.void()
    this.#standDown()
    return this.#proposer.stop()
  }

  /**
   * Appends nothing more and answers no read by the lease, so that another node can take over. Resolves when nothing is
   * in flight.
   */
  async resign(): Promise<void> {
    this.#leaseGivenUp = true
    this.#readsUntil = -Infinity
    await this.#proposer.hold()
  }

  /** Nobody took over: goes on, without the lease. */
  resume(): void {
    this.#proposer.release()
  }

  /**
   * Refuses what is queued and waits for the append in flight.
   * @param patienceMs after which an append that a shared log does not acknowledge is given up.
   */
  async stop(patienceMs?: number): Promise<void> {
    this.#standDown()
    const timer =
      patienceMs === undefined
        ? undefined
        : this.#ports.clock.setTimer(patienceMs, () => {
            this.#giveUp.abort()
            this.#flight?.abandon()
          })
    await this.#proposer.stop()
    timer?.cancel()
  }

  #standDown(): void {
    this.#readsUntil = -Infinity
    this.leases.stop()
    this.#autoCompactor.stop()
    this.#tickTimer?.cancel()
    this.#tickTimer = undefined
  }

  async #commit(batch: readonly Proposal[]): Promise<void> {
    const { clock, replica, onInPlace, onOutOfPlace, shared } = this.#ports
    const full = replica.ready()
    if (full !== undefined) await full
    const firstSeq = this.#chain.seq + 1
    const flight = new Flight(batch, firstSeq)
    if (this.#giveUp.signal.aborted) {
      flight.void()
      throw new Superseded('the reign was over before the batch was appended')
    }
    const records =
      batch.length === 0
        ? [this.#chain.tick(replica.position.digest)]
        : batch.map((proposal) => this.#chain.command(proposal.payload))
    this.#flight = flight
    const sentAt = clock.now()
    const overdue = shared === undefined ? undefined : clock.setTimer(OVERDUE_MS, onOutOfPlace)
    try {
      const inPlace = await this.#append(batch, firstSeq, records)
      if (!inPlace) onOutOfPlace()
      if ((await flight.over) === 'void') throw new Superseded('another node has taken the log over')
      onInPlace()
    } finally {
      overdue?.cancel()
      this.#flight = undefined
    }
    this.#lastCommit = clock.now()
    if (shared !== undefined && !this.#leaseGivenUp) this.#readsUntil = sentAt + shared.readLeaseMs
  }

  /** True if the batch has been applied; false if it must be read back. */
  async #append(batch: readonly Proposal[], firstSeq: number, records: readonly Uint8Array[]): Promise<boolean> {
    const { clock, log, observer, replica, shared } = this.#ports
    const sentAfter = replica.position.offset
    const sentAt = clock.now()
    let baseOffset: number
    try {
      ;({ baseOffset } = await log.append(records, this.#giveUp.signal))
      observer.appended(records.length, bytesOf(records), clock.now() - sentAt)
    } catch (error) {
      // Given up because the reign is over: what the log holds of it will be read.
      if (error instanceof LogError && error.code === 'ABORTED') return false
      throw error
    }
    const { offset, seq } = replica.position
    const expected = offset + 1
    // An earlier copy may have been read back meanwhile: then this one is a duplicate, however well it fits.
    if (baseOffset === expected && seq === firstSeq - 1 && !this.#superseded) {
      this.#applyInPlace(batch, firstSeq, records, baseOffset)
      return true
    }
    if (baseOffset <= sentAfter) throw lostTail(baseOffset, sentAfter)
    if (shared === undefined) {
      throw new LogProtocolError(`appended at offset ${baseOffset}, but ${expected} is the next one to apply`)
    }
    return false
  }

  #applyInPlace(
    batch: readonly Proposal[],
    firstSeq: number,
    records: readonly Uint8Array[],
    baseOffset: number,
  ): void {
    const { clock, logger, observer, replica, onNoSpace } = this.#ports
    const started = clock.now()
    for (const [index, record] of records.entries()) {
      const proposal = batch[index]
      const hadRoom = proposal === undefined || replica.quota.hasRoomFor(proposal.command)
      const applied = replica.apply(baseOffset + index, record, proposal)
      if (applied.status !== 'applied' && applied.status !== 'ticked') {
        throw new LogProtocolError(`own record at offset ${baseOffset + index} was ${describe(applied)}`)
      }
      this.#afterApply(applied)
      if (!hadRoom) onNoSpace()
      this.#flight?.applied(firstSeq + index, applied, replica.state.store.revision, hadRoom)
    }
    const took = clock.now() - started
    observer.committed(took)
    if (took > SLOW_APPLY_MS) {
      logger.warn('apply request took too long', {
        took: `${took.toFixed(0)}ms`,
        expected: `${SLOW_APPLY_MS}ms`,
        commands: batch.length,
      })
    }
  }

  /** The leader's clock on leases follows what was applied. */
  #afterApply(applied: Applied): void {
    if (applied.status !== 'applied' || applied.failure !== undefined) return
    const { command } = applied
    if (command.kind === 'leaseGrant') this.leases.granted(command.id, command.ttl)
    else if (command.kind === 'leaseRevoke') this.leases.revoked(command.id)
  }

  #armTick(delayMs: number): void {
    this.#tickTimer = this.#ports.clock.setTimer(delayMs, () => {
      const { clock, shared } = this.#ports
      if (shared === undefined || this.#superseded) return
      const idleMs = clock.now() - this.#lastCommit
      if (idleMs < shared.tickIntervalMs) {
        this.#armTick(shared.tickIntervalMs - idleMs)
        return
      }
      // Refused only when the reign is over, and then there is nothing to show.
      this.#proposer.barrier().catch(() => undefined)
      this.#armTick(shared.tickIntervalMs)
    })
  }
}

/** An append landed below what had been read before it was sent: the log does not hold that any more. */
export function lostTail(baseOffset: number, read: number): LogDivergedError {
  return new LogDivergedError(`appended at offset ${baseOffset}, but the log had been read up to offset ${read}`)
}

/** Stands for "any write" when the quota is asked after the fact. */
const NOTHING: Command = { kind: 'leaseGrant', id: 0n, ttl: 0 }

function bytesOf(records: readonly Uint8Array[]): number {
  let bytes = 0
  for (const record of records) bytes += record.length
  return bytes
}

function describe(applied: Applied): string {
  return applied.status === 'ignored' ? `ignored (${applied.reason})` : applied.status
}
