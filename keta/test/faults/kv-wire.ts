/** Requests and answers of the history as messages of etcd's API. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  type CompareSchema,
  type DeleteRangeResponse,
  KV,
  type PutResponse,
  type RangeResponse,
  type RequestOpSchema,
  type ResponseOp,
  type TxnResponse,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import type { KeyValue as WireKeyValue } from '../../proto/gen/mvccpb/kv_pb.js'
import type { ApiClient } from '../api-client.fixture.ts'
import type { Compare, DeleteRequest, KeyRange, KeyValue, KvAnswer, PutRequest } from '../checkers/history.ts'
import type { RangeRequest, Request, Result, TxnRequest } from '../checkers/history.ts'

const RESULTS = {
  '=': Compare_CompareResult.EQUAL,
  '!=': Compare_CompareResult.NOT_EQUAL,
  '<': Compare_CompareResult.LESS,
  '>': Compare_CompareResult.GREATER,
} as const

export function toBytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

export function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

/** @throws ServiceError */
export async function send(client: ApiClient, request: Request): Promise<KvAnswer> {
  switch (request.f) {
    case 'range':
      return answer(await client.call(KV.method.range, toRange(request)), rangeResult)
    case 'put':
      return answer(await client.call(KV.method.put, toPut(request)), putResult)
    case 'delete':
      return answer(await client.call(KV.method.deleteRange, toDelete(request)), deleteResult)
    case 'txn':
      return answer(await client.call(KV.method.txn, toTxn(request)), txnResult)
    case 'compact': {
      const revision = BigInt(request.revision)
      return answer(await client.call(KV.method.compact, { revision }), () => ({ f: 'compact' }))
    }
  }
}

export function keyValueOf(kv: WireKeyValue): KeyValue {
  return {
    key: toText(kv.key),
    value: toText(kv.value),
    createRevision: Number(kv.createRevision),
    modRevision: Number(kv.modRevision),
    version: Number(kv.version),
    ...(kv.lease === 0n ? {} : { lease: String(kv.lease) }),
  }
}

export function rangeOnWire({ key, rangeEnd }: KeyRange): { key: Uint8Array; rangeEnd: Uint8Array } {
  return { key: toBytes(key), rangeEnd: toBytes(rangeEnd ?? '') }
}

interface WithHeader {
  readonly header?: { readonly revision: bigint } | undefined
}

function answer<Message extends WithHeader>(message: Message, result: (message: Message) => Result): KvAnswer {
  return { revision: Number(message.header?.revision ?? 0n), result: result(message) }
}

function toRange({ limit = 0, revision = 0, countOnly = false, serializable = false, ...range }: RangeRequest) {
  return { ...rangeOnWire(range), limit: BigInt(limit), revision: BigInt(revision), countOnly, serializable }
}

function toPut({ key, value, lease = '0', prevKv = false }: PutRequest) {
  return { key: toBytes(key), value: toBytes(value), lease: BigInt(lease), prevKv }
}

function toDelete({ prevKv = false, ...range }: DeleteRequest) {
  return { ...rangeOnWire(range), prevKv }
}

function toTxn({ compare, success, failure }: TxnRequest) {
  return { compare: compare.map(toCompare), success: success.map(toOperation), failure: failure.map(toOperation) }
}

function toOperation(request: Request): MessageInitShape<typeof RequestOpSchema> {
  switch (request.f) {
    case 'range':
      return { request: { case: 'requestRange', value: toRange(request) } }
    case 'put':
      return { request: { case: 'requestPut', value: toPut(request) } }
    case 'delete':
      return { request: { case: 'requestDeleteRange', value: toDelete(request) } }
    case 'txn':
      return { request: { case: 'requestTxn', value: toTxn(request) } }
    case 'compact':
      throw new TypeError('a compaction is no part of a transaction')
  }
}

function toCompare({ target, result, to, ...range }: Compare): MessageInitShape<typeof CompareSchema> {
  const common = { ...rangeOnWire(range), result: RESULTS[result] }
  switch (target) {
    case 'mod':
      return { ...common, target: Compare_CompareTarget.MOD, targetUnion: { case: 'modRevision', value: BigInt(to) } }
    case 'create':
      return {
        ...common,
        target: Compare_CompareTarget.CREATE,
        targetUnion: { case: 'createRevision', value: BigInt(to) },
      }
    case 'version':
      return { ...common, target: Compare_CompareTarget.VERSION, targetUnion: { case: 'version', value: BigInt(to) } }
    case 'value':
      return {
        ...common,
        target: Compare_CompareTarget.VALUE,
        targetUnion: { case: 'value', value: toBytes(String(to)) },
      }
  }
}

function rangeResult({ kvs, count, more }: RangeResponse): Result {
  return { f: 'range', kvs: kvs.map(keyValueOf), count: Number(count), ...(more ? { more } : {}) }
}

function putResult({ prevKv }: PutResponse): Result {
  return { f: 'put', ...(prevKv === undefined ? {} : { prevKv: keyValueOf(prevKv) }) }
}

function deleteResult({ deleted, prevKvs }: DeleteRangeResponse): Result {
  const before = prevKvs.length === 0 ? {} : { prevKvs: prevKvs.map(keyValueOf) }
  return { f: 'delete', deleted: Number(deleted), ...before }
}

function txnResult({ succeeded, responses }: TxnResponse): Result {
  return { f: 'txn', succeeded, results: responses.map(operationResult) }
}

function operationResult({ response }: ResponseOp): Result {
  switch (response.case) {
    case 'responseRange':
      return rangeResult(response.value)
    case 'responsePut':
      return putResult(response.value)
    case 'responseDeleteRange':
      return deleteResult(response.value)
    case 'responseTxn':
      return txnResult(response.value)
    default:
      throw new TypeError('an operation of a transaction was not answered')
  }
}
