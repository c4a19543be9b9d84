/** The first chunk of a snapshot: everything of the state but the store. See snapshot-format.md. */
import { writeInt64 } from '../bytes/int64.ts'
import { ProtoReader } from '../bytes/proto-reader.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import type { Claimer } from '../command/claim.ts'
import type { ActiveAlarm } from '../command/command.ts'
import { type AuthImage, FIRST_AUTH_REVISION } from '../auth/auth-store.ts'
import { decodeAuthImage, encodeAuthImage } from '../auth/auth-image.ts'
import type { LogPosition } from './state.ts'

const MAGIC = 'KETASNAP'
const SNAPSHOT_FORMAT_VERSION = 1

export type SnapshotErrorCode =
  /** The chunks are not a snapshot, or not all of one. */
  | 'GARBLED_SNAPSHOT'
  /** Written by a newer version of the software. */
  | 'UNSUPPORTED_SNAPSHOT'

export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
  readonly code: SnapshotErrorCode
  constructor(code: SnapshotErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

export interface SnapshotHeader {
  readonly position: LogPosition
  /** Who leads the epoch of the position; undefined before the first claim. */
  readonly claimer: Claimer | undefined
  readonly featureLevel: number
  readonly revision: number
  readonly leases: readonly { readonly id: bigint; readonly ttl: number }[]
  readonly alarms: readonly ActiveAlarm[]
  /** Undefined: nobody has ever changed it. */
  readonly auth?: AuthImage | undefined
}

export function encodeHeader(header: SnapshotHeader): Buffer {
  const { position } = header
  const writer = new ProtoWriter()
  writer.raw(Buffer.from(MAGIC, 'latin1'))
  writer.raw(Uint8Array.of(SNAPSHOT_FORMAT_VERSION))
  writer.intField(1, position.offset)
  writer.intField(2, position.epoch)
  writer.keyField(3, position.owner)
  writer.intField(4, position.seq)
  writer.keyField(5, position.hash)
  writer.intField(6, header.featureLevel)
  writer.intField(7, header.revision)
  for (const { id, ttl } of header.leases) writer.messageField(8, encodeLease(id, ttl))
  for (const alarm of header.alarms) writer.messageField(9, encodeAlarm(alarm))
  writer.intField(10, position.digest)
  if (header.claimer !== undefined) writer.messageField(11, encodeClaimer(header.claimer))
  if (header.auth !== undefined && header.auth.revision > FIRST_AUTH_REVISION) {
    writer.messageField(12, encodeAuthImage(header.auth))
  }
  return writer.finish()
}

/** @throws SnapshotError; MalformedMessage if the fields are not what they should be. */
export function decodeHeader(chunk: Uint8Array): SnapshotHeader {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new SnapshotError('GARBLED_SNAPSHOT', 'not a snapshot')
  const version = bytes[MAGIC.length]
  if (version !== SNAPSHOT_FORMAT_VERSION) {
    throw new SnapshotError('UNSUPPORTED_SNAPSHOT', `format ${version}; known is ${SNAPSHOT_FORMAT_VERSION}`)
  }
  return readHeader(new ProtoReader(bytes, MAGIC.length + 1))
}

function readHeader(reader: ProtoReader): SnapshotHeader {
  const position = { offset: 0, epoch: 0, owner: '', seq: 0, hash: '', digest: 0 }
  const leases: { id: bigint; ttl: number }[] = []
  const alarms: ActiveAlarm[] = []
  let claimer: Claimer | undefined
  let auth: AuthImage | undefined
  let featureLevel = 0
  let revision = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        position.offset = reader.int()
        break
      case 2:
        position.epoch = reader.int()
        break
      case 3:
        position.owner = reader.key()
        break
      case 4:
        position.seq = reader.int()
        break
      case 5:
        position.hash = reader.key()
        break
      case 6:
        featureLevel = reader.int()
        break
      case 7:
        revision = reader.int()
        break
      case 8:
        leases.push(readLease(reader.message()))
        break
      case 9:
        alarms.push(readAlarm(reader.message()))
        break
      case 10:
        position.digest = reader.int()
        break
      case 11:
        claimer = readClaimer(reader.message())
        break
      case 12:
        auth = decodeAuthImage(reader.message())
        break
      default:
        throw new SnapshotError('UNSUPPORTED_SNAPSHOT', `unknown header field ${field}`)
    }
  }
  return { position, claimer, featureLevel, revision, leases, alarms, auth }
}

function encodeLease(id: bigint, ttl: number): Buffer {
  const writer = new ProtoWriter(24)
  writer.bigField(1, id)
  writeInt64(writer, 2, ttl)
  return writer.finish()
}

function readLease(reader: ProtoReader): { id: bigint; ttl: number } {
  let id = 0n
  let ttl = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) id = reader.big()
    else if (field === 2) ttl = reader.int()
    else reader.skip()
  }
  return { id, ttl }
}

function encodeClaimer({ memberId, urls, readLeaseMs }: Claimer): Buffer {
  const writer = new ProtoWriter()
  writer.bigField(1, BigInt.asIntN(64, memberId))
  for (const url of urls) writer.messageField(2, Buffer.from(url, 'utf8'))
  writer.intField(3, readLeaseMs)
  return writer.finish()
}

function readClaimer(reader: ProtoReader): Claimer {
  const urls: string[] = []
  let memberId = 0n
  let readLeaseMs = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) memberId = BigInt.asUintN(64, reader.big())
    else if (field === 2) urls.push(reader.text())
    else if (field === 3) readLeaseMs = reader.int()
    else reader.skip()
  }
  return { memberId, urls, readLeaseMs }
}

function encodeAlarm({ memberId, alarm }: ActiveAlarm): Buffer {
  const writer = new ProtoWriter(24)
  writer.bigField(1, BigInt.asIntN(64, memberId))
  writer.intField(2, alarm)
  return writer.finish()
}

function readAlarm(reader: ProtoReader): ActiveAlarm {
  let memberId = 0n
  let alarm = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) memberId = BigInt.asUintN(64, reader.big())
    else if (field === 2) alarm = reader.int32()
    else reader.skip()
  }
  return { memberId, alarm }
}
