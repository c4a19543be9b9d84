/**
 * etcd's KV service. The order of the checks is etcd's: quota, then what the request says by itself, then the state.
 */
import {
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
} from '../command/kv-messages.ts'
import { holdsOnlyRanges } from '../command/txn-scan.ts'
import type { OperationResponse } from '../command/command.ts'
import type { FailureCode } from '../command/failure.ts'
import type {
  CompactOperation,
  DeleteRangeOperation,
  PutOperation,
  RangeOperation,
  TxnOperation,
} from '../command/operations.ts'
import type { Access, Engine, Outcome } from '../engine/api.ts'
import { checkDeleteRange, checkPut, checkRange, checkTxn } from '../state/checks.ts'
import type { Method } from '../transport/transport.ts'
import type { Caller, Callers } from './callers.ts'
import type { Headers } from './header.ts'
import { encodeAnswer, encodeHeaderOnly } from './kv-answers.ts'
import { method, refuse } from './methods.ts'
import type { Routed, Routes } from './routes.ts'

/** @param maxTxnOps see checkTxn. */
export function kvService(
  engine: Engine,
  headers: Headers,
  routes: Routes,
  callers: Callers,
  maxTxnOps: number,
): ReadonlyMap<string, Method> {
  return new Map([
    ['Range', range(engine, headers, callers)],
    ['Put', routes.method('etcdserverpb.KV/Put', put(engine, headers))],
    ['DeleteRange', routes.method('etcdserverpb.KV/DeleteRange', deleteRange(engine, headers))],
    ['Txn', routes.method('etcdserverpb.KV/Txn', txn(engine, headers, maxTxnOps))],
    ['Compact', routes.method('etcdserverpb.KV/Compact', compact(engine, headers))],
  ])
}

function range(engine: Engine, headers: Headers, callers: Callers): Method {
  return method({
    decode: decodeRangeRequest,
    handle(operation, call) {
      refuse(checkRange(operation))
      return callers.as(call, (caller) =>
        engine.read(operation.serializable, () => {
          if (engine.access.enabled) refuse(refusalOfRange(engine.access, operation, caller))
          const { response, revision } = engine.range(operation)
          return encodeAnswer(headers.encoded(revision), response)
        }),
      )
    },
  })
}

function refusalOfRange(access: Access, { key, rangeEnd }: RangeOperation, caller: Caller): FailureCode | undefined {
  const author = caller.author()
  return access.mayRead(author, key, rangeEnd) ?? access.isCurrent(author)
}

function put(engine: Engine, headers: Headers): Routed<PutOperation> {
  return {
    decode: decodePutRequest,
    handle(operation, body, caller) {
      engine.admit(operation)
      refuse(checkPut(operation))
      return answered(engine.propose(operation, body, caller.author()), headers)
    },
  }
}

function deleteRange(engine: Engine, headers: Headers): Routed<DeleteRangeOperation> {
  return {
    decode: decodeDeleteRangeRequest,
    handle(operation, body, caller) {
      refuse(checkDeleteRange(operation))
      return answered(engine.propose(operation, body, caller.author()), headers)
    },
  }
}

function txn(engine: Engine, headers: Headers, maxTxnOps: number): Routed<TxnOperation> {
  return {
    decode: decodeTxnRequest,
    answersAnywhere: holdsOnlyRanges,
    handle(operation, body, caller) {
      engine.admit(operation)
      refuse(checkTxn(operation, maxTxnOps))
      if (isReadOnly(operation)) {
        return engine.read(isSerializable(operation), () => {
          if (engine.access.enabled) refuse(refusalOfTxn(engine.access, operation, caller))
          const { response, revision } = engine.readTxn(operation)
          return encodeAnswer(headers.encoded(revision), response)
        })
      }
      return answered(engine.propose(operation, body, caller.author()), headers)
    },
  }
}

/** Not async: on the way of every write each promise counts. */
function answered(outcome: Promise<Outcome<OperationResponse>>, headers: Headers): Promise<Uint8Array> {
  return outcome.then(({ response, revision }) => encodeAnswer(headers.encoded(revision), response))
}

function refusalOfTxn(access: Access, operation: TxnOperation, caller: Caller): FailureCode | undefined {
  const author = caller.author()
  return access.mayReadTxn(author, operation) ?? access.isCurrent(author)
}

function compact(engine: Engine, headers: Headers): Routed<CompactOperation> {
  return {
    decode: decodeCompactionRequest,
    async handle(operation, body, caller) {
      const author = caller.author()
      refuse(engine.access.isRoot(author))
      const { revision } = await engine.compact(operation, body, author)
      return encodeHeaderOnly(headers.encoded(revision))
    },
  }
}

/** etcd logs every transaction that holds anything but ranges, nested ones too. */
function isReadOnly({ success, failure }: TxnOperation): boolean {
  return [...success, ...failure].every((operation) => operation?.kind === 'range')
}

/**
 * Whether all ranges say so. Without any range it is not: etcd takes such a transaction for serializable, and so may
 * answer its comparisons from stale state; here they are linearizable.
 */
function isSerializable({ success, failure }: TxnOperation): boolean {
  const operations = [...success, ...failure]
  return operations.length > 0 && operations.every((operation) => operation?.kind === 'range' && operation.serializable)
}
