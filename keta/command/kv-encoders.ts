/**
 * Encodes key-value operations as etcd's request messages (canonical: fields in number order, zero values left out).
 * Needed for commands that the server makes itself; a client's own bytes are never encoded again.
 */
import { writeInt64, writePresentInt64 } from '../bytes/int64.ts'
import { ProtoWriter, WIRE_VARINT } from '../bytes/proto-writer.ts'
import type {
  CompactOperation,
  Compare,
  CompareOperand,
  DeleteRangeOperation,
  PutOperation,
  RangeOperation,
  RequestOperation,
  TxnOperation,
} from './operations.ts'

export function encodeRangeRequest(operation: RangeOperation): Buffer {
  const writer = new ProtoWriter(64 + operation.key.length + operation.rangeEnd.length)
  writer.keyField(1, operation.key)
  writer.keyField(2, operation.rangeEnd)
  writeInt64(writer, 3, operation.limit)
  writeInt64(writer, 4, operation.revision)
  writer.intField(5, operation.sortOrder)
  writer.intField(6, operation.sortTarget)
  writer.boolField(7, operation.serializable)
  writer.boolField(8, operation.keysOnly)
  writer.boolField(9, operation.countOnly)
  writeInt64(writer, 10, operation.minModRevision)
  writeInt64(writer, 11, operation.maxModRevision)
  writeInt64(writer, 12, operation.minCreateRevision)
  writeInt64(writer, 13, operation.maxCreateRevision)
  return writer.finish()
}

export function encodePutRequest(operation: PutOperation): Buffer {
  const writer = new ProtoWriter(32 + operation.key.length + operation.value.length)
  writer.keyField(1, operation.key)
  writer.bytesField(2, operation.value)
  writer.bigField(3, operation.lease)
  writer.boolField(4, operation.prevKv)
  writer.boolField(5, operation.ignoreValue)
  writer.boolField(6, operation.ignoreLease)
  return writer.finish()
}

export function encodeDeleteRangeRequest(operation: DeleteRangeOperation): Buffer {
  const writer = new ProtoWriter(32 + operation.key.length + operation.rangeEnd.length)
  writer.keyField(1, operation.key)
  writer.keyField(2, operation.rangeEnd)
  writer.boolField(3, operation.prevKv)
  return writer.finish()
}

export function encodeTxnRequest(operation: TxnOperation): Buffer {
  const writer = new ProtoWriter()
  for (const compare of operation.compare) writer.messageField(1, encodeCompare(compare))
  for (const request of operation.success) writer.messageField(2, encodeRequestOperation(request))
  for (const request of operation.failure) writer.messageField(3, encodeRequestOperation(request))
  return writer.finish()
}

export function encodeCompactionRequest(operation: CompactOperation): Buffer {
  const writer = new ProtoWriter(32)
  writeInt64(writer, 1, operation.revision)
  writer.boolField(2, operation.physical)
  return writer.finish()
}

function encodeRequestOperation(operation: RequestOperation): Buffer {
  const writer = new ProtoWriter()
  switch (operation?.kind) {
    case 'range':
      writer.messageField(1, encodeRangeRequest(operation))
      break
    case 'put':
      writer.messageField(2, encodePutRequest(operation))
      break
    case 'deleteRange':
      writer.messageField(3, encodeDeleteRangeRequest(operation))
      break
    case 'txn':
      writer.messageField(4, encodeTxnRequest(operation))
      break
    case undefined:
      break
  }
  return writer.finish()
}

function encodeCompare(compare: Compare): Buffer {
  const writer = new ProtoWriter()
  writer.intField(1, compare.result)
  writer.intField(2, compare.target)
  writer.keyField(3, compare.key)
  encodeOperand(writer, compare.operand)
  writer.keyField(64, compare.rangeEnd)
  return writer.finish()
}

function encodeOperand(writer: ProtoWriter, operand: CompareOperand): void {
  switch (operand?.field) {
    case 'version':
      writePresentInt64(writer, 4, operand.number)
      break
    case 'createRevision':
      writePresentInt64(writer, 5, operand.number)
      break
    case 'modRevision':
      writePresentInt64(writer, 6, operand.number)
      break
    case 'value':
      writer.messageField(7, operand.value)
      break
    case 'lease':
      writer.tag(8, WIRE_VARINT)
      writer.bigVarint(operand.lease)
      break
    case undefined:
      break
  }
}
