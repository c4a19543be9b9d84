/** The bytes of keys and rows. See database-format.md. */
import { MalformedMessage, ProtoReader } from '../../bytes/proto-reader.ts'
import { type KeyValueFields, keyValueLength, writeKeyValue } from '../../mvcc/kv-encoding.ts'
import { type ParsedKeyValue, parseKeyValue } from '../../mvcc/kv-parsing.ts'
import type { VersionPosition } from '../../mvcc/place.ts'
import { decodeHeader, encodeHeader, type SnapshotHeader } from '../../state/snapshot-header.ts'

const TWO_TO_32 = 2 ** 32
const VERSION_KEY_BYTES = 12
const LENGTH_BYTES = 4
const LEASE_KEY_BYTES = 8
const LEASE_ROW_BYTES = 16
const COMPACT_REVISION_BYTES = 8
const EMPTY_VALUE = new Uint8Array(0)

/** A key to be written to again and again: the database copies it. */
export function makeVersionKey(): Buffer {
  return Buffer.alloc(VERSION_KEY_BYTES)
}

export function writeVersionKey(key: Buffer, { modRevision, sub }: VersionPosition): Buffer {
  key.writeUInt32BE(Math.floor(modRevision / TWO_TO_32), 0)
  key.writeUInt32BE(modRevision % TWO_TO_32, 4)
  key.writeUInt32BE(sub, 8)
  return key
}

export function versionRow(fields: KeyValueFields, encodedLength: number): Buffer {
  const length = keyValueLength(fields, 0)
  const row = Buffer.allocUnsafe(LENGTH_BYTES + length)
  row.writeUInt32BE(valueLengthOf(fields, encodedLength), 0)
  writeKeyValue(row, LENGTH_BYTES, fields, EMPTY_VALUE)
  return row
}

/** @throws MalformedMessage */
export function readVersion(key: Buffer, row: Buffer): { readonly fields: ParsedKeyValue; readonly sub: number } {
  if (key.length !== VERSION_KEY_BYTES || row.length < LENGTH_BYTES) throw new MalformedMessage('a row is cut short')
  const fields = parseKeyValue(new ProtoReader(row, LENGTH_BYTES))
  const modRevision = key.readUInt32BE(0) * TWO_TO_32 + key.readUInt32BE(4)
  if (fields.modRevision !== modRevision) {
    throw new MalformedMessage(`the row of revision ${modRevision} is that of ${fields.modRevision}`)
  }
  return { fields: { ...fields, valueLength: row.readUInt32BE(0) }, sub: key.readUInt32BE(8) }
}

export interface LeaseRow {
  readonly id: bigint
  /** Place in the order of grants. */
  readonly ordinal: number
  /** Seconds. */
  readonly ttl: number
}

export function leaseKey(id: bigint): Buffer {
  const key = Buffer.alloc(LEASE_KEY_BYTES)
  key.writeBigInt64BE(id)
  return key
}

export function leaseRow({ ordinal, ttl }: LeaseRow): Buffer {
  const row = Buffer.alloc(LEASE_ROW_BYTES)
  row.writeDoubleBE(ordinal, 0)
  row.writeDoubleBE(ttl, 8)
  return row
}

/** @throws MalformedMessage */
export function readLease(key: Buffer, row: Buffer): LeaseRow {
  if (key.length !== LEASE_KEY_BYTES || row.length !== LEASE_ROW_BYTES) {
    throw new MalformedMessage('the row of a lease has another length')
  }
  return { id: key.readBigInt64BE(), ordinal: row.readDoubleBE(0), ttl: row.readDoubleBE(8) }
}

/** Everything but versions and leases. */
export interface StoredHeader {
  readonly header: SnapshotHeader
  readonly compactRevision: number
}

export function stateRow({ header, compactRevision }: StoredHeader): Buffer {
  const row = Buffer.alloc(COMPACT_REVISION_BYTES)
  row.writeDoubleBE(compactRevision, 0)
  return Buffer.concat([row, encodeHeader(header)])
}

/** @throws MalformedMessage, SnapshotError */
export function readState(row: Buffer): StoredHeader {
  if (row.length < COMPACT_REVISION_BYTES) throw new MalformedMessage('the row of the state is cut short')
  const header = decodeHeader(row.subarray(COMPACT_REVISION_BYTES))
  const compactRevision = row.readDoubleBE(0)
  if (!Number.isSafeInteger(compactRevision) || compactRevision < -1 || compactRevision > header.revision) {
    throw new MalformedMessage(`compacted at ${compactRevision} at revision ${header.revision}`)
  }
  return { header, compactRevision }
}

/** Inverts `keyValueLength`: the value's field is a tag, its length as a varint, and its bytes. */
function valueLengthOf(fields: KeyValueFields, encodedLength: number): number {
  const fieldLength = encodedLength - keyValueLength(fields, 0)
  if (fieldLength === 0) return 0
  let lengthBytes = 1
  while (fieldLength - 1 - lengthBytes >= 2 ** (7 * lengthBytes)) lengthBytes++
  return fieldLength - 1 - lengthBytes
}
