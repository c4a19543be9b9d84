/** Every kind of permission against every kind of request, for ranges that lie in every way to what is granted. */
import { create } from '@bufbuild/protobuf'
import { Auth, KV, Lease } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { Permission_Type } from '../../proto/gen/authpb/auth_pb.js'
import { AuthUsers } from './auth-users.ts'
import { keepAliveOnce } from './keep-alive-once.ts'
import type { Pair } from './pair.ts'
import type { Phase } from './phase.ts'
import { WatchPair } from './watch-pair.ts'

const { READ, WRITE, READWRITE } = Permission_Type
type Grant = readonly [Permission_Type, string, string]

/** User and role, and what the role may do. */
const GRANTS: Readonly<Record<string, readonly Grant[]>> = {
  'reads a range': [[READ, 'm/b', 'm/d']],
  'writes a range': [[WRITE, 'm/b', 'm/d']],
  'does both to ranges that touch': [
    [READWRITE, 'm/a', 'm/c'],
    [READWRITE, 'm/c', 'm/e'],
  ],
  'does both to ranges with a gap': [
    [READWRITE, 'm/a', 'm/b'],
    [READWRITE, 'm/c', 'm/d'],
  ],
  'reads more than it writes': [
    [READ, 'm/a', 'm/e'],
    [WRITE, 'm/b', 'm/c'],
  ],
  'does both to one key': [[READWRITE, 'm/b', '']],
  'does both to all from a key on': [[READWRITE, 'm/c', '\0']],
  'does both to everything': [[READWRITE, '\0', '\0']],
  'may do nothing': [],
}

const RANGES: readonly (readonly [string, string])[] = [
  ['m/b', ''],
  ['m/d', ''],
  ['m/b', 'm/d'],
  ['m/a', 'm/d'],
  ['m/b', 'm/e'],
  ['m/a', 'm/e'],
  ['m/b', 'm/b\0'],
  ['m/c', '\0'],
  ['m/a', '\0'],
  ['\0', '\0'],
]

const LEASE = 777n

export const permissionMatrix: Phase = async ({ pair }) => {
  const users = new AuthUsers(pair)
  const names = Object.keys(GRANTS)
  for (const [name, grants] of Object.entries(GRANTS)) await grant(pair, users, name, grants)
  await users.enable()
  await users.asRoot(async () => {
    await pair.call(Lease.method.leaseGrant, create(Lease.method.leaseGrant.input, { ID: LEASE, TTL: 5000n }))
    for (const key of ['m/a', 'm/b', 'm/c', 'm/d']) await put(pair, key, 'm/c' === key ? LEASE : 0n)
  })
  for (const name of names) await users.authenticate(name, name)
  for (const name of [...names, undefined]) {
    await users.as(name, async () => {
      for (const [key, rangeEnd] of RANGES) await everyRequest(pair, Buffer.from(key), Buffer.from(rangeEnd))
    })
    await users.asRoot(async () => {
      for (const key of ['m/a', 'm/b', 'm/c', 'm/d']) await put(pair, key, 'm/c' === key ? LEASE : 0n)
    })
  }
  await users.disable()
}

async function grant(pair: Pair, users: AuthUsers, name: string, grants: readonly Grant[]): Promise<void> {
  await users.add({ name, password: name })
  await pair.call(Auth.method.roleAdd, create(Auth.method.roleAdd.input, { name }))
  for (const [permType, key, rangeEnd] of grants) {
    const perm = { permType, key: Buffer.from(key), rangeEnd: Buffer.from(rangeEnd) }
    await pair.call(Auth.method.roleGrantPermission, create(Auth.method.roleGrantPermission.input, { name, perm }))
  }
  await users.grantRole(name, name)
}

async function put(pair: Pair, key: string, lease: bigint): Promise<void> {
  const value = Buffer.from('v')
  await pair.call(KV.method.put, create(KV.method.put.input, { key: Buffer.from(key), value, lease }))
}

async function everyRequest(pair: Pair, key: Buffer, rangeEnd: Buffer): Promise<void> {
  const range = { key, rangeEnd }
  const value = Buffer.from('w')
  const { method } = KV
  await pair.call(method.range, create(method.range.input, range))
  await pair.call(method.range, create(method.range.input, { ...range, serializable: true, countOnly: true }))
  if (rangeEnd.length === 0) {
    for (const prevKv of [false, true]) await pair.call(method.put, create(method.put.input, { key, value, prevKv }))
    await pair.call(method.put, create(method.put.input, { key, value, lease: LEASE }))
  }
  const operations = [
    { request: { case: 'requestRange' as const, value: range } },
    { request: { case: 'requestPut' as const, value: { key, value, prevKv: true } } },
    { request: { case: 'requestDeleteRange' as const, value: { ...range, prevKv: true } } },
  ]
  const never = { key: Buffer.from('m/b'), target: 0, targetUnion: { case: 'version' as const, value: -1n } }
  await pair.call(method.txn, create(method.txn.input, { compare: [range] }))
  for (const operation of operations) {
    const success = [operation]
    // It does not run, and is asked about all the same.
    await pair.call(method.txn, create(method.txn.input, { compare: [never], success }))
    const nested = [{ request: { case: 'requestTxn' as const, value: { success } } }]
    await pair.call(method.txn, create(method.txn.input, { compare: [never], success: nested }))
    await pair.call(method.txn, create(method.txn.input, { compare: [never], failure: success }))
  }
  for (const prevKv of [true, false]) {
    await pair.call(method.deleteRange, create(method.deleteRange.input, { ...range, prevKv }))
  }
  const stream = new WatchPair(pair, 'matrix')
  await stream.create(range)
  stream.close()
  await pair.call(Lease.method.leaseTimeToLive, create(Lease.method.leaseTimeToLive.input, { ID: LEASE, keys: true }))
  await pair.call(Lease.method.leaseLeases, create(Lease.method.leaseLeases.input))
  await keepAliveOnce(pair, LEASE)
}
