/**
 * The bytes of an auth change, and of the author of a command; see record-format.md. One flat message serves all
 * changes: a field that a change does not have is left out. The decoders throw MalformedMessage.
 */
import { EMPTY_KEY, type Key } from '../bytes/key.ts'
import { MalformedMessage, ProtoReader } from '../bytes/proto-reader.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import type { AuthChange, AuthCommand, Permission } from './auth-command.ts'
import { type Author, SERVER } from './author.ts'

/** Part of the log format: numbers are never reused. */
const OPS = {
  enable: 1,
  disable: 2,
  authenticate: 3,
  userAdd: 4,
  userDelete: 5,
  userChangePassword: 6,
  userGrantRole: 7,
  userRevokeRole: 8,
  roleAdd: 9,
  roleDelete: 10,
  roleGrantPermission: 11,
  roleRevokePermission: 12,
} as const satisfies Record<AuthChange['op'], number>

/** Every field that some change has. */
interface Fields {
  user: string
  role: string
  passwordHash: string
  noPassword: boolean
  tokenDigest: string
  key: Key
  rangeEnd: Key
  permission: Permission | undefined
}

export function encodeAuth({ change }: AuthCommand): Buffer {
  const fields: { readonly op: string } & Partial<Fields> = change
  const writer = new ProtoWriter()
  writer.intField(1, OPS[change.op])
  writer.stringField(2, fields.user ?? '')
  writer.stringField(3, fields.role ?? '')
  writer.stringField(4, fields.passwordHash ?? '')
  writer.boolField(5, fields.noPassword ?? false)
  writer.stringField(6, fields.tokenDigest ?? '')
  writer.keyField(7, fields.key ?? EMPTY_KEY)
  writer.keyField(8, fields.rangeEnd ?? EMPTY_KEY)
  if (fields.permission !== undefined) writer.messageField(9, encodePermission(fields.permission))
  return writer.finish()
}

export function decodeAuth(bytes: Uint8Array): AuthCommand {
  const reader = new ProtoReader(bytes)
  const fields: Fields = {
    ...{ user: '', role: '', passwordHash: '', noPassword: false, tokenDigest: '' },
    ...{ key: EMPTY_KEY, rangeEnd: EMPTY_KEY, permission: undefined },
  }
  let op = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) op = reader.int32()
    else if (field === 2) fields.user = reader.text()
    else if (field === 3) fields.role = reader.text()
    else if (field === 4) fields.passwordHash = reader.text()
    else if (field === 5) fields.noPassword = reader.bool()
    else if (field === 6) fields.tokenDigest = reader.text()
    else if (field === 7) fields.key = reader.key()
    else if (field === 8) fields.rangeEnd = reader.key()
    else if (field === 9) fields.permission = decodePermission(reader.message())
    else throw new MalformedMessage(`auth change with the unknown field ${field}`)
  }
  return { kind: 'auth', change: changeOf(op, fields) }
}

function changeOf(number: number, fields: Fields): AuthChange {
  const { user, role, passwordHash, noPassword, tokenDigest, key, rangeEnd, permission } = fields
  switch (number) {
    case OPS.enable:
      return { op: 'enable' }
    case OPS.disable:
      return { op: 'disable' }
    case OPS.authenticate:
      return { op: 'authenticate', user, tokenDigest }
    case OPS.userAdd:
      return { op: 'userAdd', user, passwordHash, noPassword }
    case OPS.userDelete:
      return { op: 'userDelete', user }
    case OPS.userChangePassword:
      return { op: 'userChangePassword', user, passwordHash }
    case OPS.userGrantRole:
      return { op: 'userGrantRole', user, role }
    case OPS.userRevokeRole:
      return { op: 'userRevokeRole', user, role }
    case OPS.roleAdd:
      return { op: 'roleAdd', role }
    case OPS.roleDelete:
      return { op: 'roleDelete', role }
    case OPS.roleGrantPermission:
      return { op: 'roleGrantPermission', role, permission }
    case OPS.roleRevokePermission:
      return { op: 'roleRevokePermission', role, key, rangeEnd }
    default:
      throw new MalformedMessage(`auth change ${number} is not known`)
  }
}

/** etcd's authpb.Permission. */
export function encodePermission({ type, key, rangeEnd }: Permission): Buffer {
  const writer = new ProtoWriter(16 + key.length + rangeEnd.length)
  writer.intField(1, type)
  writer.keyField(2, key)
  writer.keyField(3, rangeEnd)
  return writer.finish()
}

export function decodePermission(reader: ProtoReader): Permission {
  let type = 0
  let key = EMPTY_KEY
  let rangeEnd = EMPTY_KEY
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) type = reader.int32()
    else if (field === 2) key = reader.key()
    else if (field === 3) rangeEnd = reader.key()
    else reader.skip()
  }
  return { type, key, rangeEnd }
}

export function encodeAuthor(author: Author): Buffer {
  const writer = new ProtoWriter(16 + author.user.length)
  writer.stringField(1, author.user)
  writer.intField(2, author.authRevision)
  writer.boolField(3, author === SERVER)
  return writer.finish()
}

export function decodeAuthor(reader: ProtoReader): Author {
  let user = ''
  let authRevision = 0
  let isServer = false
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) user = reader.text()
    else if (field === 2) authRevision = reader.int()
    else if (field === 3) isServer = reader.bool()
    else throw new MalformedMessage(`author with the unknown field ${field}`)
  }
  return isServer ? SERVER : { user, authRevision }
}
