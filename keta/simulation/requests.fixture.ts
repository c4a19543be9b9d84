/**
 * What clients ask of a node, and how a node does it when it leads: what the services in front of the engine do, with
 * answers that are easier to check. Every body ends with a field that no request has, which says whose it is: bodies
 * stand in the log as they came, so each operation is known again there.
 */
import { encodeCommandBody } from '../command/codec.ts'
import type { Command } from '../command/command.ts'
import { decodeCompactionRequest, decodeDeleteRangeRequest } from '../command/kv-messages.ts'
import { decodePutRequest, decodeTxnRequest } from '../command/kv-messages.ts'
import { decodeAlarm, decodeLeaseGrant, decodeLeaseRevoke } from '../command/server-messages.ts'
import type { Outcome, RoutedRequest } from '../engine/api.ts'
import type { Engine } from '../engine/api.ts'
import type { CommandResponse } from '../command/command.ts'

/** Field 1000, four bytes. */
const MARK = Buffer.from([0xc5, 0x3e])
const MARK_BYTES = 6

/** The answer of an operation that went through the log, or of a renewal. */
export interface Answer {
  readonly revision: number
  /** What the operation came to: see `digestOf`. */
  readonly result: string
}

export function requestOf(command: Command, operation: number): RoutedRequest {
  const mark = Buffer.alloc(MARK_BYTES)
  MARK.copy(mark)
  mark.writeUInt32LE(operation, MARK.length)
  const body = Buffer.concat([encodeCommandBody(command), mark])
  return { method: command.kind, body, metadata: () => new Map() }
}

/** Asks for a lease to be renewed. */
export function renewalOf(id: bigint): RoutedRequest {
  return { method: 'keepAlive', body: encodeCommandBody({ kind: 'leaseRevoke', id }), metadata: () => new Map() }
}

/** Whose operation a body, or a payload of the log, is. */
export function operationOf(payload: Uint8Array): number | undefined {
  const at = payload.length - MARK_BYTES
  if (at < 0 || payload[at] !== MARK[0] || payload[at + 1] !== MARK[1]) return undefined
  return new DataView(payload.buffer, payload.byteOffset + at + MARK.length, 4).getUint32(0, true)
}

/** Does the request here, if this node leads. @throws RequestFailure */
export async function serve(
  engine: Engine,
  { method, body }: Pick<RoutedRequest, 'method' | 'body'>,
): Promise<Uint8Array> {
  if (method === 'keepAlive') {
    const ttl = await engine.keepAlive(decodeLeaseRevoke(body).id)
    return encodeAnswer({ revision: engine.revision, result: String(ttl ?? 0) })
  }
  const { response, revision } = await propose(engine, method, body)
  return encodeAnswer({ revision, result: resultOf(response) })
}

export function decodeAnswer(bytes: Uint8Array): Answer {
  return JSON.parse(Buffer.from(bytes).toString()) as Answer
}

/** What the client is told, and the replicas agree on. */
export function resultOf(response: CommandResponse): string {
  switch (response.kind) {
    case 'deleteRange':
      return `deleted ${response.deleted}`
    case 'txn':
      return response.succeeded ? 'succeeded' : 'failed'
    case 'range':
    case 'put':
    case 'compact':
    case 'leaseGrant':
    case 'leaseRevoke':
    case 'alarm':
    case 'auth':
      return response.kind
  }
}

function propose(engine: Engine, method: string, body: Uint8Array): Promise<Outcome<CommandResponse>> {
  switch (method) {
    case 'put': {
      const put = decodePutRequest(body)
      engine.admit(put)
      return engine.propose(put, body)
    }
    case 'deleteRange':
      return engine.propose(decodeDeleteRangeRequest(body), body)
    case 'txn':
      return engine.propose(decodeTxnRequest(body), body)
    case 'compact':
      return engine.compact(decodeCompactionRequest(body), body)
    case 'leaseGrant':
      return engine.propose(decodeLeaseGrant(body), body)
    case 'leaseRevoke':
      return engine.propose(decodeLeaseRevoke(body), body)
    // A node that finds the log damaged asks the leader for an alarm.
    case 'etcdserverpb.Maintenance/Alarm':
      return engine.propose(decodeAlarm(body))
    default:
      throw new Error(`no such method: ${method}`)
  }
}

function encodeAnswer(answer: Answer): Uint8Array {
  return Buffer.from(JSON.stringify(answer))
}
