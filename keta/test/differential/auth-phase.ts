/** Random users, roles and permissions, and random requests of everybody, with tokens that are good, old or none. */
import { create, type DescMessage, type DescMethodUnary, type MessageInitShape } from '@bufbuild/protobuf'
import {
  AlarmRequest_AlarmAction,
  Auth,
  Cluster,
  KV,
  Lease,
  Maintenance,
  type RequestOpSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { type Permission_Type } from '../../proto/gen/authpb/auth_pb.js'
import { AuthUsers, ROOT } from './auth-users.ts'
import { keepAliveOnce } from './keep-alive-once.ts'
import type { Phase } from './phase.ts'
import type { Random } from './random.ts'
import type { Session } from './session.ts'
import { WatchPair } from './watch-pair.ts'

const USERS = ['alice', 'bob', 'carol', 'dave', 'ünal']
const ROLES = ['r1', 'r2', 'r3', ROOT]
const PASSWORDS = ['one', 'two', 'three', '', 'p'.repeat(72), 'ü\0']
const TOO_LONG = 'p'.repeat(73)
const LEASES = [31n, 32n]
const EMPTY = Buffer.alloc(0)
const NUL = Buffer.from([0])
const KEYS = ['a', 'a/1', 'a/2', 'b', 'b/1', 'c', 'd'].map((key) => Buffer.from(key))

type Step = (context: Context) => Promise<unknown>

interface Context extends Session {
  readonly users: AuthUsers
}

export const authPhase: Phase = async (session, requests) => {
  const users = new AuthUsers(session.pair)
  const context: Context = Object.assign(Object.create(session) as Session, { users })
  const { pair, random } = session
  await people(context)
  await users.enable()
  await everybodyLogsIn(users)
  const last = pair.requests + requests
  while (pair.requests < last) {
    const user = random.weighted([
      [6, ROOT],
      [8, random.pick(USERS)],
      [1, undefined],
    ])
    await users.as(user, () => step(random)(context))
  }
  await users.disable()
  for (let i = 0; i < 10; i++) await changes(context)
}

/** Somebody of everything, while auth is off. */
async function people(context: Context): Promise<void> {
  const { random, users } = context
  for (const name of ROLES) await call(context, Auth.method.roleAdd, { name })
  for (const name of USERS) {
    await users.add({ name, password: random.pick(PASSWORDS) })
    for (const role of ['r1', 'r2', 'r3']) if (random.oneIn(2)) await users.grantRole(name, role)
  }
  for (let i = 0; i < 12; i++) await grant(context, random.pick(ROLES))
}

async function everybodyLogsIn(users: AuthUsers): Promise<void> {
  for (const name of USERS) await users.authenticate(name, users.passwords.get(name) ?? '')
}

function step(random: Random): Step {
  return random.weighted<Step>([
    [14, changes],
    [8, logIn],
    [8, questions],
    [40, keyValues],
    [16, leases],
    [6, watches],
    [6, administration],
    [random.oneIn(4) ? 1 : 0, onAndOff],
  ])
}

async function call<I extends DescMessage, O extends DescMessage>(
  { pair }: Context,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
) {
  return pair.call(method, create(method.input, request))
}

/** A range that holds keys, or might: what a tree makes of a range that ends before it starts is its own business. */
function anyRange(random: Random): { readonly key: Buffer; readonly rangeEnd: Buffer } {
  const [key, end] = [random.pick(KEYS), random.pick(KEYS)].sort(Buffer.compare)
  if (key === undefined || end === undefined) throw new RangeError('two keys gave fewer')
  return random.weighted([
    [5, { key, rangeEnd: EMPTY }],
    [5, { key, rangeEnd: end }],
    [2, { key, rangeEnd: NUL }],
    [1, { key: NUL, rangeEnd: NUL }],
  ])
}

const changes: Step = async (context) => {
  const { random, users } = context
  const name = random.oneIn(25) ? '' : random.pick([...USERS, ...USERS, ROOT])
  const role = random.oneIn(25) ? '' : random.pick(ROLES)
  const password = random.oneIn(20) ? TOO_LONG : random.pick(PASSWORDS)
  const { method } = Auth
  switch (random.below(14)) {
    case 0:
    case 1:
    case 2:
      return users.add({ name, password, ...(random.oneIn(6) && { options: { noPassword: true } }) })
    case 3:
      return random.oneIn(2) && call(context, method.userDelete, { name })
    case 4:
      // Root's stays, or nobody could go on.
      if (name === ROOT) return
      users.passwords.set(name, password)
      return call(context, method.userChangePassword, { name, password, hashedPassword: random.pick(['', '', '%']) })
    case 5:
    case 6:
    case 7:
      return call(context, method.userGrantRole, { user: name, role: role === ROOT && name !== ROOT ? 'r1' : role })
    case 8:
      return call(context, method.userRevokeRole, { name, role })
    case 9:
      return call(context, method.roleAdd, { name: role })
    case 10:
      return random.oneIn(3) && call(context, method.roleDelete, { role })
    case 11:
      return call(context, method.roleRevokePermission, { role, ...anyRange(random) })
    default:
      return grant(context, role)
  }
}

async function grant(context: Context, name: string): Promise<void> {
  const { random } = context
  const permType = random.oneIn(30) ? (7 as Permission_Type) : random.pick([0, 1, 2])
  const range = random.oneIn(20) ? { key: Buffer.from('b'), rangeEnd: Buffer.from('a') } : anyRange(random)
  const perm = random.oneIn(30) ? undefined : { permType, ...range }
  await call(context, Auth.method.roleGrantPermission, { name, ...(perm && { perm }) })
}

const logIn: Step = async ({ random, users }) => {
  const name = random.oneIn(15) ? 'nobody' : random.pick([...USERS, ROOT])
  const password = random.oneIn(8) ? 'wrong' : (users.passwords.get(name) ?? '')
  await users.authenticate(name, password)
}

const questions: Step = async (context) => {
  const { random } = context
  const { method } = Auth
  switch (random.below(6)) {
    case 0:
      return call(context, method.authStatus, {})
    case 1:
      return call(context, method.userList, {})
    case 2:
      return call(context, method.roleList, {})
    case 3:
      return call(context, method.roleGet, { role: random.pick(ROLES) })
    default:
      return call(context, method.userGet, { name: random.pick([...USERS, ROOT, 'nobody', '']) })
  }
}

const keyValues: Step = async (context) => {
  const { random } = context
  const range = anyRange(random)
  const prevKv = random.oneIn(3)
  const put = { key: range.key, value: Buffer.from('v'), prevKv, lease: random.oneIn(3) ? random.pick(LEASES) : 0n }
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      return call(context, KV.method.put, put)
    case 3:
    case 4:
      return call(context, KV.method.range, { ...range, serializable: random.oneIn(3) })
    case 5:
      return call(context, KV.method.deleteRange, { ...range, prevKv })
    default: {
      const other = anyRange(random)
      const operations = [
        { request: { case: 'requestRange', value: other } },
        { request: { case: 'requestPut', value: put } },
        { request: { case: 'requestDeleteRange', value: { ...other, prevKv } } },
        { request: { case: 'requestTxn', value: { success: [{ request: { case: 'requestRange', value: other } }] } } },
      ] satisfies MessageInitShape<typeof RequestOpSchema>[]
      return call(context, KV.method.txn, {
        compare: random.oneIn(2) ? [{ key: random.pick(KEYS), rangeEnd: random.oneIn(3) ? NUL : EMPTY }] : [],
        success: random.oneIn(2) ? [random.pick(operations)] : [],
        failure: random.oneIn(2) ? [random.pick(operations)] : [],
      })
    }
  }
}

