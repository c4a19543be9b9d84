/**
 * etcd's Auth service. What changes users, roles or permissions goes through the log, by way of the leader, as one
 * message of this server's own: passwords become hashes, and tokens digests, at the node where they come in.
 */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf'

import { keyFromBytes } from '../bytes/key.ts'
import { ProtoReader } from '../bytes/proto-reader.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import { decodeAuth, encodeAuth } from '../command/auth-codec.ts'
import type { AuthChange } from '../command/auth-command.ts'
import { RequestFailure } from '../command/failure.ts'
import { type Credentials, digestOfToken, MAX_PASSWORD_BYTES, TooManyPasswords } from '../credentials/credentials.ts'
import type { Engine } from '../engine/api.ts'
import * as pb from '../proto/gen/etcdserverpb/rpc_pb.js'
import type { Call, Method } from '../transport/transport.ts'
import { authReads } from './auth-reads.ts'
import type { Caller, Callers } from './callers.ts'
import type { Headers } from './header.ts'
import { coldMethod, method, refuse } from './methods.ts'
import type { Routes } from './routes.ts'

export interface AuthServiceParts {
  readonly engine: Engine
  readonly headers: Headers
  readonly routes: Routes
  readonly callers: Callers
  readonly credentials: Credentials
  readonly random: (count: number) => Uint8Array
}

/** Nodes know it among each other only. */
const CHANGE = 'keta.Auth/Change'

export function authService(parts: AuthServiceParts): ReadonlyMap<string, Method> {
  const auth = new AuthChanges(parts)
  return new Map([
    ...authReads(parts),
    ['Authenticate', auth.authenticateMethod()],
    ['AuthEnable', auth.method(pb.AuthEnableRequestSchema, () => ({ op: 'enable' }))],
    ['AuthDisable', auth.method(pb.AuthDisableRequestSchema, () => ({ op: 'disable' }))],
    ['UserAdd', auth.method(pb.AuthUserAddRequestSchema, (request, caller) => auth.userAdd(request, caller))],
    ['UserDelete', auth.method(pb.AuthUserDeleteRequestSchema, ({ name }) => ({ op: 'userDelete', user: name }))],
    [
      'UserChangePassword',
      auth.method(pb.AuthUserChangePasswordRequestSchema, (request, caller) => auth.changePassword(request, caller)),
    ],
    [
      'UserGrantRole',
      auth.method(pb.AuthUserGrantRoleRequestSchema, ({ user, role }) => ({ op: 'userGrantRole', user, role })),
    ],
    [
      'UserRevokeRole',
      auth.method(pb.AuthUserRevokeRoleRequestSchema, ({ name, role }) => ({ op: 'userRevokeRole', user: name, role })),
    ],
    ['RoleAdd', auth.method(pb.AuthRoleAddRequestSchema, ({ name }) => ({ op: 'roleAdd', role: name }))],
    ['RoleDelete', auth.method(pb.AuthRoleDeleteRequestSchema, ({ role }) => ({ op: 'roleDelete', role }))],
    [
      'RoleGrantPermission',
      auth.method(pb.AuthRoleGrantPermissionRequestSchema, ({ name, perm }) => ({
        op: 'roleGrantPermission',
        role: name,
        permission: perm && {
          type: perm.permType,
          key: keyFromBytes(perm.key),
          rangeEnd: keyFromBytes(perm.rangeEnd),
        },
      })),
    ],
    [
      'RoleRevokePermission',
      auth.method(pb.AuthRoleRevokePermissionRequestSchema, ({ role, key, rangeEnd }) => ({
        op: 'roleRevokePermission',
        role,
        key: keyFromBytes(key),
        rangeEnd: keyFromBytes(rangeEnd),
      })),
    ],
  ])
}

class AuthChanges {
  readonly #parts: AuthServiceParts
  readonly #changed: (body: Uint8Array, call: Call) => Promise<Uint8Array>

