/**
 * Who may call what while auth is on: one entry for each method of the server. A method without an entry is root's
 * alone. The rules are etcd's.
 */
import { RequestFailure } from '../command/failure.ts'
import type { Access } from '../engine/api.ts'
import type { Method, ServiceTable, StreamMethod, UnaryMethod } from '../transport/transport.ts'
import { toRpcError, translated } from './errors.ts'
import type { Caller, Callers } from './callers.ts'
import type { Call } from '../transport/transport.ts'

export type AccessRule =
  /** Also without a token. */
  | 'anybody'
  /** Every user who says who it is. */
  | 'somebody'
  /** Users with the role root. */
  | 'root'
  /** The method asks by itself, because it depends on the request. */
  | 'by request'

type Rules = Readonly<Record<string, Readonly<Record<string, AccessRule>>>>

export const ACCESS_RULES: Rules = {
  'etcdserverpb.KV': {
    Range: 'by request',
    Put: 'by request',
    DeleteRange: 'by request',
    Txn: 'by request',
    Compact: 'by request',
  },
  'etcdserverpb.Watch': { Watch: 'by request' },
  'etcdserverpb.Lease': {
    LeaseGrant: 'by request',
    LeaseRevoke: 'by request',
    LeaseKeepAlive: 'by request',
    LeaseTimeToLive: 'by request',
    LeaseLeases: 'by request',
  },
  'etcdserverpb.Cluster': {
    MemberList: 'somebody',
    MemberAdd: 'root',
    MemberRemove: 'root',
    MemberUpdate: 'root',
    MemberPromote: 'root',
  },
  'etcdserverpb.Maintenance': {
    Alarm: 'by request',
    Status: 'somebody',
    Defragment: 'root',
    Hash: 'root',
    HashKV: 'root',
    Snapshot: 'root',
    MoveLeader: 'root',
    Downgrade: 'root',
  },
  'etcdserverpb.Auth': {
    Authenticate: 'anybody',
    AuthEnable: 'by request',
    AuthDisable: 'by request',
    AuthStatus: 'by request',
    UserAdd: 'by request',
    UserGet: 'by request',
    UserList: 'by request',
    UserDelete: 'by request',
    UserChangePassword: 'by request',
    UserGrantRole: 'by request',
    UserRevokeRole: 'by request',
    RoleAdd: 'by request',
    RoleGet: 'by request',
    RoleList: 'by request',
    RoleDelete: 'by request',
    RoleGrantPermission: 'by request',
    RoleRevokePermission: 'by request',
  },
  'v3lockpb.Lock': { Lock: 'by request', Unlock: 'by request' },
  'v3electionpb.Election': {
    Campaign: 'by request',
    Proclaim: 'by request',
    Leader: 'by request',
    Observe: 'by request',
    Resign: 'by request',
  },
  'grpc.reflection.v1.ServerReflection': { ServerReflectionInfo: 'anybody' },
  'grpc.reflection.v1alpha.ServerReflection': { ServerReflectionInfo: 'anybody' },
  'grpc.health.v1.Health': { Check: 'anybody', List: 'anybody', Watch: 'anybody' },
}

export function accessRule(service: string, method: string): AccessRule {
  return ACCESS_RULES[service]?.[method] ?? 'root'
}

/** The services with the rules put before their methods. */
export function guarded(services: ServiceTable, callers: Callers, access: Access): ServiceTable {
  const guardMethod = (service: string, name: string, method: Method): Method => {
    const rule = accessRule(service, name)
    if (rule === 'anybody' || rule === 'by request') return method
    const admit = (caller: Caller): void => {
      if (!access.enabled) return
      const author = caller.author()
      const refusal = rule === 'root' ? access.isRoot(author) : access.isSomebody(author)
      if (refusal !== undefined) throw new RequestFailure(refusal)
    }
    return method.kind === 'unary' ? guardedUnary(method, callers, admit) : guardedStream(method, callers, admit)
  }
  return new Map(
    Array.from(services, ([service, methods]) => [
      service,
      new Map(Array.from(methods, ([name, method]) => [name, guardMethod(service, name, method)])),
    ]),
  )
}

type Admit = (caller: Caller) => void

function guardedUnary(method: UnaryMethod<never, unknown>, callers: Callers, admit: Admit): Method {
  const handle = (request: never, call: Call): unknown =>
    callers.as(call, (caller) => {
      translated(() => admit(caller))
      return method.handle(request, call)
    })
  return { ...method, handle }
}

/** A stream's caller is judged when it is opened; one whose token has yet to arrive here is sent away. */
function guardedStream(method: StreamMethod<never, unknown>, callers: Callers, admit: Admit): Method {
  return {
    ...method,
    open(stream, call) {
      const caller = callers.of(call)
      if (caller instanceof Promise) throw toRpcError(new RequestFailure('INVALID_AUTH_TOKEN'))
      translated(() => admit(caller))
      return method.open(stream, call)
    },
  }
}
