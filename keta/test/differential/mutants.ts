/** Wrong servers: each is a real etcd whose answers are altered in one way that the comparison must notice. */
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import {
  AlarmResponseSchema,
  AuthenticateResponseSchema,
  AuthRoleGetResponseSchema,
  AuthStatusResponseSchema,
  AuthUserGetResponseSchema,
  AuthUserGrantRoleResponseSchema,
  AuthUserListResponseSchema,
  CompactionResponseSchema,
  DeleteRangeResponseSchema,
  HashKVResponseSchema,
  LeaseGrantResponseSchema,
  LeaseKeepAliveResponseSchema,
  LeaseLeasesResponseSchema,
  LeaseTimeToLiveResponseSchema,
  PutResponseSchema,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  RangeRequestSchema,
  RangeResponseSchema,
  ResponseHeaderSchema,
  TxnResponseSchema,
  type WatchResponse,
  WatchResponseSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import type { KeyValue } from '../../proto/gen/mvccpb/kv_pb.js'
import type { Answer, Connection } from './connection.ts'
import type { PHASES } from './phases.ts'

export interface Mutant {
  readonly name: string
  /** The phase that must notice it. */
  readonly phase: keyof typeof PHASES
  readonly unary?: (path: string, answer: Answer, request: Uint8Array) => Answer
  /** The messages to deliver instead of one. */
  readonly stream?: (path: string, message: Uint8Array) => readonly Uint8Array[]
}

const AUTH = 'users and permissions'

export const MUTANTS: readonly Mutant[] = [
  unary('a count that is 1 too small', 'small key space', RangeResponseSchema, '/Range', (answer) => {
    if (answer.count > 1n) answer.count--
  }),
  unary('no sign that there is more', 'small key space', RangeResponseSchema, '/Range', (answer) => {
    answer.more = false
  }),
  unary('a version that is 1 too large', 'small key space', RangeResponseSchema, '/Range', (answer) => {
    for (const kv of answer.kvs) if (kv.version > 1n) kv.version++
  }),
  unary('keys without their lease', 'leases', RangeResponseSchema, '/Range', (answer) => {
    for (const kv of answer.kvs) kv.lease = 0n
  }),
  { name: 'a stable sort', phase: 'everything at once', unary: sortStably },
  unary('a put without its previous version', 'small key space', PutResponseSchema, '/Put', (answer) => {
    delete answer.prevKv
  }),
  unary('a put at the next revision', 'small key space', PutResponseSchema, '/Put', (answer) => {
    if (answer.header) answer.header.revision++
  }),
  unary('headers without the cluster', 'small key space', PutResponseSchema, '/Put', (answer) => {
    if (answer.header) answer.header.clusterId = 0n
  }),
  unary('a header in an inner transaction', 'transactions', TxnResponseSchema, '/Txn', (answer) => {
    for (const { response } of answer.responses) {
      if (response.case === 'responseTxn') response.value.header = create(ResponseHeaderSchema, { revision: 1n })
    }
  }),
  unary('the other branch', 'transactions', TxnResponseSchema, '/Txn', (answer) => {
    if (answer.responses.length === 0) answer.succeeded = !answer.succeeded
  }),
  failure('the wrong error text', 'small key space', (answer) => ({ ...answer, text: answer.text.toUpperCase() })),
  failure('the wrong error code', 'small key space', (answer) => ({ ...answer, code: answer.code === 11 ? 3 : 11 })),
  unary('a hash that differs in one bit', 'small key space', HashKVResponseSchema, '/HashKV', (answer) => {
    answer.hash ^= 1
  }),
  unary('a lease without one of its keys', 'leases', LeaseTimeToLiveResponseSchema, '/LeaseTimeToLive', (answer) => {
    answer.keys.pop()
  }),
  unary('a lease that ends 2 s early', 'leases', LeaseTimeToLiveResponseSchema, '/LeaseTimeToLive', (answer) => {
    answer.TTL -= 2n
  }),
  unary('a negative chosen lease id', 'leases', LeaseGrantResponseSchema, '/LeaseGrant', (answer) => {
    if (answer.ID > 2n ** 32n) answer.ID = -answer.ID
  }),
  stream('a dead lease that lives', 'leases', LeaseKeepAliveResponseSchema, '/LeaseKeepAlive', (answer) => {
    if (answer.TTL === 0n) answer.TTL = 1n
    return [answer]
  }),
  watchEvents('a skipped event', (answer) => [{ ...answer, events: answer.events.slice(1) }]),
  watchEvents('an event that comes twice', (answer) => [answer, answer]),
  watchEvents('events of a revision in another order', (answer) => [{ ...answer, events: answer.events.toReversed() }]),
  watchEvents('a revision in two answers', (answer) =>
    answer.events.length < 2 ? [answer] : answer.events.map((event) => ({ ...answer, events: [event] })),
  ),
  watchEvents('events without the previous version', (answer) => {
    for (const event of answer.events) delete event.prevKv
    return [answer]
  }),
  watchAnswers('a cancellation without its reason', (answer) => [{ ...answer, cancelReason: '' }]),
  watchAnswers('a cancellation that does not say where history starts', (answer) => [
    { ...answer, compactRevision: 0n },
  ]),
  watchAnswers('a watch created at the next revision', (answer) => {
    if (answer.created && answer.header) answer.header.revision++
    return [answer]
  }),
  watchAnswers('another watch id', (answer) => [{ ...answer, watchId: answer.watchId === 3n ? 4n : answer.watchId }]),
  permitting('a read that needs no permission', 'permission matrix', RangeResponseSchema, '/Range'),
  permitting('a put that needs no permission', 'permission matrix', PutResponseSchema, '/Put'),
  permitting('a delete that needs no permission', 'permission matrix', DeleteRangeResponseSchema, '/DeleteRange'),
  permitting('a transaction that needs no permission', 'permission matrix', TxnResponseSchema, '/Txn'),
  permitting("a lease's keys for everybody", 'permission matrix', LeaseTimeToLiveResponseSchema, '/LeaseTimeToLive'),
  permitting('leases for everybody', 'permission matrix', LeaseLeasesResponseSchema, '/LeaseLeases'),
  permitting('a user who makes herself root', AUTH, AuthUserGrantRoleResponseSchema, '/UserGrantRole'),
  permitting('users for everybody', AUTH, AuthUserListResponseSchema, '/UserList'),
  permitting('another user for everybody', AUTH, AuthUserGetResponseSchema, '/UserGet'),
  permitting('a compaction for everybody', AUTH, CompactionResponseSchema, '/Compact'),
  permitting('hashes for everybody', AUTH, HashKVResponseSchema, '/HashKV'),
  permitting('a password that need not be right', AUTH, AuthenticateResponseSchema, '/Authenticate', 3),
  failure('a bad token that is only denied', AUTH, (answer) =>
    answer.code === 16 ? { ...answer, code: 7, text: 'etcdserver: permission denied' } : answer,
  ),
  failure('nobody who is only denied', AUTH, (answer) =>
    answer.text.endsWith('user name is empty') ? { ...answer, code: 7 } : answer,
  ),
  unary('an auth revision that is 1 too large', AUTH, AuthStatusResponseSchema, '/AuthStatus', (answer) => {
    answer.authRevision++
  }),
  unary('a user with a role too few', AUTH, AuthUserGetResponseSchema, '/UserGet', (answer) => {
    answer.roles.pop()
  }),
  unary('permissions in another order', AUTH, AuthRoleGetResponseSchema, '/RoleGet', (answer) => {
    answer.perm.reverse()
  }),
  stream('a watch that everybody may create', 'permission matrix', WatchResponseSchema, '/Watch', (answer) => {
    if (!answer.cancelReason.includes('PermissionDenied')) return [answer]
    return [{ ...answer, watchId: 0n, canceled: false, cancelReason: '' }]
  }),
  stream('a refused watch without etcd’s reason', 'permission matrix', WatchResponseSchema, '/Watch', (answer) => {
    answer.cancelReason = answer.cancelReason.replace(/^rpc error: .* desc = /, '')
    return [answer]
  }),
  unary('one alarm too few', 'alarms', AlarmResponseSchema, '/Alarm', (answer) => {
    answer.alarms.pop()
  }),
]

/** The phase with users of all kinds. */
export const AUTH_PHASES: readonly string[] = [AUTH, 'permission matrix']

/** The connection of a wrong server. */
export function mutated(connection: Connection, mutant: Mutant): Connection {
  const { unary: alter, stream: alterMessage } = mutant
  return {
    ...connection,
    name: `${connection.name} with ${mutant.name}`,
    unary: async (path, bytes, token) => {
      const answer = await connection.unary(path, bytes, token)
      return alter ? alter(path, answer, bytes) : answer
    },
    stream: (path, handlers, token) => {
      const onMessage = (bytes: Uint8Array): void => {
        for (const message of alterMessage ? alterMessage(path, bytes) : [bytes]) handlers.onMessage(message)
      }
      return connection.stream(path, { ...handlers, onMessage }, token)
    },
  }
}

function unary<S extends DescMessage>(
  name: string,
  phase: string,
  schema: S,
  method: string,
  alter: (answer: MessageShape<S>) => void,
): Mutant {
  return {
    name,
    phase,
    unary: (path, answer) => {
      if (!path.endsWith(method) || !answer.ok) return answer
      const message = fromBinary(schema, answer.bytes)
      alter(message)
      return { ok: true, bytes: toBinary(schema, message) }
    },
  }
}

function failure(name: string, phase: string, alter: (answer: Answer & { ok: false }, path: string) => Answer): Mutant {
  return { name, phase, unary: (path, answer) => (answer.ok ? answer : alter(answer, path)) }
}

/** What should be refused is answered, as if there were nothing. @param code of the refusal: PERMISSION_DENIED */
function permitting(name: string, phase: string, schema: DescMessage, method: string, code = 7): Mutant {
  const bytes = toBinary(schema, create(schema))
  return failure(name, phase, (answer, path) =>
    path.endsWith(method) && answer.code === code ? { ok: true, bytes } : answer,
  )
}

function stream<S extends DescMessage>(
  name: string,
  phase: string,
  schema: S,
  method: string,
  alter: (answer: MessageShape<S>) => readonly MessageShape<S>[],
): Mutant {
  return {
    name,
    phase,
    stream: (path, bytes) =>
      path.endsWith(method) ? alter(fromBinary(schema, bytes)).map((message) => toBinary(schema, message)) : [bytes],
  }
}

function watchEvents(name: string, alter: (answer: WatchResponse) => readonly WatchResponse[]): Mutant {
  return stream(name, 'watches', WatchResponseSchema, '/Watch', (answer) =>
    answer.events.length > 0 ? alter(answer) : [answer],
  )
}

function watchAnswers(name: string, alter: (answer: WatchResponse) => readonly WatchResponse[]): Mutant {
  return stream(name, 'watches and compactions', WatchResponseSchema, '/Watch', (answer) =>
    answer.created || answer.canceled ? alter(answer) : [answer],
  )
}

/** Equal elements stay in the order of their keys, as they would with any stable sort. */
function sortStably(path: string, answer: Answer, request: Uint8Array): Answer {
  if (!path.endsWith('/Range') || !answer.ok) return answer
  const { sortTarget, sortOrder, limit, keysOnly } = fromBinary(RangeRequestSchema, request)
  const message = fromBinary(RangeResponseSchema, answer.bytes)
  if (limit > 0n || sortTarget === RangeRequest_SortTarget.KEY || keysOnly) return answer
  const field = (kv: KeyValue): string | bigint =>
    [kv.version, kv.createRevision, kv.modRevision, Buffer.from(kv.value).toString('latin1')][sortTarget - 1] ?? 0n
  const compare = <T>(a: T, b: T): number => (a < b ? -1 : Number(a > b))
  message.kvs.sort((a, b) => Buffer.compare(a.key, b.key))
  message.kvs.sort((a, b) =>
    sortOrder === RangeRequest_SortOrder.DESCEND ? compare(field(b), field(a)) : compare(field(a), field(b)),
  )
  return { ok: true, bytes: toBinary(RangeResponseSchema, message) }
}