  constructor(parts: AuthServiceParts) {
    this.#parts = parts
    this.#changed = parts.routes.message<AuthChange>(CHANGE, {
      decode: (body) => decodeAuth(body).change,
      handle: (change, _body, caller) => this.#execute(change, caller),
    })
  }

  /** All answers to changes are a header and nothing else. */
  method<Request extends DescMessage>(
    schema: Request,
    changeOf: (request: MessageShape<Request>, caller: Caller) => AuthChange | Promise<AuthChange>,
  ): Method {
    return method({
      decode: (bytes) => fromBinary(schema, bytes),
      handle: (request, call) =>
        this.#parts.callers.as(call, async (caller) => this.#change(await changeOf(request, caller), call)),
    })
  }

  async userAdd({ name, password, options }: pb.AuthUserAddRequest, caller: Caller): Promise<AuthChange> {
    const noPassword = options?.noPassword ?? false
    const passwordHash = noPassword ? '' : await this.#hash(password, caller)
    return { op: 'userAdd', user: name, passwordHash, noPassword }
  }

  /** As etcd: without a password, what is given as its hash is taken for it. */
  async changePassword(request: pb.AuthUserChangePasswordRequest, caller: Caller): Promise<AuthChange> {
    const { name, password, hashedPassword } = request
    const passwordHash =
      password === '' ? this.#givenHash(name, hashedPassword, caller) : await this.#hash(password, caller)
    return { op: 'userChangePassword', user: name, passwordHash }
  }

  authenticateMethod(): Method {
    return coldMethod(pb.AuthenticateRequestSchema, pb.AuthenticateResponseSchema, ({ name, password }, call) =>
      this.#authenticate(name, password, call),
    )
  }

  /** Without looking at a token: whoever asks for a new one may have one that has ended. */
  async #authenticate(name: string, password: string, asker: Call) {
    const { engine, credentials } = this.#parts
    const { access } = engine
    const call: Call = {
      peer: asker.peer,
      metadata: () => undefined,
      onClosed: (listener) => asker.onClosed(listener),
    }
    await engine.read(false, () => undefined)
    for (;;) {
      const { revision } = access
      await this.#checkPassword(name, password)
      const { signedTokens } = credentials
      if (signedTokens?.canSign === false) throw new RequestFailure('TOKEN_VERIFY_ONLY')
      const prefix = this.#tokenPrefix()
      const tokenDigest = signedTokens === undefined ? digestOfToken(prefix) : ''
      const { header, offset } = readChanged(await this.#change({ op: 'authenticate', user: name, tokenDigest }, call))
      // Else the password that was checked may not be the user's any more.
      if (access.revision !== revision) continue
      const token = signedTokens?.sign({ user: name, authRevision: revision }) ?? `${prefix}.${offset}`
      return { header: fromBinary(pb.ResponseHeaderSchema, header), token }
    }
  }

  async #checkPassword(name: string, password: string): Promise<void> {
    const { engine, credentials } = this.#parts
    if (!engine.access.enabled) throw new RequestFailure('AUTH_NOT_ENABLED')
    const user = engine.access.user(name)
    if (user === undefined) throw new RequestFailure('AUTH_FAILED')
    if (user.noPassword) throw new RequestFailure('NO_PASSWORD_USER')
    const matches = await busyIfTooMany(() => credentials.passwords.matches(password, user.passwordHash))
    if (!matches) throw new RequestFailure('AUTH_FAILED')
  }

  /** Only root's passwords are worth the time. */
  async #hash(password: string, caller: Caller): Promise<string> {
    if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) throw new RequestFailure('PASSWORD_TOO_LONG')
    refuse(this.#parts.engine.access.isRoot(caller.author()))
    return busyIfTooMany(() => this.#parts.credentials.passwords.hash(password))
  }

  /** What is not base64 is refused, but only after all that is wrong besides. */
  #givenHash(name: string, base64: string, caller: Caller): string {
    const text = base64.replace(/[\r\n]/g, '')
    if (BASE64.test(text)) return Buffer.from(text, 'base64').toString('latin1')
    const { access } = this.#parts.engine
    refuse(access.isRoot(caller.author()))
    const user = access.user(name)
    if (user === undefined) throw new RequestFailure('USER_NOT_FOUND')
    if (!user.noPassword) throw new RequestFailure('NO_PASSWORD_USER')
    return ''
  }

  /** 16 letters, as etcd's are. */
  #tokenPrefix(): string {
    return Array.from(this.#parts.random(TOKEN_LETTERS), (byte) => LETTERS[byte % LETTERS.length]).join('')
  }

  #change(change: AuthChange, call: Call): Promise<Uint8Array> {
    return this.#changed(encodeAuth({ kind: 'auth', change }), call)
  }

  async #execute(change: AuthChange, caller: Caller): Promise<Uint8Array> {
    const { engine, headers } = this.#parts
    const isOpen = change.op === 'authenticate'
    const command = { kind: 'auth', change } as const
    const { response, revision } = await engine.propose(command, undefined, isOpen ? undefined : caller.author())
    return changed(headers.encoded(revision), isOpen ? response.offset : undefined)
  }
}

const TOKEN_LETTERS = 16
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** What the leader answers: a header, and for a token the offset of its record. */
function changed(header: Uint8Array, offset: number | undefined): Uint8Array {
  const writer = new ProtoWriter(64)
  writer.messageField(1, header)
  if (offset !== undefined) writer.intField(2, offset)
  return writer.finish()
}

function readChanged(bytes: Uint8Array): { readonly header: Uint8Array; readonly offset: number } {
  const reader = new ProtoReader(bytes)
  let header: Uint8Array = new Uint8Array(0)
  let offset = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) header = reader.bytes()
    else if (field === 2) offset = reader.int()
    else reader.skip()
  }
  return { header, offset }
}

/** Base64 as etcd's library takes it. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

async function busyIfTooMany<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof TooManyPasswords) throw new RequestFailure('TOO_MANY_REQUESTS', { cause })
    throw cause
  }
}
