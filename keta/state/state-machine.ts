/**
 * The replicated state: a pure function of the log's records. Every replica that has applied the records up to the same
 * offset holds the same state, and decides alike about each record.
 */
import { chainHash, ZERO_HASH } from '../bytes/hash64.ts'
import { type Claimer, decodeClaim } from '../command/claim.ts'
import { AuthStore } from '../auth/auth-store.ts'
import { Grants } from '../auth/grants.ts'
import type { Authored } from '../command/author.ts'
import { decodeAuthored } from '../command/codec.ts'
import type { Command } from '../command/command.ts'
import { type DecodedRecord, decodeRecord, digestOf, SUPPORTED_FEATURE_LEVEL } from '../command/record.ts'
import { RecordError } from '../command/record-error.ts'
import { Lessor } from '../lease/lessor.ts'
import type { Store } from '../mvcc/kv.ts'
import { createStore } from '../mvcc/store.ts'
import { Alarms } from './alarms.ts'
import { nextDigest } from './digest.ts'
import { execute } from './execute.ts'
import type { PositionedState, StateJournal } from './journal.ts'
import { dumpState, type StateDump } from './snapshot-dump.ts'
import type { Applied, LogPosition } from './state.ts'

/**
 * The log below this point is not the log that the writer of this record saw: it was truncated, rewritten or mixed up
 * (unclean election of a broker, a restored disk). Going on could lose acknowledged writes: the node must stop.
 */
export class LogDivergedError extends Error {
  override readonly name = 'LogDivergedError'
  readonly code = 'LOG_DIVERGED'
}

/**
 * The writer of the log, having applied the same records, holds another state than this replica: one of the two made
 * something else of them (a defect, a broken memory). The node must stop.
 */
export class StateDivergedError extends Error {
  override readonly name = 'StateDivergedError'
  readonly code = 'STATE_DIVERGED'
}

const START: LogPosition = { offset: -1, epoch: 0, owner: '', seq: 0, hash: ZERO_HASH, digest: 0 }

/** What a state machine is made of when it does not begin empty, and who is told of what it applies. */
interface RestoredState extends PositionedState {
  readonly journal: StateJournal | undefined
}

export class StateMachine implements PositionedState {
  readonly store: Store
  readonly leases: Lessor
  readonly alarms: Alarms
  readonly auth: AuthStore
  readonly grants: Grants
  #position: LogPosition
  #claimer: Claimer | undefined
  #featureLevel: number
  readonly #journal: StateJournal | undefined

  constructor(restored?: Partial<RestoredState>) {
    this.store = restored?.store ?? createStore()
    this.leases = restored?.leases ?? new Lessor()
    this.alarms = restored?.alarms ?? new Alarms()
    this.auth = restored?.auth ?? new AuthStore()
    this.grants = new Grants(this.auth)
    this.#position = restored?.position ?? START
    this.#claimer = restored?.claimer
    this.#featureLevel = restored?.featureLevel ?? 0
    this.#journal = restored?.journal
  }

  get position(): LogPosition {
    return this.#position
  }

  /** Who leads the current epoch; undefined before the first. */
  get claimer(): Claimer | undefined {
    return this.#claimer
  }

  /** The highest level that a claim has raised; records may use its meanings. */
  get featureLevel(): number {
    return this.#featureLevel
  }

  /**
   * Applies the record at `offset`, which must lie above the last one. If this throws, nothing has changed.
   * @param decoded what the record says, if the caller made it and so need not have it decoded again.
   * @throws LogDivergedError, StateDivergedError; RecordError for a record that cannot be understood. After any of them
   *   the node must stop.
   */
  apply(offset: number, bytes: Uint8Array, decoded?: Authored<Command>): Applied {
    const last = this.#position.offset
    if (offset <= last) throw new Error(`record at offset ${offset} applied after the one at ${last}`)
    try {
      const record = decodeRecord(bytes)
      return record.kind === 'claim'
        ? this.#applyClaim(offset, bytes, record)
        : this.#applyOwned(offset, bytes, record, decoded)
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
      throw new RecordError(error.code, `the record at offset ${offset}: ${error.message}`, { cause: error })
    }
  }

  /** The state as it is now, while records go on being applied. See snapshot-format.md. */
  dump(): StateDump {
    return dumpState(this)
  }

