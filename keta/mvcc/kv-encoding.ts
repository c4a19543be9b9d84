/**
 * The canonical protobuf encoding of mvccpb.KeyValue, written straight into a chunk: key = 1, create_revision = 2,
 * mod_revision = 3, version = 4, value = 5, lease = 6; zero values absent. This is the hottest writer of the server,
 * and it knows its place beforehand, so it does without ProtoWriter's growing buffer.
 */
import type { Key } from '../bytes/key.ts'
import { bigFieldLength, bytesFieldLength, intFieldLength } from '../bytes/proto-writer.ts'

const TAG_KEY = 0x0a
const TAG_CREATE_REVISION = 0x10
const TAG_MOD_REVISION = 0x18
const TAG_VERSION = 0x20
const TAG_VALUE = 0x2a
const TAG_LEASE = 0x30

/** Everything of a KeyValue but its value. */
export interface KeyValueFields {
  readonly key: Key
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: bigint
}

export function keyValueLength(fields: KeyValueFields, valueLength: number): number {
  return lengthBeforeValue(fields) + bytesFieldLength(valueLength) + bigFieldLength(fields.lease)
}

/** Writes at `offset`; the caller has made room for `keyValueLength` bytes. */
export function writeKeyValue(target: Buffer, offset: number, fields: KeyValueFields, value: Uint8Array): void {
  const { key, lease } = fields
  let at = offset
  if (key.length !== 0) {
    target[at++] = TAG_KEY
    at = writeVarint(target, at, key.length)
    at += target.write(key, at, 'latin1')
  }
  at = writeIntField(target, at, TAG_CREATE_REVISION, fields.createRevision)
  at = writeIntField(target, at, TAG_MOD_REVISION, fields.modRevision)
  at = writeIntField(target, at, TAG_VERSION, fields.version)
  if (value.length !== 0) {
    target[at++] = TAG_VALUE
    at = writeVarint(target, at, value.length)
    target.set(value, at)
    at += value.length
  }
  if (lease !== 0n) {
    target[at++] = TAG_LEASE
    writeBigVarint(target, at, lease)
  }
}

/** Where the value lies in an encoded KeyValue: its start, and its end (exclusive). */
export function valueBounds(
  encoded: Uint8Array,
  fields: KeyValueFields,
): { readonly start: number; readonly end: number } {
  const end = encoded.length - bigFieldLength(fields.lease)
  let start = lengthBeforeValue(fields)
  if (start === end) return { start, end }
  start++
  while ((encoded[start] as number) >= 0x80) start++
  return { start: start + 1, end }
}

function lengthBeforeValue({ key, createRevision, modRevision, version }: KeyValueFields): number {
  return (
    bytesFieldLength(key.length) +
    intFieldLength(createRevision) +
    intFieldLength(modRevision) +
    intFieldLength(version)
  )
}

function writeIntField(target: Buffer, at: number, tag: number, value: number): number {
  if (value === 0) return at
  target[at] = tag
  return writeVarint(target, at + 1, value)
}

/** A non-negative integer up to 2^53. Returns the position after it. */
function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value
  while (rest >= 0x80) {
    target[at++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  target[at] = rest
  return at + 1
}

function writeBigVarint(target: Buffer, at: number, value: bigint): void {
  let rest = BigInt.asUintN(64, value)
  while (rest >= 0x80n) {
    target[at++] = Number(rest & 0x7fn) | 0x80
    rest >>= 7n
  }
  target[at] = Number(rest)
}
