/**
 * The payload of a command record: one byte that names the kind of command, then a request message of etcd's API. For
 * put, deleteRange, txn and compact that message is the client's own, byte for byte, so that nothing is encoded on the
 * way in and nothing that this version does not know is lost.
 */
import { MalformedMessage } from '../bytes/proto-reader.ts'
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
} as const satisfies Record<Command['kind'], number>

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
  }
}

/** @param body the request message as the client sent it, if it did. */
export function encodeCommand(command: Command, body: Uint8Array = encodeCommandBody(command)): Buffer {
  const payload = Buffer.allocUnsafe(1 + body.length)
  payload[0] = commandKindByte(command)
  payload.set(body, 1)
  return payload
}

/**
 * The command of a payload; its byte fields are views into `payload`.
 * @throws RecordError 'UNSUPPORTED_RECORD' for a kind of a later version, 'GARBLED_RECORD' for a bad message.
 */
export function decodeCommand(payload: Uint8Array): Command {
  const kind = payload[0]
  if (kind === undefined) throw new RecordError('GARBLED_RECORD', 'command record without a payload')
  const body = payload.subarray(1)
  try {
    return decodeBody(kind, body)
  } catch (error) {
    if (error instanceof MalformedMessage || error instanceof RequestFailure) {
      throw new RecordError('GARBLED_RECORD', `command of kind ${kind} is not its message`, { cause: error })
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
    default:
      throw new RecordError('UNSUPPORTED_RECORD', `command kind ${kind} is of a newer version`)
  }
}