const leases: Step = async (context) => {
  const { random } = context
  const ID = random.oneIn(10) ? 99n : random.pick(LEASES)
  const { method } = Lease
  switch (random.below(7)) {
    case 0:
    case 1:
      return call(context, method.leaseGrant, { ID, TTL: 5000n })
    case 2:
      return call(context, method.leaseRevoke, { ID })
    case 3:
      return keepAliveOnce(context.pair, ID)
    case 4:
      return call(context, method.leaseLeases, {})
    default:
      return call(context, method.leaseTimeToLive, { ID, keys: random.oneIn(2) })
  }
}

const watches: Step = async ({ pair, random }) => {
  const stream = new WatchPair(pair, 'of a user')
  await stream.create({ ...anyRange(random), startRevision: random.oneIn(8) ? -1n : 0n })
  if (random.oneIn(4)) await stream.create({ key: EMPTY, rangeEnd: NUL })
  stream.close()
}

const administration: Step = async (context) => {
  const { random, pair } = context
  const { GET, DEACTIVATE } = AlarmRequest_AlarmAction
  switch (random.below(8)) {
    case 0:
      return call(context, Maintenance.method.status, {})
    case 1:
      return call(context, Maintenance.method.alarm, { action: random.oneIn(2) ? GET : DEACTIVATE, alarm: 1 })
    case 2:
      return call(context, Maintenance.method.hash, {})
    case 3:
      return call(context, Maintenance.method.hashKV, {})
    case 4:
      return call(context, Maintenance.method.defragment, {})
    case 5:
      // A future revision: so nothing is compacted, but root is told something else than the others.
      return call(context, KV.method.compact, { revision: pair.world.revision + 1000n })
    case 6:
      return random.oneIn(2) && call(context, Maintenance.method.moveLeader, { targetID: 12345n })
    default:
      return call(context, Cluster.method.memberList, { linearizable: random.oneIn(2) })
  }
}

const onAndOff: Step = async (context) => {
  const { users } = context
  const { method } = Auth
  await users.as(context.random.pick(USERS), () => call(context, method.authDisable, {}))
  await users.asRoot(() => call(context, method.authDisable, {}))
  await questions(context)
  await call(context, method.authEnable, {})
  // Tokens ended with it.
  await users.asRoot(() => call(context, method.authStatus, {}))
  await users.enable()
  await everybodyLogsIn(users)
}
