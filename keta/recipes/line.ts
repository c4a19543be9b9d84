/**
 * The line in which locks and elections stand: the keys below one name, in the order of their creation. Whose key is
 * the oldest, has the lock or the office; the others each wait until all keys before theirs are gone. Keys are attached
 * to their owners' leases, so that nobody waits for the dead.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'

import {
  Compare_CompareResult,
  Compare_CompareTarget,
  type CompareSchema,
  KV,
  Lease,
  type RangeRequestSchema,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RequestOpSchema,
  type ResponseHeader,
  type ResponseOp,
  type TxnResponse,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import type { KeyValue } from '../proto/gen/mvccpb/kv_pb.js'
import { RpcError } from '../transport/transport.ts'
import type { LocalClient } from './local-client.ts'

/** One owner's key in a line. */
export interface Place {
  /** What all keys of the line begin with. */
  readonly line: Buffer
  readonly key: Buffer
  /** At which the key was created. */
  readonly revision: bigint
}

/** TTL in seconds of the lease that the server grants to callers without one. */
const SESSION_TTL = 60n

/** The lease itself, or for 0 a new one. */
export async function sessionOf(lease: bigint, client: LocalClient): Promise<bigint> {
  if (lease !== 0n) return lease
  return (await client.ask(Lease.method.leaseGrant, { TTL: SESSION_TTL })).ID
}

export function lineOf(name: Uint8Array): Buffer {
  return Buffer.concat([name, Buffer.from('/')])
}

/** A lease has one key in a line: its id in hexadecimal, with its sign. */
export function keyIn(line: Buffer, lease: bigint): Buffer {
  return Buffer.concat([line, Buffer.from(lease.toString(16))])
}

/** All keys of the line. */
export function everyKey(line: Buffer): { readonly key: Buffer; readonly rangeEnd: Buffer } {
  // '0' comes after '/', with which every line ends.
  return { key: line, rangeEnd: Buffer.concat([line.subarray(0, -1), Buffer.from('0')]) }
}

/** Asks for the oldest key of the line. */
export function oldest(line: Buffer): MessageInitShape<typeof RangeRequestSchema> {
  const { CREATE } = RangeRequest_SortTarget
  return { ...everyKey(line), limit: 1n, sortTarget: CREATE, sortOrder: RangeRequest_SortOrder.ASCEND }
}

/** Holds if the key was created at the revision; at 0, if there is no such key. */
export function createdAt(key: Uint8Array, revision: bigint): MessageInitShape<typeof CompareSchema> {
  const target = Compare_CompareTarget.CREATE
  const targetUnion = { case: 'createRevision', value: revision } as const
  return { key, target, result: Compare_CompareResult.EQUAL, targetUnion }
}

export function ranging(value: MessageInitShape<typeof RangeRequestSchema>): MessageInitShape<typeof RequestOpSchema> {
  return { request: { case: 'requestRange', value } }
}

export function putting(key: Uint8Array, value: Uint8Array, lease: bigint): MessageInitShape<typeof RequestOpSchema> {
  return { request: { case: 'requestPut', value: { key, value, lease } } }
}

/** The key that an operation of a transaction has found first. */
export function foundBy(operation: ResponseOp | undefined): KeyValue | undefined {
  if (operation?.response.case !== 'responseRange')
    throw new Error('the answer to a range in a transaction is no range')
  return operation.response.value.kvs[0]
}

/** Where a transaction has found or put the owner's own key: `operation` got it if it was there before. */
export function placeFrom(line: Buffer, key: Buffer, answer: TxnResponse): Place {
  const { succeeded, responses } = answer
  const revision = succeeded ? revisionOf(answer) : foundBy(responses[0])?.createRevision
  if (revision === undefined) throw new Error('a key is neither absent nor there')
  return { line, key, revision }
}

export function revisionOf({ header }: { readonly header?: ResponseHeader | undefined }): bigint {
  if (header === undefined) throw new Error('an answer has no header')
  return header.revision
}

/**
 * Waits until nobody is before this place any more. What it has waited for is not enough: meanwhile the place itself
 * may have been lost with its lease, or have been given up and taken again further back. So it looks at last.
 * @returns the header of that look; undefined if the place is lost.
 * @throws RpcError, after giving the place up: the call has ended, or nobody answers.
 */
export async function waitForTurn(place: Place, client: LocalClient): Promise<ResponseHeader | undefined> {
  try {
    await untilFirst(place, client)
    const { header, kvs } = await client.ask(KV.method.range, { key: place.key })
    client.checkPresence()
    return kvs[0]?.createRevision === place.revision ? header : undefined
  } catch (error) {
    await giveUp(place, client)
    throw error
  }
}

/** From the youngest of those before to the oldest: so each owner that leaves wakes one. */
async function untilFirst({ line, revision }: Place, client: LocalClient): Promise<void> {
  const before = {
    ...everyKey(line),
    limit: 1n,
    sortTarget: RangeRequest_SortTarget.CREATE,
    sortOrder: RangeRequest_SortOrder.DESCEND,
    maxCreateRevision: revision - 1n,
  }
  for (;;) {
    const answer = await client.ask(KV.method.range, before)
    const last = answer.kvs[0]
    if (last === undefined) return
    await client.untilDeleted(last.key, revisionOf(answer))
  }
}

/** Deletes the key unless it is another one by now. @returns the header of the answer. */
export async function leave({ key, revision }: Omit<Place, 'line'>, client: LocalClient) {
  const success = [{ request: { case: 'requestDeleteRange', value: { key } } } as const]
  const { header } = await client.ask(KV.method.txn, { compare: [createdAt(key, revision)], success })
  return header
}

/** Leaves if that is possible. If not, the key goes with its lease. */
export async function giveUp(place: Place, client: LocalClient): Promise<void> {
  try {
    await leave(place, client)
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
  }
}
