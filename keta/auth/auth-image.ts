/**
 * An auth store as bytes, for snapshots: users and roles as etcd stores them (authpb.User, authpb.Role). A field that
 * is not known is refused, because to drop it could grant what is not granted.
 */
import { MalformedMessage, type ProtoReader } from '../bytes/proto-reader.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import { decodePermission, encodePermission } from '../command/auth-codec.ts'
import type { Permission } from '../command/auth-command.ts'
import type { AuthImage, Role, User } from './auth-store.ts'

export function encodeAuthImage({ enabled, revision, users, roles }: AuthImage): Buffer {
  const writer = new ProtoWriter()
  writer.boolField(1, enabled)
  writer.intField(2, revision)
  for (const user of users) writer.messageField(3, encodeUser(user))
  for (const role of roles) writer.messageField(4, encodeRole(role))
  return writer.finish()
}

/** @throws MalformedMessage */
export function decodeAuthImage(reader: ProtoReader): AuthImage {
  const users: User[] = []
  const roles: Role[] = []
  let enabled = false
  let revision = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) enabled = reader.bool()
    else if (field === 2) revision = reader.int()
    else if (field === 3) users.push(decodeUser(reader.message()))
    else if (field === 4) roles.push(decodeRole(reader.message()))
    else throw unknownField('auth store', field)
  }
  return { enabled, revision, users, roles }
}

function encodeUser({ name, passwordHash, noPassword, roles }: User): Buffer {
  const writer = new ProtoWriter()
  writer.stringField(1, name)
  writer.stringField(2, passwordHash)
  for (const role of roles) writer.messageField(3, Buffer.from(role))
  if (noPassword) writer.messageField(4, Uint8Array.of(8, 1))
  return writer.finish()
}

function decodeUser(reader: ProtoReader): User {
  const roles: string[] = []
  let name = ''
  let passwordHash = ''
  let noPassword = false
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.text()
    else if (field === 2) passwordHash = reader.text()
    else if (field === 3) roles.push(reader.text())
    else if (field === 4) noPassword = decodeOptions(reader.message())
    else throw unknownField('user', field)
  }
  return { name, passwordHash, noPassword, roles }
}

function decodeOptions(reader: ProtoReader): boolean {
  let noPassword = false
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 1) throw unknownField('options of a user', field)
    noPassword = reader.bool()
  }
  return noPassword
}

function encodeRole({ name, permissions }: Role): Buffer {
  const writer = new ProtoWriter()
  writer.stringField(1, name)
  for (const permission of permissions) writer.messageField(2, encodePermission(permission))
  return writer.finish()
}

function decodeRole(reader: ProtoReader): Role {
  const permissions: Permission[] = []
  let name = ''
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.text()
    else if (field === 2) permissions.push(decodePermission(reader.message()))
    else throw unknownField('role', field)
  }
  return { name, permissions }
}

function unknownField(what: string, field: number): MalformedMessage {
  return new MalformedMessage(`${what} with the unknown field ${field}`)
}
