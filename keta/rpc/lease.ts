/** etcd's Lease service. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'

import { bytesFromKey } from '../bytes/key.ts'
import type { LeaseGrantCommand, LeaseRevokeCommand } from '../command/command.ts'
import { decodeLeaseGrant, decodeLeaseRevoke } from '../command/server-messages.ts'
import type { FailureCode } from '../command/failure.ts'
import type { Access, Engine } from '../engine/api.ts'
import {
  LeaseGrantResponseSchema,
  type LeaseKeepAliveRequest,
  LeaseKeepAliveRequestSchema,
  LeaseKeepAliveResponseSchema,
  LeaseLeasesRequestSchema,
  LeaseLeasesResponseSchema,
  LeaseTimeToLiveRequestSchema,
  LeaseTimeToLiveResponseSchema,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import { type Method, RpcError, type ServerStream, stream, type StreamHandler } from '../transport/transport.ts'
import type { Caller } from './callers.ts'
import type { Headers } from './header.ts'
import { encodeHeaderOnly } from './kv-answers.ts'
import { refuse } from './methods.ts'
import { endWithoutLeader } from './require-leader.ts'
import type { Routed, Routes } from './routes.ts'

export interface LeaseOptions {
  /** Shortest TTL in seconds; a shorter one is raised to it. */
  readonly minLeaseTtl: number
  /** Random bytes, for the ids that the server chooses. */
  readonly random: (count: number) => Uint8Array
}

/** TTL of a lease that does not exist, in the answer to LeaseTimeToLive. */
const NO_SUCH_LEASE = -1n

export function leaseService(
  engine: Engine,
  headers: Headers,
  routes: Routes,
  options: LeaseOptions,
): ReadonlyMap<string, Method> {
  return new Map([
    ['LeaseGrant', routes.method('etcdserverpb.Lease/LeaseGrant', grant(engine, headers, options))],
    ['LeaseRevoke', routes.method('etcdserverpb.Lease/LeaseRevoke', revoke(engine, headers))],
    ['LeaseKeepAlive', keepAlive(engine, headers, routes)],
    ['LeaseTimeToLive', routes.method('etcdserverpb.Lease/LeaseTimeToLive', timeToLive(engine, headers))],
    ['LeaseLeases', routes.method('etcdserverpb.Lease/LeaseLeases', leases(engine, headers))],
  ])
}

function grant(engine: Engine, headers: Headers, { minLeaseTtl, random }: LeaseOptions): Routed<LeaseGrantCommand> {
  return {
    decode: decodeLeaseGrant,
    async handle(asked, _body, caller) {
      const id = asked.id === 0n ? chooseId(random) : asked.id
      const command = { ...asked, id, ttl: Math.max(asked.ttl, minLeaseTtl) }
      engine.admit(command)
      const author = caller.author()
      refuse(engine.access.isSomebody(author))
      const { response, revision } = await engine.propose(command, undefined, author)
      const answer = { header: headers.message(revision), ID: response.id, TTL: BigInt(response.ttl) }
      return toBinary(LeaseGrantResponseSchema, create(LeaseGrantResponseSchema, answer))
    },
  }
}

/** 63 random bits, as etcd chooses ids; never 0, which means "choose". */
function chooseId(random: (count: number) => Uint8Array): bigint {
  const bytes = Buffer.from(random(8))
  const id = BigInt.asUintN(63, bytes.readBigUInt64BE())
  return id === 0n ? chooseId(random) : id
}

function revoke(engine: Engine, headers: Headers): Routed<LeaseRevokeCommand> {
  return {
    decode: decodeLeaseRevoke,
    async handle(command, _body, caller) {
      const author = caller.author()
      refuse(engine.access.isSomebody(author))
      const { revision } = await engine.propose(command, undefined, author)
      return encodeHeaderOnly(headers.encoded(revision))
    },
  }
}

