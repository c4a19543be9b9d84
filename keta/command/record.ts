/**
 * The log record: a header of fixed width that says who wrote it and where it belongs, then a payload
 * (record-format.md); and `RecordChain`, by which a writer makes its successive records.
 */
import { chainHash, HASH_BYTES, ZERO_HASH } from '../bytes/hash64.ts'
import { type Claimer, encodeClaim } from './claim.ts'
import { RecordError } from './record-error.ts'

const RECORD_FORMAT_VERSION = 1
const OWNER_BYTES = 16
export const RECORD_HEADER_BYTES = 42

/** The newest meaning of records that this version of the software knows; see `Claim.featureLevel`. */
export const SUPPORTED_FEATURE_LEVEL = 1

const KIND_CLAIM = 1
const KIND_COMMAND = 2
const KIND_TICK = 3

const AT_KIND = 1
const AT_EPOCH = 2
const AT_OWNER = 10
const AT_SEQ = 26
const AT_PREVIOUS_HASH = 34
const TWO_32 = 0x1_0000_0000
const DIGEST_BYTES = 4

export type RecordKind = 'claim' | 'command' | 'tick'

export interface RecordHeader {
  readonly kind: RecordKind
  /** The epoch that the record belongs to; for a claim the epoch that it begins. */
  readonly epoch: number
  /** Who wrote it: 16 bytes as a latin1 string. */
  readonly owner: string
  /** Number of the record within its epoch: 0 for the claim, 1 for the first record after it. */
  readonly seq: number
  /** Chain hash up to the record before (8 bytes as a latin1 string); zero in a claim, whose writer cannot know it. */
  readonly previousHash: string
}

export interface DecodedRecord extends RecordHeader {
  /** A view. Of a command: see codec.ts; of a claim: see claim.ts; of a tick: 4 bytes, the digest. */
  readonly payload: Uint8Array
}

/** What a writer must know of the state's place in the log; state.ts says what the fields mean. */
interface ChainPosition {
  readonly epoch: number
  readonly owner: string
  readonly seq: number
  readonly hash: string
}

/** One owner's successive records: each carries the hash over all before it, also over those of the same batch. */
export class RecordChain {
  readonly #owner: string
  #epoch: number
  #seq: number
  #hash: string

  private constructor(owner: string, epoch: number, seq: number, hash: string) {
    this.#owner = owner
    this.#epoch = epoch
    this.#seq = seq
    this.#hash = hash
  }

  /**
   * For an owner who is about to claim the epoch after `position.epoch`; `claim` comes next. If anything else landed
   * between `position` and the claim, the records after the claim must come from `continuing` the position after it.
   */
  static claiming(position: ChainPosition, owner: Uint8Array): RecordChain {
    return new RecordChain(Buffer.from(owner).toString('latin1'), position.epoch, 0, position.hash)
  }

  /** For the owner whose claim or record was the last valid one at `position`. */
  static continuing(position: ChainPosition): RecordChain {
    return new RecordChain(position.owner, position.epoch, position.seq, position.hash)
  }

