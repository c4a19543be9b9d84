/** Reads the fields of an encoded KeyValue, and tells what cannot be a version. */
import { EMPTY_KEY } from '../bytes/key.ts'
import { MalformedMessage, type ProtoReader } from '../bytes/proto-reader.ts'
import {
  KEY_VALUE_CREATE_REVISION,
  KEY_VALUE_KEY,
  KEY_VALUE_LEASE,
  KEY_VALUE_MOD_REVISION,
  KEY_VALUE_VALUE,
  KEY_VALUE_VERSION,
} from './dump-fields.ts'
import { type KeyValueFields, keyValueLength } from './kv-encoding.ts'

const NO_LEASE = 0n

export interface ParsedKeyValue extends KeyValueFields {
  readonly valueLength: number
}

/** @throws MalformedMessage */
export function parseKeyValue(reader: ProtoReader): ParsedKeyValue {
  let key = EMPTY_KEY
  let createRevision = 0
  let modRevision = 0
  let version = 0
  let valueLength = 0
  let lease = NO_LEASE
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === KEY_VALUE_KEY) key = reader.key()
    else if (field === KEY_VALUE_CREATE_REVISION) createRevision = reader.int()
    else if (field === KEY_VALUE_MOD_REVISION) modRevision = reader.int()
    else if (field === KEY_VALUE_VERSION) version = reader.int()
    else if (field === KEY_VALUE_VALUE) valueLength = reader.bytes().length
    else if (field === KEY_VALUE_LEASE) lease = reader.big()
    else throw new MalformedMessage(`unknown field ${field} in a key-value`)
  }
  return { key, createRevision, modRevision, version, lease, valueLength }
}

/**
 * A version's bytes are given out as they are and its value is found by their lengths: both need the canonical form.
 * @param revision of the store; no version is of a later one.
 * @throws MalformedMessage
 */
export function checkVersion(fields: ParsedKeyValue, encodedLength: number, sub: number, revision: number): void {
  const { createRevision, modRevision, version, lease, valueLength } = fields
  const isPut = version > 0 && createRevision > 0 && createRevision <= modRevision
  const isTombstone = version === 0 && createRevision === 0 && lease === NO_LEASE && valueLength === 0
  const isPast = modRevision > 0 && modRevision <= revision && sub >= 0
  if (isPast && (isPut || isTombstone) && keyValueLength(fields, valueLength) === encodedLength) return
  throw new MalformedMessage(`impossible version ${modRevision}.${sub} at revision ${revision}`)
}
