/** etcd's Lease service. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'

import { bytesFromKey } from '../bytes/key.ts'
import { decodeLeaseGrant, decodeLeaseRevoke } from '../command/server-messages.ts'
import type { Engine } from '../engine/api.ts'
import {
  LeaseGrantResponseSchema,
  LeaseKeepAliveRequestSchema,
  LeaseKeepAliveResponseSchema,
  LeaseLeasesRequestSchema,
  LeaseLeasesResponseSchema,
  LeaseTimeToLiveRequestSchema,
  LeaseTimeToLiveResponseSchema,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import { type Method, RpcError, type ServerStream, stream, type StreamHandler } from '../transport/transport.ts'
import { toRpcError } from './errors.ts'
import type { Headers } from './header.ts'
import { encodeHeaderOnly } from './kv-answers.ts'
import { coldMethod, method } from './methods.ts'

export interface LeaseOptions {
  /** Shortest TTL in seconds; a shorter one is raised to it. */
  readonly minLeaseTtl: number
  /** Random bytes, for the ids that the server chooses. */
  readonly random: (count: number) => Uint8Array
}

/** TTL of a lease that does not exist, in the answer to LeaseTimeToLive. */
const NO_SUCH_LEASE = -1n

export function leaseService(engine: Engine, headers: Headers, options: LeaseOptions): ReadonlyMap<string, Method> {
  return new Map([
    ['LeaseGrant', grant(engine, headers, options)],
    ['LeaseRevoke', revoke(engine, headers)],
    ['LeaseKeepAlive', keepAlive(engine, headers)],
    ['LeaseTimeToLive', timeToLive(engine, headers)],
    ['LeaseLeases', leases(engine, headers)],
  ])
}

function grant(engine: Engine, headers: Headers, { minLeaseTtl, random }: LeaseOptions): Method {
  return method({
    decode: decodeLeaseGrant,
    async handle(asked) {
      const id = asked.id === 0n ? chooseId(random) : asked.id
      const command = { ...asked, id, ttl: Math.max(asked.ttl, minLeaseTtl) }
      engine.admit(command)
      const { response, revision } = await engine.propose(command)
      const answer = { header: headers.message(revision), ID: response.id, TTL: BigInt(response.ttl) }
      return toBinary(LeaseGrantResponseSchema, create(LeaseGrantResponseSchema, answer))
    },
  })
}

/** 63 random bits, as etcd chooses ids; never 0, which means "choose". */
function chooseId(random: (count: number) => Uint8Array): bigint {
  const bytes = Buffer.from(random(8))
  const id = BigInt.asUintN(63, bytes.readBigUInt64BE())
  return id === 0n ? chooseId(random) : id
}

function revoke(engine: Engine, headers: Headers): Method {
  return method({
    decode: decodeLeaseRevoke,
    async handle(command) {
      const { revision } = await engine.propose(command)
      return encodeHeaderOnly(headers.encoded(revision))
    },
  })
}

function timeToLive(engine: Engine, headers: Headers): Method {
  return coldMethod(LeaseTimeToLiveRequestSchema, LeaseTimeToLiveResponseSchema, ({ ID, keys }) =>
    engine.read(false, () => {
      const status = engine.leaseStatus(ID)
      const header = headers.message()
      if (status === undefined) return { header, ID, TTL: NO_SUCH_LEASE }
      return {
        header,
        ID,
        TTL: BigInt(status.remainingSeconds),
        grantedTTL: BigInt(status.grantedTtl),
        keys: keys ? status.keys.map(bytesFromKey) : [],
      }
    }),
  )
}

function leases(engine: Engine, headers: Headers): Method {
  return coldMethod(LeaseLeasesRequestSchema, LeaseLeasesResponseSchema, () => ({
    header: headers.message(),
    leases: engine.leaseIds().map((ID) => ({ ID })),
  }))
}

type KeepAliveAnswer = MessageInitShape<typeof LeaseKeepAliveResponseSchema>

function keepAlive(engine: Engine, headers: Headers): Method {
  return stream<bigint, KeepAliveAnswer>({
    decode: (bytes) => fromBinary(LeaseKeepAliveRequestSchema, bytes).ID,
    encode: (answer) => toBinary(LeaseKeepAliveResponseSchema, create(LeaseKeepAliveResponseSchema, answer)),
    open: (out) => keepAliveHandler(engine, headers, out),
  })
}

function keepAliveHandler(engine: Engine, headers: Headers, out: ServerStream<KeepAliveAnswer>): StreamHandler<bigint> {
  return {
    async message(ID) {
      // Before the renewal: a lease revoked at revision 3 must not be seen alive in an answer that says 4.
      const header = headers.message()
      try {
        const ttl = await engine.keepAlive(ID)
        out.send({ header, ID, TTL: BigInt(ttl ?? 0) })
      } catch (error) {
        const failure = toRpcError(error)
        if (!(failure instanceof RpcError)) throw error
        out.fail(failure)
      }
    },
    halfClosed: () => out.end(),
    drained: () => undefined,
    closed: () => undefined,
  }
}
