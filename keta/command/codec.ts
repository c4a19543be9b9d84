/**
 * The payload of a command record: one byte that names the kind of command, then a request message of etcd's API. For
 * put, deleteRange, txn and compact that message is the client's own, byte for byte, so that nothing is encoded on the
 * way in and nothing that this version does not know is lost. Before it stands the author, if there is one.
 */
import { MalformedMessage, ProtoReader } from '../bytes/proto-reader.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import { decodeAuth, decodeAuthor, encodeAuth, encodeAuthor } from './auth-codec.ts'
import type { Author, Authored } from './author.ts'
import type { Command } from './command.ts'
import { RequestFailure } from './failure.ts'
import { encodeCompactionRequest, encodeDeleteRangeRequest, encodePutRequest, encodeTxnRequest } from './kv-encoders.ts'
import { decodeCompactionRequest, decodeDeleteRangeRequest, decodePutRequest, decodeTxnRequest } from './kv-messages.ts'
import { RecordError } from './record-error.ts'
import {
  decodeAlarm,
  decodeLeaseGrant,
  decodeLeaseRevoke,
  encodeAlarm,
  encodeLeaseGrant,
  encodeLeaseRevoke,
} from './server-messages.ts'

/** Part of the log format: numbers are never reused. */
const KIND_BYTES = {
  put: 1,
  deleteRange: 2,
  txn: 3,
  compact: 4,
  leaseGrant: 5,
  leaseRevoke: 6,
  alarm: 7,
  auth: 8,
} as const satisfies Record<Command['kind'], number>

/** Not a kind, but the tag of a field 1 with a length: the author, after whom the command's own kind follows. */
const AUTHORED = 0x0a

/** The byte that names the command's kind in a payload. */
function commandKindByte(command: Command): number {
  return KIND_BYTES[command.kind]
}

/** The command as its request message, for commands that did not come over the wire as one. */
export function encodeCommandBody(command: Command): Buffer {
  switch (command.kind) {
    case 'put':
      return encodePutRequest(command)
    case 'deleteRange':
      return encodeDeleteRangeRequest(command)
    case 'txn':
      return encodeTxnRequest(command)
    case 'compact':
      return encodeCompactionRequest(command)
    case 'leaseGrant':
      return encodeLeaseGrant(command)
    case 'leaseRevoke':
      return encodeLeaseRevoke(command)
    case 'alarm':
      return encodeAlarm(command)
    case 'auth':
      return encodeAuth(command)
  }
}

/** @param body the request message as the client sent it, if it did. */
export function encodeCommand(
  command: Command,
  body: Uint8Array = encodeCommandBody(command),
  author?: Author,
): Buffer {
  const prefix = author === undefined ? NO_AUTHOR : authorPrefix(author)
  const payload = Buffer.allocUnsafe(prefix.length + 1 + body.length)
  payload.set(prefix)
  payload[prefix.length] = commandKindByte(command)
  payload.set(body, prefix.length + 1)
  return payload
}

const NO_AUTHOR = new Uint8Array(0)

function authorPrefix(author: Author): Uint8Array {
  const writer = new ProtoWriter()
  writer.messageField(1, encodeAuthor(author))
  return writer.finish()
}

/** As `decodeCommand`, for a payload that may begin with an author. */
export function decodeAuthored(payload: Uint8Array): Authored<Command> {
  if (payload[0] !== AUTHORED) return { command: decodeCommand(payload), author: undefined }
  const { author, length } = garbledIfMalformed('an author', () => readAuthor(payload))
  return { command: decodeCommand(payload.subarray(length)), author }
}

/** @throws MalformedMessage */
function readAuthor(payload: Uint8Array): { readonly author: Author; readonly length: number } {
  const reader = new ProtoReader(payload)
  reader.next()
  return { author: decodeAuthor(reader.message()), length: reader.position }
}

/**
 * The command of a payload; its byte fields are views into `payload`.
 * @throws RecordError 'UNSUPPORTED_RECORD' for a kind of a later version, 'GARBLED_RECORD' for a bad message.
 */
export function decodeCommand(payload: Uint8Array): Command {
  const kind = payload[0]
  if (kind === undefined) throw new RecordError('GARBLED_RECORD', 'command record without a payload')
  const body = payload.subarray(1)
  return garbledIfMalformed(`command of kind ${kind}`, () => decodeBody(kind, body))
}

function garbledIfMalformed<T>(what: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (error instanceof MalformedMessage || error instanceof RequestFailure) {
      throw new RecordError('GARBLED_RECORD', `${what} is not its message`, { cause: error })
    }
    throw error
  }
}

function decodeBody(kind: number, body: Uint8Array): Command {
  switch (kind) {
    case KIND_BYTES.put:
      return decodePutRequest(body)
    case KIND_BYTES.deleteRange:
      return decodeDeleteRangeRequest(body)
    case KIND_BYTES.txn:
      return decodeTxnRequest(body)
    case KIND_BYTES.compact:
      return decodeCompactionRequest(body)
    case KIND_BYTES.leaseGrant:
      return decodeLeaseGrant(body)
    case KIND_BYTES.leaseRevoke:
      return decodeLeaseRevoke(body)
    case KIND_BYTES.alarm:
      return decodeAlarm(body)
    case KIND_BYTES.auth:
      return decodeAuth(body)
    default:
      throw new RecordError('UNSUPPORTED_RECORD', `command kind ${kind} is of a newer version`)
  }
}
