/** Requests and responses between nodes, to bytes and back. The fields are described in `peer.md`. */
import { ProtoReader } from '../bytes/proto-reader.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import type { PeerRequest, PeerResponse } from '../cluster/peers.ts'
import { STATUS, type StatusCode } from '../transport/transport.ts'

/** `failed`: the other side knows nothing of the outcome, or does not know what it was asked. */
export type WireResponse = PeerResponse | { readonly kind: 'failed' }

const REQUEST_KINDS: Readonly<Record<PeerRequest['kind'], number>> = { forward: 1, readIndex: 2, takeOver: 3, ping: 4 }
const RESPONSE_KINDS: Readonly<Record<WireResponse['kind'], number>> = {
  answer: 1,
  refusal: 2,
  readIndex: 3,
  notLeader: 4,
  done: 5,
  failed: 6,
}
const REQUEST_KIND_OF = inverse(REQUEST_KINDS)
const RESPONSE_KIND_OF = inverse(RESPONSE_KINDS)
const STATUS_CODES: ReadonlySet<number> = new Set(Object.values(STATUS))

/** A message as it is sent. Its body comes last, and is not copied until the whole goes into what is written. */
export interface Encoded {
  readonly head: Uint8Array
  readonly body: Uint8Array
}

/** Room for a head, so that the writer's buffer seldom grows: of most requests, and of answers. */
const REQUEST_HEAD_BYTES = 64
const RESPONSE_HEAD_BYTES = 32
const NO_BODY: Uint8Array = new Uint8Array(0)
const NO_METADATA: ReadonlyMap<string, string> = new Map()

export function encodeRequest(request: PeerRequest): Encoded {
  const writer = new ProtoWriter(REQUEST_HEAD_BYTES)
  writer.intField(1, REQUEST_KINDS[request.kind])
  if (request.kind === 'takeOver') writer.intField(5, request.epoch)
  if (request.kind !== 'forward') return encoded(writer, NO_BODY, 0)
  writer.stringField(2, request.method)
  for (const [name, value] of request.metadata) {
    const entry = new ProtoWriter()
    entry.stringField(1, name)
    entry.stringField(2, value)
    writer.messageField(4, entry.finish())
  }
  return encoded(writer, request.body, 3)
}

/** @param field of the body, which is left out if it is empty. */
function encoded(head: ProtoWriter, body: Uint8Array, field: number): Encoded {
  if (body.length > 0) head.beginField(field, body.length)
  return { head: head.finish(), body }
}

/**
 * Undefined for a kind that this version does not know. A body is a view of `bytes`.
 * @throws MalformedMessage
 */
export function decodeRequest(bytes: Uint8Array): PeerRequest | undefined {
  const reader = new ProtoReader(bytes)
  let kind: PeerRequest['kind'] | undefined
  let method = ''
  let body = NO_BODY
  let metadata: Map<string, string> | undefined
  let epoch = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) kind = REQUEST_KIND_OF.get(reader.int())
    else if (field === 2) method = reader.text()
    else if (field === 3) body = reader.bytes()
    else if (field === 4) (metadata ??= new Map()).set(...decodeEntry(reader.message()))
    else if (field === 5) epoch = reader.int()
    else reader.skip()
  }
  if (kind === 'forward') return { kind, method, body, metadata: metadata ?? NO_METADATA }
  if (kind === 'takeOver') return { kind, epoch }
  return kind && { kind }
}

export function encodeResponse(response: WireResponse): Encoded {
  const writer = new ProtoWriter(RESPONSE_HEAD_BYTES)
  writer.intField(1, RESPONSE_KINDS[response.kind])
  if (response.kind === 'answer') {
    writer.intField(3, response.appliedOffset)
    return encoded(writer, response.body, 2)
  }
  if (response.kind === 'refusal') {
    writer.intField(3, response.appliedOffset)
    writer.intField(4, response.status)
    writer.stringField(5, response.message)
  } else if (response.kind === 'readIndex') writer.intField(6, response.offset)
  return encoded(writer, NO_BODY, 0)
}

/**
 * `failed` for a kind that this version does not know. A body is a view of `bytes`.
 * @throws MalformedMessage
 */
export function decodeResponse(bytes: Uint8Array): WireResponse {
  const reader = new ProtoReader(bytes)
  let kind: WireResponse['kind'] = 'failed'
  let body = NO_BODY
  let appliedOffset = 0
  let status: StatusCode = STATUS.OK
  let message = ''
  let offset = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) kind = RESPONSE_KIND_OF.get(reader.int()) ?? 'failed'
    else if (field === 2) body = reader.bytes()
    else if (field === 3) appliedOffset = reader.int()
    else if (field === 4) status = statusCode(reader.int32())
    else if (field === 5) message = reader.text()
    else if (field === 6) offset = reader.int()
    else reader.skip()
  }
  if (kind === 'answer') return { kind, body, appliedOffset }
  if (kind === 'refusal') return { kind, status, message, appliedOffset }
  if (kind === 'readIndex') return { kind, offset }
  return { kind }
}

function decodeEntry(reader: ProtoReader): [name: string, value: string] {
  let name = ''
  let value = ''
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.text()
    else if (field === 2) value = reader.text()
    else reader.skip()
  }
  return [name, value]
}

function statusCode(code: number): StatusCode {
  return STATUS_CODES.has(code) ? (code as StatusCode) : STATUS.UNKNOWN
}

function inverse<Kind extends string>(numbers: Readonly<Record<Kind, number>>): ReadonlyMap<number, Kind> {
  return new Map(Object.entries<number>(numbers).map(([kind, number]) => [number, kind as Kind]))
}
