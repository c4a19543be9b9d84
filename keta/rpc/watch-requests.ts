/**
 * Decodes etcd's WatchRequest by hand. Of the union the last field that stands on the wire counts, as everywhere in
 * protobuf.
 */
import { EMPTY_KEY } from '../bytes/key.ts'
import { MalformedMessage, ProtoReader } from '../bytes/proto-reader.ts'
import { WIRE_BYTES } from '../bytes/proto-writer.ts'
import type { WatchRequest } from '../watch/watch.ts'

export type WatchMessage =
  | { readonly kind: 'create'; readonly request: WatchRequest }
  | { readonly kind: 'cancel'; readonly watchId: bigint }
  | { readonly kind: 'progress' }
  /** No union field, or one of a later version: passed over, as etcd does. */
  | { readonly kind: 'unknown' }

const FILTER_NO_PUT = 0
const FILTER_NO_DELETE = 1

/** @throws MalformedMessage */
export function decodeWatchRequest(bytes: Uint8Array): WatchMessage {
  const reader = new ProtoReader(bytes)
  let message: WatchMessage = { kind: 'unknown' }
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        message = { kind: 'create', request: readCreate(reader.message()) }
        break
      case 2:
        message = { kind: 'cancel', watchId: readCancel(reader.message()) }
        break
      case 3:
        skipAll(reader.message())
        message = { kind: 'progress' }
        break
      default:
        reader.skip()
    }
  }
  return message
}

function readCreate(reader: ProtoReader): WatchRequest {
  const request = {
    key: EMPTY_KEY,
    rangeEnd: EMPTY_KEY,
    startRevision: 0,
    progressNotify: false,
    noPut: false,
    noDelete: false,
    prevKv: false,
    watchId: 0n,
    fragment: false,
  }
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        request.key = reader.key()
        break
      case 2:
        request.rangeEnd = reader.key()
        break
      case 3:
        request.startRevision = reader.int()
        break
      case 4:
        request.progressNotify = reader.bool()
        break
      case 5:
        for (const filter of readFilters(reader)) {
          if (filter === FILTER_NO_PUT) request.noPut = true
          else if (filter === FILTER_NO_DELETE) request.noDelete = true
        }
        break
      case 6:
        request.prevKv = reader.bool()
        break
      case 7:
        request.watchId = reader.big()
        break
      case 8:
        request.fragment = reader.bool()
        break
      default:
        reader.skip()
    }
  }
  return request
}

/** A repeated enum comes packed, or one by one. */
function readFilters(reader: ProtoReader): readonly number[] {
  if (reader.wireType !== WIRE_BYTES) return [reader.int32()]
  return packedVarints(reader.bytes())
}

function readCancel(reader: ProtoReader): bigint {
  let watchId = 0n
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) watchId = reader.big()
    else reader.skip()
  }
  return watchId
}

function skipAll(reader: ProtoReader): void {
  while (reader.next() !== 0) reader.skip()
}

/** The low 32 bits of each, as protobuf truncates enums. */
function packedVarints(bytes: Uint8Array): readonly number[] {
  const values: number[] = []
  let value = 0
  let shift = 0
  for (const byte of bytes) {
    if (shift < 32) value |= (byte & 0x7f) << shift
    shift += 7
    if (byte < 0x80) {
      values.push(value)
      value = 0
      shift = 0
    } else if (shift === 70) throw new MalformedMessage('varint longer than 10 bytes')
  }
  if (shift !== 0) throw new MalformedMessage('truncated varint')
  return values
}