  claim(claimer: Claimer, featureLevel: number = SUPPORTED_FEATURE_LEVEL): Buffer {
    const { memberId, urls, readLeaseMs } = claimer
    const payload = encodeClaim({ prevEpoch: this.#epoch, memberId, urls, readLeaseMs, featureLevel })
    this.#epoch++
    this.#seq = 0
    return this.#append('claim', ZERO_HASH, payload)
  }

  /** @param payload see codec.ts */
  command(payload: Uint8Array): Buffer {
    this.#seq++
    return this.#append('command', this.#hash, payload)
  }

  /** Sequence number of the last record made. */
  get seq(): number {
    return this.#seq
  }

  /**
   * A record that changes nothing but the place in the log: a sign of life, and a barrier for reads.
   * @param digest of the writer's state after all records before it: whoever has another one has gone astray.
   */
  tick(digest: number): Buffer {
    this.#seq++
    const payload = Buffer.allocUnsafe(DIGEST_BYTES)
    payload.writeUInt32BE(digest)
    return this.#append('tick', this.#hash, payload)
  }

  #append(kind: RecordKind, previousHash: string, payload: Uint8Array): Buffer {
    const header = { kind, epoch: this.#epoch, owner: this.#owner, seq: this.#seq, previousHash }
    const record = encodeRecord(header, payload)
    this.#hash = chainHash(this.#hash, record)
    return record
  }
}

export function encodeRecord(header: RecordHeader, payload: Uint8Array): Buffer {
  if (header.owner.length !== OWNER_BYTES || header.previousHash.length !== HASH_BYTES) {
    throw new Error(`record with an owner of ${header.owner.length} bytes, a hash of ${header.previousHash.length}`)
  }
  const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + payload.length)
  record[0] = RECORD_FORMAT_VERSION
  record[AT_KIND] = kindNumber(header.kind)
  writeUint64(record, AT_EPOCH, header.epoch)
  record.write(header.owner, AT_OWNER, 'latin1')
  writeUint64(record, AT_SEQ, header.seq)
  record.write(header.previousHash, AT_PREVIOUS_HASH, 'latin1')
  record.set(payload, RECORD_HEADER_BYTES)
  return record
}

/** The digest that a decoded tick carries. */
export function digestOf(tick: DecodedRecord): number {
  const { buffer, byteOffset, byteLength } = tick.payload
  return new DataView(buffer, byteOffset, byteLength).getUint32(0)
}

/** @throws RecordError 'GARBLED_RECORD'; 'UNSUPPORTED_RECORD' for a format version or record kind of the future. */
export function decodeRecord(bytes: Uint8Array): DecodedRecord {
  checkFormat(bytes)
  const record = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const decoded: DecodedRecord = {
    kind: kindOf(record[AT_KIND]),
    epoch: readUint64(record, AT_EPOCH),
    owner: record.toString('latin1', AT_OWNER, AT_SEQ),
    seq: readUint64(record, AT_SEQ),
    previousHash: record.toString('latin1', AT_PREVIOUS_HASH, RECORD_HEADER_BYTES),
    payload: record.subarray(RECORD_HEADER_BYTES),
  }
  if (decoded.kind === 'tick' && decoded.payload.length !== DIGEST_BYTES) {
    throw new RecordError('UNSUPPORTED_RECORD', `tick with a payload of ${decoded.payload.length} bytes`)
  }
  return decoded
}

function checkFormat(bytes: Uint8Array): void {
  const version = bytes[0]
  if (version === undefined || version === 0) throw new RecordError('GARBLED_RECORD', 'empty or blank log record')
  if (version !== RECORD_FORMAT_VERSION) {
    throw new RecordError('UNSUPPORTED_RECORD', `log record of format ${version}; known is ${RECORD_FORMAT_VERSION}`)
  }
  if (bytes.length < RECORD_HEADER_BYTES) {
    throw new RecordError(
      'GARBLED_RECORD',
      `log record of ${bytes.length} bytes; its header has ${RECORD_HEADER_BYTES}`,
    )
  }
}

function kindNumber(kind: RecordKind): number {
  if (kind === 'command') return KIND_COMMAND
  return kind === 'claim' ? KIND_CLAIM : KIND_TICK
}

function kindOf(byte: number | undefined): RecordKind {
  if (byte === KIND_COMMAND) return 'command'
  if (byte === KIND_CLAIM) return 'claim'
  if (byte === KIND_TICK) return 'tick'
  throw new RecordError('UNSUPPORTED_RECORD', `log record of kind ${byte} is of a newer version`)
}

function writeUint64(record: Buffer, at: number, value: number): void {
  record.writeUInt32BE(Math.floor(value / TWO_32), at)
  record.writeUInt32BE(value % TWO_32, at + 4)
}

function readUint64(record: Buffer, at: number): number {
  const value = record.readUInt32BE(at) * TWO_32 + record.readUInt32BE(at + 4)
  if (!Number.isSafeInteger(value)) throw new RecordError('GARBLED_RECORD', `number beyond 2^53 at byte ${at}`)
  return value
}
