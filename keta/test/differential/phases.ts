/** The phases of a session: each stresses one side of the API, on the state that the earlier ones left. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { setTimeout as delay } from 'node:timers/promises'
import {
  AlarmRequest_AlarmAction,
  AlarmRequestSchema,
  AlarmType,
  HashResponseSchema,
  KV,
  Lease,
  LeaseGrantRequestSchema,
  Maintenance,
  PutRequestSchema,
  RangeRequestSchema,
  RangeResponseSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { HealthCheckResponseSchema } from '../../proto/gen/health/health_pb.js'
import { authPhase } from './auth-phase.ts'
import { permissionMatrix } from './permission-matrix.ts'
import { downgrades, members } from './administration.ts'
import { elections, locks } from './recipes.ts'
import type { Session } from './session.ts'
import type { Phase } from './phase.ts'
import * as steps from './steps.ts'
import { WatchPair } from './watch-pair.ts'

type Weighted = readonly (readonly [number, steps.Step])[]

export const PHASES: Readonly<Record<string, Phase>> = {
  'small key space': random([
    [10, steps.reads],
    [20, steps.put],
    [6, steps.remove],
    [6, steps.txn],
    [1, steps.compaction],
  ]),
  transactions: random([
    [4, steps.reads],
    [4, steps.put],
    [20, steps.txn],
    [1, steps.largeTxn],
    [1, steps.deletesTxn],
    [1, steps.lease],
  ]),
  leases: random([
    [4, steps.reads],
    [10, steps.put],
    [12, steps.lease],
    [2, steps.txn],
  ]),
  watches: random([
    [3, steps.reads],
    [20, steps.put],
    [5, steps.remove],
    [8, steps.txn],
    [4, steps.watch],
    [2, steps.unwatch],
    [1, steps.lease],
    [1, steps.settle],
  ]),
  'watches and compactions': random([
    [20, steps.put],
    [4, steps.txn],
    [4, steps.watch],
    [1, steps.compaction],
  ]),
  'many watches on one stream': fanOut,
  'large values': largeValues,
  'malformed requests': malformed,
  alarms,
  'users and permissions': authPhase,
  'permission matrix': permissionMatrix,
  locks: (session, requests) => locks(session, requests / 3),
  elections: (session, requests) => elections(session, requests / 3),
  members,
  downgrades,
  'everything at once': random([
    [10, steps.reads],
    [10, steps.put],
    [3, steps.remove],
    [8, steps.txn],
    [3, steps.lease],
    [2, steps.watch],
    [1, steps.unwatch],
    [1, steps.compaction],
  ]),
  'leases that expire': expiry,
}

const NUL = Buffer.from([0])
const EMPTY = Buffer.alloc(0)

function random(choices: Weighted): Phase {
  return async (session, requests) => {
    const last = session.pair.requests + requests
    while (session.pair.requests < last) await session.random.weighted(choices)(session)
  }
}

async function fanOut(session: Session, requests: number): Promise<void> {
  const stream = new WatchPair(session.pair, 'fan-out')
  const count = Math.min(150, Math.ceil(requests / 4))
  for (let i = 0; i < count; i++) {
    const past = session.random.oneIn(3) ? session.pair.world.compacted + 1n : 0n
    await stream.create({
      key: Buffer.from('t/'),
      rangeEnd: Buffer.from('t0'),
      startRevision: past,
      prevKv: i % 2 === 0,
    })
  }
  await random([
    [3, steps.put],
    [1, steps.remove],
    [1, steps.txn],
  ])(session, count)
  await stream.settle()
  stream.close()
}

/** Around the limits of requests and messages; then watches whose answers need several fragments. */
async function largeValues(session: Session): Promise<void> {
  const { pair } = session
  const startRevision = pair.world.revision + 1n
  for (let i = 0; i < 12; i++) await steps.hugePut(session)
  for (let i = 0; i < 8; i++) {
    const value = Buffer.alloc(700_000 + i, 'f')
    await pair.call(KV.method.put, create(PutRequestSchema, { key: Buffer.from(`large/${i % 3}`), value }))
  }
  const stream = new WatchPair(pair, 'large')
  for (const fragment of [true, false]) {
    await stream.create({ key: NUL, rangeEnd: NUL, startRevision, fragment, prevKv: true })
  }
  const value = Buffer.alloc(350_000, 'g')
  for (let i = 0; i < 3; i++) {
    const success = [0, 1, 2, 3].map((n) => ({
      request: { case: 'requestPut' as const, value: { key: Buffer.from(`large/${n}`), value } },
    }))
    await pair.call(KV.method.txn, create(KV.method.txn.input, { success }))
  }
  await stream.settle()
  stream.close()
  const large = { key: Buffer.from('large/'), rangeEnd: Buffer.from('large0') }
  await pair.call(KV.method.range, create(RangeRequestSchema, large))
  await pair.call(KV.method.deleteRange, create(KV.method.deleteRange.input, { ...large, prevKv: true }))
}

