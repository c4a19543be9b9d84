/** The methods of etcd's Auth service that only tell: about root's things, or a user's own. */
import { bytesFromKey, EMPTY_KEY, FROM_KEY_END } from '../bytes/key.ts'
import { type Permission, PERMISSION_READWRITE } from '../command/auth-command.ts'
import type { Author } from '../command/author.ts'
import { RequestFailure } from '../command/failure.ts'
import { ROOT } from '../auth/auth-store.ts'
import type { Access, Engine } from '../engine/api.ts'
import * as pb from '../proto/gen/etcdserverpb/rpc_pb.js'
import type { Call, Method } from '../transport/transport.ts'
import type { Callers } from './callers.ts'
import type { Headers } from './header.ts'
import { coldMethod, refuse } from './methods.ts'

/** What etcd says that root may do. */
const EVERYTHING: Permission = { type: PERMISSION_READWRITE, key: EMPTY_KEY, rangeEnd: FROM_KEY_END }

export interface AuthReadsParts {
  readonly engine: Engine
  readonly headers: Headers
  readonly callers: Callers
}

export function authReads({ engine, headers, callers }: AuthReadsParts): readonly (readonly [string, Method])[] {
  const { access } = engine
  const read = <T>(call: Call, answer: (author: Author | undefined) => T) =>
    callers.as(call, (caller) => {
      const author = caller.author()
      return engine.read(false, () => answer(author))
    })
  return [
    [
      'AuthStatus',
      coldMethod(pb.AuthStatusRequestSchema, pb.AuthStatusResponseSchema, (_request, call) =>
        read(call, (author) => {
          refuse(access.isRoot(author))
          return { header: headers.message(), enabled: access.enabled, authRevision: BigInt(access.revision) }
        }),
      ),
    ],
    [
      'UserGet',
      coldMethod(pb.AuthUserGetRequestSchema, pb.AuthUserGetResponseSchema, ({ name }, call) =>
        read(call, (author) => {
          if (name !== (author?.user ?? '')) refuse(access.isRoot(author))
          const user = access.user(name)
          if (user === undefined) throw new RequestFailure('USER_NOT_FOUND')
          return { header: headers.message(), roles: [...user.roles] }
        }),
      ),
    ],
    [
      'UserList',
      coldMethod(pb.AuthUserListRequestSchema, pb.AuthUserListResponseSchema, (_request, call) =>
        read(call, (author) => {
          refuse(access.isRoot(author))
          return { header: headers.message(), users: access.image.users.map(({ name }) => name) }
        }),
      ),
    ],
    [
      'RoleGet',
      coldMethod(pb.AuthRoleGetRequestSchema, pb.AuthRoleGetResponseSchema, ({ role: name }, call) =>
        read(call, (author) => {
          if (!hasRole(access, author, name)) refuse(access.isRoot(author))
          return { header: headers.message(), perm: permissionsOf(access, name).map(messageOf) }
        }),
      ),
    ],
    [
      'RoleList',
      coldMethod(pb.AuthRoleListRequestSchema, pb.AuthRoleListResponseSchema, (_request, call) =>
        read(call, (author) => {
          refuse(access.isRoot(author))
          return { header: headers.message(), roles: access.image.roles.map(({ name }) => name) }
        }),
      ),
    ],
  ]
}

function hasRole(access: Access, author: Author | undefined, role: string): boolean {
  return author !== undefined && (access.user(author.user)?.roles.includes(role) ?? false)
}

/** @throws RequestFailure ROLE_NOT_FOUND */
function permissionsOf(access: Access, name: string): readonly Permission[] {
  const role = access.role(name)
  if (role === undefined) throw new RequestFailure('ROLE_NOT_FOUND')
  return name === ROOT ? [EVERYTHING] : role.permissions
}

function messageOf({ type, key, rangeEnd }: Permission) {
  return { permType: type, key: bytesFromKey(key), rangeEnd: bytesFromKey(rangeEnd) }
}