function timeToLive(engine: Engine, headers: Headers): Routed<{ readonly ID: bigint; readonly keys: boolean }> {
  return {
    decode: (body) => fromBinary(LeaseTimeToLiveRequestSchema, body),
    handle: ({ ID, keys }, _body, caller) =>
      engine.read(false, () => {
        if (engine.access.enabled) refuse(refusalOfTimeToLive(engine.access, ID, keys, caller))
        const status = engine.leaseStatus(ID)
        const header = headers.message()
        const answer: MessageInitShape<typeof LeaseTimeToLiveResponseSchema> =
          status === undefined
            ? { header, ID, TTL: NO_SUCH_LEASE }
            : {
                header,
                ID,
                TTL: BigInt(status.remainingSeconds),
                grantedTTL: BigInt(status.grantedTtl),
                keys: keys ? status.keys.map(bytesFromKey) : [],
              }
        return toBinary(LeaseTimeToLiveResponseSchema, create(LeaseTimeToLiveResponseSchema, answer))
      }),
  }
}

function leases(engine: Engine, headers: Headers): Routed<unknown> {
  return {
    decode: (body) => fromBinary(LeaseLeasesRequestSchema, body),
    handle: (_request, _body, caller) =>
      engine.read(false, () => {
        const ids = engine.leaseIds()
        if (engine.access.enabled) refuse(refusalOfLeases(engine.access, ids, caller))
        const answer = { header: headers.message(), leases: ids.map((ID) => ({ ID })) }
        return toBinary(LeaseLeasesResponseSchema, create(LeaseLeasesResponseSchema, answer))
      }),
  }
}

/** Only its keys are anybody's secret. */
function refusalOfTimeToLive(access: Access, id: bigint, keys: boolean, caller: Caller): FailureCode | undefined {
  const author = caller.author()
  return access.isSomebody(author) ?? (keys ? access.mayTouchLease(author, id, 'read') : undefined)
}

function refusalOfLeases(access: Access, ids: readonly bigint[], caller: Caller): FailureCode | undefined {
  const author = caller.author()
  const refusal = access.isSomebody(author)
  if (refusal !== undefined) return refusal
  for (const id of ids) {
    const hidden = access.mayTouchLease(author, id, 'read')
    if (hidden !== undefined) return hidden
  }
  return undefined
}

const KEEP_ALIVE = 'etcdserverpb.Lease/LeaseKeepAlive'

function keepAlive(engine: Engine, headers: Headers, routes: Routes): Method {
  const message = routes.message<LeaseKeepAliveRequest>(KEEP_ALIVE, {
    decode: (body) => fromBinary(LeaseKeepAliveRequestSchema, body),
    handle: ({ ID }, _body, caller) => renewLease(engine, headers, ID, caller),
  })
  return stream<Uint8Array, Uint8Array>({
    decode: (body) => body,
    encode: (answer) => answer,
    open: (out, call) => {
      const released = endWithoutLeader(engine, call, out)
      return keepAliveHandler(out, released, (body) => message(body, call))
    },
  })
}

async function renewLease(engine: Engine, headers: Headers, ID: bigint, caller: Caller): Promise<Uint8Array> {
  // Before the renewal: a lease revoked at revision 3 must not be seen alive in an answer that says 4.
  const header = headers.message()
  if (engine.access.enabled) {
    const author = caller.author()
    refuse(engine.access.isSomebody(author) ?? engine.access.mayTouchLease(author, ID, 'write'))
  }
  const ttl = await engine.keepAlive(ID)
  const answer = { header, ID, TTL: BigInt(ttl ?? 0) }
  return toBinary(LeaseKeepAliveResponseSchema, create(LeaseKeepAliveResponseSchema, answer))
}

function keepAliveHandler(
  out: ServerStream<Uint8Array>,
  released: () => void,
  renew: (request: Uint8Array) => Promise<Uint8Array>,
): StreamHandler<Uint8Array> {
  return {
    async message(request) {
      try {
        out.send(await renew(request))
      } catch (error) {
        if (!(error instanceof RpcError)) throw error
        out.fail(error)
      }
    },
    halfClosed: () => out.end(),
    drained: () => undefined,
    closed: released,
  }
}