async function malformed({ pair, random: choices }: Session): Promise<void> {
  const range = '/etcdserverpb.KV/Range'
  for (const path of [
    '/etcdserverpb.KV/Nope',
    '/etcdserverpb.Nope/Range',
    '/Nope/Nope',
    '/grpc.health.v1.Health/Nope',
  ]) {
    await pair.callRaw(path, EMPTY, RangeResponseSchema)
  }
  await pair.callRaw('/grpc.health.v1.Health/Check', EMPTY, HealthCheckResponseSchema)
  await pair.callRaw('/grpc.health.v1.Health/Check', Buffer.from('0a046e6f7065', 'hex'), HealthCheckResponseSchema)
  await pair.callRaw('/etcdserverpb.Maintenance/Hash', EMPTY, HashResponseSchema)
  for (const hex of ['0a', '0a05', '0a0161ff', '08', '0aff', '0a01617f', '22', '0affffffff0f', '07', '0a016112']) {
    await pair.callRaw(range, Buffer.from(hex, 'hex'), RangeResponseSchema, true)
  }
  const valid = Buffer.from(
    toBinary(RangeRequestSchema, create(RangeRequestSchema, { key: Buffer.from('a'), limit: 300n })),
  )
  for (let i = 0; i < 60; i++) {
    const bytes = Buffer.from(valid)
    bytes[choices.below(bytes.length)] = choices.below(256)
    await pair.callRaw(range, bytes.subarray(0, 1 + choices.below(bytes.length)), RangeResponseSchema, true)
  }
  const unknownField = Buffer.concat([valid, Buffer.from('f20604deadbeef', 'hex')])
  await pair.callRaw(range, unknownField, RangeResponseSchema)
  await pair.callRaw(range, Buffer.concat([valid, valid]), RangeResponseSchema)
}

async function alarms(session: Session, requests: number): Promise<void> {
  const { pair } = session
  const writes = random([
    [3, steps.put],
    [2, steps.remove],
    [4, steps.txn],
    [3, steps.lease],
    [1, steps.reads],
    [1, steps.compaction],
  ])
  const { GET, ACTIVATE, DEACTIVATE } = AlarmRequest_AlarmAction
  const alarm = (action: AlarmRequest_AlarmAction, type: AlarmType, memberID = 0n) =>
    pair.call(Maintenance.method.alarm, create(AlarmRequestSchema, { action, alarm: type, memberID }))
  for (const type of [AlarmType.NOSPACE, AlarmType.CORRUPT]) {
    for (const member of [77n, 77n, 78n]) await alarm(ACTIVATE, type, member)
    for (const asked of [AlarmType.NONE, AlarmType.NOSPACE, AlarmType.CORRUPT]) await alarm(GET, asked)
    await writes(session, Math.ceil(requests / 4))
    await session.compareStates()
    await alarm(DEACTIVATE, type, 77n)
    await writes(session, Math.ceil(requests / 8))
    for (const member of [79n, 78n, 78n]) await alarm(DEACTIVATE, type, member)
    await alarm(GET, AlarmType.NONE)
    await writes(session, Math.ceil(requests / 8))
  }
}

/** Leases end one after the other, each far enough from the next that their order is certain. */
async function expiry({ pair, leases }: Session): Promise<void> {
  const lifetimes = [
    { id: 9001n, ttl: 2n, keys: ['expiring/c', 'expiring/a', 'expiring/b'] },
    { id: 9002n, ttl: 5n, keys: ['expiring/d', 'expiring/e'] },
    { id: 9003n, ttl: 600n, keys: ['expiring/f'] },
  ]
  for (const { id, ttl, keys } of lifetimes) {
    await pair.call(Lease.method.leaseGrant, create(LeaseGrantRequestSchema, { ID: id, TTL: ttl }))
    for (const key of keys) {
      await pair.call(KV.method.put, create(PutRequestSchema, { key: Buffer.from(key), value: EMPTY, lease: id }))
    }
  }
  await leases.keepAlive(9002n)
  const ended = pair.world.revision + 2n
  const request = toBinary(RangeRequestSchema, create(RangeRequestSchema, { key: NUL }))
  const deadline = performance.now() + 20_000
  const hasEnded = async (): Promise<boolean> => {
    const answers = await pair.send('/etcdserverpb.KV/Range', request)
    return answers.every((answer) => answer.ok && revisionOf(answer.bytes) >= ended)
  }
  while (!(await hasEnded()) && performance.now() < deadline) await delay(100)
  await pair.call(
    KV.method.range,
    create(RangeRequestSchema, { key: Buffer.from('expiring/'), rangeEnd: Buffer.from('expiring0') }),
  )
  for (const { id } of lifetimes) await leases.keepAlive(id)
}

function revisionOf(rangeResponse: Uint8Array): bigint {
  return fromBinary(RangeResponseSchema, rangeResponse).header?.revision ?? 0n
}