  #applyClaim(offset: number, bytes: Uint8Array, record: DecodedRecord): Applied {
    const claim = decodeClaim(record.payload)
    if (record.epoch !== claim.prevEpoch + 1) {
      throw new RecordError('GARBLED_RECORD', `claim of epoch ${record.epoch} after epoch ${claim.prevEpoch}`)
    }
    this.#checkNotFromFuture(offset, claim.prevEpoch)
    if (claim.prevEpoch !== this.#position.epoch) return this.#ignore(offset, 'void-claim')
    if (claim.featureLevel > SUPPORTED_FEATURE_LEVEL) {
      const levels = `needs feature level ${claim.featureLevel}; known is ${SUPPORTED_FEATURE_LEVEL}`
      throw new RecordError('UNSUPPORTED_RECORD', `claim that ${levels}`)
    }
    this.#featureLevel = Math.max(this.#featureLevel, claim.featureLevel)
    const { epoch, owner } = record
    const { memberId, urls, readLeaseMs } = claim
    this.#claimer = { memberId, urls, readLeaseMs }
    const hash = chainHash(this.#position.hash, bytes)
    this.#moveTo({ ...this.#position, offset, epoch, owner, seq: 0, hash }, undefined)
    return { status: 'claimed', epoch, owner, claimer: this.#claimer }
  }

  /** A command or tick: valid only as the next record of the current owner. */
  #applyOwned(
    offset: number,
    bytes: Uint8Array,
    record: DecodedRecord,
    decoded: Authored<Command> | undefined,
  ): Applied {
    const { epoch, owner, seq, hash } = this.#position
    this.#checkNotFromFuture(offset, record.epoch)
    if (record.epoch !== epoch) return this.#ignore(offset, 'stale-epoch')
    if (record.owner !== owner) {
      // It writes in this epoch because it has read its claim as the first one.
      const owners = `of the process ${hex(record.owner)} is in epoch ${epoch}, which process ${hex(owner)} claimed`
      throw new LogDivergedError(`the record at offset ${offset} ${owners}`)
    }
    if (record.seq <= seq) return this.#ignore(offset, 'duplicate')
    // Nobody appends a record before the one before it is known to be in the log.
    if (record.seq > seq + 1) {
      const gap = `is number ${record.seq} of epoch ${epoch}, but the last one before it is number ${seq}`
      throw new LogDivergedError(`the record at offset ${offset} ${gap}`)
    }
    if (record.previousHash !== hash) {
      const hashes = `its writer saw ${hex(record.previousHash)} before it, this replica ${hex(hash)}`
      throw new LogDivergedError(`record at offset ${offset}, epoch ${epoch}, seq ${record.seq}: ${hashes}`)
    }
    if (record.kind === 'tick') {
      this.#checkDigest(offset, digestOf(record))
      this.#moveTo({ ...this.#position, offset, seq: record.seq, hash: chainHash(hash, bytes) }, undefined)
      return { status: 'ticked' }
    }
    const authored = decoded ?? decodeAuthored(record.payload)
    const applied = execute(this, authored, offset)
    const digest = nextDigest(this.#position.digest, applied, this)
    const position = { offset, epoch, owner, seq: record.seq, hash: chainHash(hash, bytes), digest }
    this.#moveTo(position, applied.failure === undefined ? authored.command : undefined)
    return applied
  }

  #checkDigest(offset: number, digest: number): void {
    if (digest === this.#position.digest) return
    const digests = `its writer's is ${digest.toString(16)}, this replica's ${this.#position.digest.toString(16)}`
    throw new StateDivergedError(`the tick at offset ${offset} carries the digest of another state: ${digests}`)
  }

  /** Whoever writes in an epoch, or claims the one after it, has read the claim that began it: the log must hold it. */
  #checkNotFromFuture(offset: number, epoch: number): void {
    if (epoch > this.#position.epoch) {
      const epochs = `knows of epoch ${epoch}, but the last claim before it is of epoch ${this.#position.epoch}`
      throw new LogDivergedError(`the writer of the record at offset ${offset} ${epochs}`)
    }
  }

  #ignore(offset: number, reason: Extract<Applied, { status: 'ignored' }>['reason']): Applied {
    this.#moveTo({ ...this.#position, offset }, undefined)
    return { status: 'ignored', reason }
  }

  /** The last step of every record. */
  #moveTo(position: LogPosition, changedBy: Command | undefined): void {
    this.#position = position
    this.#journal?.applied(this, changedBy)
  }
}

function hex(hash: string): string {
  return Buffer.from(hash, 'latin1').toString('hex')
}
