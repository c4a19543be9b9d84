/**
 * Encodes the answers of the KV service by hand. Stored key-values are encoded already, and are copied in as they
 * are: for a range of a hundred keys this costs a sixth of encoding a message. Each answer is measured first and then
 * written in one pass. The field numbers are those of proto/etcdserverpb/rpc.proto.
 */
import { bigFieldLength, bytesFieldLength, intFieldLength, ProtoWriter, varintLength } from '../bytes/proto-writer.ts'
import type {
  DeleteRangeResponse,
  OperationResponse,
  PutResponse,
  RangeResponse,
  TxnResponse,
} from '../command/command.ts'
import type { Version } from '../mvcc/kv.ts'

const HEADER = 1
/** A tag and the value true. */
const TRUE_LENGTH = 2
/** What the writer may reserve beyond the end for a varint. */
const SLACK = 10

const RESPONSE_OP_FIELD = { range: 1, put: 2, deleteRange: 3, txn: 4 } as const

/** @param header encoded, see header.ts. */
export function encodeAnswer(header: Uint8Array, response: OperationResponse): Buffer {
  const writer = new ProtoWriter(messageLength(header.length) + bodyLength(response) + SLACK)
  writer.messageField(HEADER, header)
  writeBody(writer, response)
  return writer.finish()
}

/** For answers that are a header and nothing else. */
export function encodeHeaderOnly(header: Uint8Array): Buffer {
  const writer = new ProtoWriter(messageLength(header.length) + SLACK)
  writer.messageField(HEADER, header)
  return writer.finish()
}

function bodyLength(response: OperationResponse): number {
  switch (response.kind) {
    case 'range':
      return rangeLength(response)
    case 'put':
      return response.previous === undefined ? 0 : messageLength(response.previous.encodedLength)
    case 'deleteRange':
      return deleteRangeLength(response)
    case 'txn':
      return txnLength(response)
  }
}

function writeBody(writer: ProtoWriter, response: OperationResponse): void {
  switch (response.kind) {
    case 'range':
      writeRange(writer, response)
      return
    case 'put':
      writePut(writer, response)
      return
    case 'deleteRange':
      writeDeleteRange(writer, response)
      return
    case 'txn':
      writeTxn(writer, response)
  }
}

function rangeLength({ kvs, keysOnly, more, count }: RangeResponse): number {
  let length = (more ? TRUE_LENGTH : 0) + intFieldLength(count)
  for (const version of kvs) length += messageLength(keysOnly ? keyOnlyLength(version) : version.encodedLength)
  return length
}

function writeRange(writer: ProtoWriter, { kvs, keysOnly, more, count }: RangeResponse): void {
  for (const version of kvs) {
    if (keysOnly) writeKeyOnly(writer, version)
    else writer.messageField(2, version.encoded())
  }
  writer.boolField(3, more)
  writer.intField(4, count)
}

/** The key-value without its value. */
function keyOnlyLength({ key, createRevision, modRevision, version, lease }: Version): number {
  return (
    bytesFieldLength(key.length) +
    intFieldLength(createRevision) +
    intFieldLength(modRevision) +
    intFieldLength(version) +
    bigFieldLength(lease)
  )
}

function writeKeyOnly(writer: ProtoWriter, version: Version): void {
  writer.beginField(2, keyOnlyLength(version))
  writer.keyField(1, version.key)
  writer.intField(2, version.createRevision)
  writer.intField(3, version.modRevision)
  writer.intField(4, version.version)
  writer.bigField(6, version.lease)
}

function writePut(writer: ProtoWriter, { previous }: PutResponse): void {
  if (previous !== undefined) writer.messageField(2, previous.encoded())
}

function deleteRangeLength({ deleted, previous }: DeleteRangeResponse): number {
  let length = intFieldLength(deleted)
  for (const version of previous) length += messageLength(version.encodedLength)
  return length
}

function writeDeleteRange(writer: ProtoWriter, { deleted, previous }: DeleteRangeResponse): void {
  writer.intField(2, deleted)
  for (const version of previous) writer.messageField(3, version.encoded())
}

type SubAnswer = TxnResponse['responses'][number]

function txnLength({ succeeded, responses }: TxnResponse): number {
  let length = succeeded ? TRUE_LENGTH : 0
  for (const answer of responses) length += messageLength(responseOpLength(answer))
  return length
}

function writeTxn(writer: ProtoWriter, { succeeded, responses }: TxnResponse): void {
  writer.boolField(2, succeeded)
  for (const answer of responses) {
    writer.beginField(3, responseOpLength(answer))
    writer.beginField(RESPONSE_OP_FIELD[answer.response.kind], subAnswerLength(answer))
    writeSubHeader(writer, answer)
    writeBody(writer, answer.response)
  }
}

/** The ResponseOp around a sub-answer. */
function responseOpLength(answer: SubAnswer): number {
  return messageLength(subAnswerLength(answer))
}

function subAnswerLength(answer: SubAnswer): number {
  return messageLength(subHeaderLength(answer)) + bodyLength(answer.response)
}

/** Of a sub-answer's header only the revision is given; a nested transaction's is there, and empty. */
function subHeaderLength({ response, revision }: SubAnswer): number {
  return response.kind === 'txn' ? 0 : intFieldLength(revision)
}

function writeSubHeader(writer: ProtoWriter, answer: SubAnswer): void {
  writer.beginField(HEADER, subHeaderLength(answer))
  if (answer.response.kind !== 'txn') writer.intField(3, answer.revision)
}

/** Tag (one byte), length and content of a message that is there, empty or not. */
function messageLength(contentLength: number): number {
  return 1 + varintLength(contentLength) + contentLength
}
