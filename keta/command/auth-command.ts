/**
 * The command that changes users, roles and permissions, or gives out a token: what of etcd's auth requests goes into
 * the log. Passwords and tokens are not among it, only what they can be checked against.
 */
import type { Key } from '../bytes/key.ts'

/** As etcd numbers them; another number grants nothing. */
export const PERMISSION_READ = 0
export const PERMISSION_WRITE = 1
export const PERMISSION_READWRITE = 2

export interface Permission {
  readonly type: number
  readonly key: Key
  /** Empty: one key; "\0": no end. */
  readonly rangeEnd: Key
}

export type AuthChange =
  | { readonly op: 'enable' }
  | { readonly op: 'disable' }
  /** `tokenDigest`: of the random part of a simple token; '' if the token is not kept. */
  | { readonly op: 'authenticate'; readonly user: string; readonly tokenDigest: string }
  /** `passwordHash`: bcrypt's; '' for none. */
  | { readonly op: 'userAdd'; readonly user: string; readonly passwordHash: string; readonly noPassword: boolean }
  | { readonly op: 'userDelete'; readonly user: string }
  | { readonly op: 'userChangePassword'; readonly user: string; readonly passwordHash: string }
  | { readonly op: 'userGrantRole'; readonly user: string; readonly role: string }
  | { readonly op: 'userRevokeRole'; readonly user: string; readonly role: string }
  | { readonly op: 'roleAdd'; readonly role: string }
  | { readonly op: 'roleDelete'; readonly role: string }
  | { readonly op: 'roleGrantPermission'; readonly role: string; readonly permission: Permission | undefined }
  | { readonly op: 'roleRevokePermission'; readonly role: string; readonly key: Key; readonly rangeEnd: Key }

export interface AuthCommand {
  readonly kind: 'auth'
  readonly change: AuthChange
}
