/**
 * Decodes the request messages of etcd's KV service from their protobuf bytes, by hand: they are the hot path of every
 * request and of every replayed record. Field numbers are those of etcd's api/etcdserverpb/rpc.proto. Unknown fields
 * are passed over; of a repeated scalar or oneof field the last one counts. Byte fields are views into the message.
 *
 * All functions throw MalformedMessage if the bytes are not such a message.
 */
import { EMPTY_KEY, type Key } from '../bytes/key.ts'
import { ProtoReader } from '../bytes/proto-reader.ts'
import { RequestFailure } from './failure.ts'
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

/**
 * Deepest nesting of transactions that is decoded at all. The static checks allow less (each level uses up part of
 * the 128 operations), so this only keeps a hostile message from exhausting the stack before they run.
 */
export const MAX_TXN_DEPTH = 200

const EMPTY_BYTES = new Uint8Array(0)

export function decodeRangeRequest(bytes: Uint8Array): RangeOperation {
  return readRange(new ProtoReader(bytes))
}

export function decodePutRequest(bytes: Uint8Array): PutOperation {
  return readPut(new ProtoReader(bytes))
}

export function decodeDeleteRangeRequest(bytes: Uint8Array): DeleteRangeOperation {
  return readDeleteRange(new ProtoReader(bytes))
}

/** @throws RequestFailure 'TOO_MANY_OPS' if transactions are nested deeper than MAX_TXN_DEPTH. */
export function decodeTxnRequest(bytes: Uint8Array): TxnOperation {
  return readTxn(new ProtoReader(bytes), 1)
}

export function decodeCompactionRequest(bytes: Uint8Array): CompactOperation {
  const reader = new ProtoReader(bytes)
  let revision = 0
  let physical = false
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) revision = reader.int()
    else if (field === 2) physical = reader.bool()
    else reader.skip()
  }
  return { kind: 'compact', revision, physical }
}

function readRange(reader: ProtoReader): RangeOperation {
  const range = {
    kind: 'range' as const,
    key: EMPTY_KEY,
    rangeEnd: EMPTY_KEY,
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  }
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        range.key = reader.key()
        break
      case 2:
        range.rangeEnd = reader.key()
        break
      case 3:
        range.limit = reader.int()
        break
      case 4:
        range.revision = reader.int()
        break
      case 5:
        range.sortOrder = reader.int32()
        break
      case 6:
        range.sortTarget = reader.int32()
        break
      case 7:
        range.serializable = reader.bool()
        break
      case 8:
        range.keysOnly = reader.bool()
        break
      case 9:
        range.countOnly = reader.bool()
        break
      case 10:
        range.minModRevision = reader.int()
        break
      case 11:
        range.maxModRevision = reader.int()
        break
      case 12:
        range.minCreateRevision = reader.int()
        break
      case 13:
        range.maxCreateRevision = reader.int()
        break
      default:
        reader.skip()
    }
  }
  return range
}

function readPut(reader: ProtoReader): PutOperation {
  let key: Key = EMPTY_KEY
  let value: Uint8Array = EMPTY_BYTES
  let lease = 0n
  let prevKv = false
  let ignoreValue = false
  let ignoreLease = false
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        key = reader.key()
        break
      case 2:
        value = reader.bytes()
        break
      case 3:
        lease = reader.big()
        break
      case 4:
        prevKv = reader.bool()
        break
      case 5:
        ignoreValue = reader.bool()
        break
      case 6:
        ignoreLease = reader.bool()
        break
      default:
        reader.skip()
    }
  }
  return { kind: 'put', key, value, lease, prevKv, ignoreValue, ignoreLease }
}

function readDeleteRange(reader: ProtoReader): DeleteRangeOperation {
  let key: Key = EMPTY_KEY
  let rangeEnd: Key = EMPTY_KEY
  let prevKv = false
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        key = reader.key()
        break
      case 2:
        rangeEnd = reader.key()
        break
      case 3:
        prevKv = reader.bool()
        break
      default:
        reader.skip()
    }
  }
  return { kind: 'deleteRange', key, rangeEnd, prevKv }
}

function readTxn(reader: ProtoReader, depth: number): TxnOperation {
  if (depth > MAX_TXN_DEPTH) throw new RequestFailure('TOO_MANY_OPS')
  const compare: Compare[] = []
  const success: RequestOperation[] = []
  const failure: RequestOperation[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        compare.push(readCompare(reader.message()))
        break
      case 2:
        success.push(readRequestOperation(reader.message(), depth))
        break
      case 3:
        failure.push(readRequestOperation(reader.message(), depth))
        break
      default:
        reader.skip()
    }
  }
  return { kind: 'txn', compare, success, failure }
}

function readRequestOperation(reader: ProtoReader, depth: number): RequestOperation {
  let operation: RequestOperation
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        operation = readRange(reader.message())
        break
      case 2:
        operation = readPut(reader.message())
        break
      case 3:
        operation = readDeleteRange(reader.message())
        break
      case 4:
        operation = readTxn(reader.message(), depth + 1)
        break
      default:
        reader.skip()
    }
  }
  return operation
}

function readCompare(reader: ProtoReader): Compare {
  let result = 0
  let target = 0
  let key: Key = EMPTY_KEY
  let rangeEnd: Key = EMPTY_KEY
  let operand: CompareOperand
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        result = reader.int32()
        break
      case 2:
        target = reader.int32()
        break
      case 3:
        key = reader.key()
        break
      case 4:
        operand = { field: 'version', number: reader.int() }
        break
      case 5:
        operand = { field: 'createRevision', number: reader.int() }
        break
      case 6:
        operand = { field: 'modRevision', number: reader.int() }
        break
      case 7:
        operand = { field: 'value', value: reader.bytes() }
        break
      case 8:
        operand = { field: 'lease', lease: reader.big() }
        break
      case 64:
        rangeEnd = reader.key()
        break
      default:
        reader.skip()
    }
  }
  return { result, target, key, rangeEnd, operand }
}
