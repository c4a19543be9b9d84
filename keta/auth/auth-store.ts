/**
 * Users, roles and permissions as etcd's auth store keeps them (server/auth/store.go): part of the replicated state.
 * Whether the author of a change may make it is asked before (`grants.ts`); here are the checks of the change itself.
 */
import { goSort } from '../bytes/go-sort.ts'
import { EMPTY_KEY, FROM_KEY_END, keyFromText } from '../bytes/key.ts'
import type { AuthChange, Permission } from '../command/auth-command.ts'
import type { FailureCode } from '../command/failure.ts'

export const ROOT = 'root'

export interface User {
  readonly name: string
  /** bcrypt's; '' if there is none. */
  readonly passwordHash: string
  readonly noPassword: boolean
  /** In bytewise order. */
  readonly roles: readonly string[]
}

export interface Role {
  readonly name: string
  /** By key. */
  readonly permissions: readonly Permission[]
}

/** All of it, as values that never change. */
export interface AuthImage {
  readonly enabled: boolean
  readonly revision: number
  readonly users: readonly User[]
  readonly roles: readonly Role[]
}

export const FIRST_AUTH_REVISION = 1

export class AuthStore {
  readonly #users: Map<string, User>
  readonly #roles: Map<string, Role>
  #enabled: boolean
  #revision: number
  #image: AuthImage | undefined

  constructor(image?: AuthImage) {
    this.#enabled = image?.enabled ?? false
    this.#revision = image?.revision ?? FIRST_AUTH_REVISION
    this.#users = new Map(image?.users.map((user) => [user.name, user]))
    this.#roles = new Map(image?.roles.map((role) => [role.name, role]))
    this.#image = image
  }

  get enabled(): boolean {
    return this.#enabled
  }

  /** Grows with every change of users, roles and permissions. */
  get revision(): number {
    return this.#revision
  }

  user(name: string): User | undefined {
    return this.#users.get(name)
  }

  role(name: string): Role | undefined {
    return this.#roles.get(name)
  }

  /** Users and roles in bytewise order of their names. The same object until something changes. */
  get image(): AuthImage {
    this.#image ??= {
      enabled: this.#enabled,
      revision: this.#revision,
      users: [...this.#users.values()].sort(byName),
      roles: [...this.#roles.values()].sort(byName),
    }
    return this.#image
  }

  /** The refusal; then nothing has changed. */
  apply(change: AuthChange): FailureCode | undefined {
    const failure = this.#apply(change)
    if (failure === undefined && change.op !== 'authenticate') this.#image = undefined
    return failure
  }

  #apply(change: AuthChange): FailureCode | undefined {
    switch (change.op) {
      case 'enable':
        return this.#enable()
      case 'disable':
        this.#disable()
        return undefined
      case 'authenticate':
        return this.#authenticate(change.user)
      case 'userAdd':
        return this.#addUser(change.user, change.passwordHash, change.noPassword)
      case 'userDelete':
        return this.#deleteUser(change.user)
      case 'userChangePassword':
        return this.#changePassword(change.user, change.passwordHash)
      case 'userGrantRole':
        return this.#grantRole(change.user, change.role)
      case 'userRevokeRole':
        return this.#revokeRole(change.user, change.role)
      case 'roleAdd':
        return this.#addRole(change.role)
      case 'roleDelete':
        return this.#deleteRole(change.role)
      case 'roleGrantPermission':
        return this.#grantPermission(change.role, change.permission)
      case 'roleRevokePermission':
        return this.#revokePermission(change)
    }
  }

  /** The revision stays: nobody's permissions change. */
  #enable(): FailureCode | undefined {
    if (this.#enabled) return undefined
    const root = this.#users.get(ROOT)
    if (root === undefined) return 'ROOT_USER_MISSING'
    if (!root.roles.includes(ROOT)) return 'ROOT_ROLE_MISSING'
    this.#enabled = true
    return undefined
  }

  #disable(): void {
    if (!this.#enabled) return
    this.#enabled = false
    this.#revision++
  }

  #authenticate(name: string): FailureCode | undefined {
    if (!this.#enabled) return 'AUTH_NOT_ENABLED'
    const user = this.#users.get(name)
    return user === undefined || user.noPassword ? 'AUTH_FAILED' : undefined
  }

  #addUser(name: string, passwordHash: string, noPassword: boolean): FailureCode | undefined {
    if (name === '') return 'USER_EMPTY'
    if (this.#users.has(name)) return 'USER_EXISTS'
    this.#putUser({ name, passwordHash: noPassword ? '' : passwordHash, noPassword, roles: [] })
    return undefined
  }

  #deleteUser(name: string): FailureCode | undefined {
    if (this.#enabled && name === ROOT) return 'INVALID_AUTH_MANAGEMENT'
    if (!this.#users.delete(name)) return 'USER_NOT_FOUND'
    this.#revision++
    return undefined
  }

  #changePassword(name: string, passwordHash: string): FailureCode | undefined {
    const user = this.#users.get(name)
    if (user === undefined) return 'USER_NOT_FOUND'
    this.#putUser({ ...user, passwordHash: user.noPassword ? '' : passwordHash })
    return undefined
  }

  #grantRole(name: string, role: string): FailureCode | undefined {
    const user = this.#users.get(name)
    if (user === undefined) return 'USER_NOT_FOUND'
    // The role root need not exist to be granted.
    if (role !== ROOT && !this.#roles.has(role)) return 'ROLE_NOT_FOUND'
    if (user.roles.includes(role)) return undefined
    this.#putUser({ ...user, roles: [...user.roles, role].sort(byBytes) })
    return undefined
  }

  #revokeRole(name: string, role: string): FailureCode | undefined {
    if (this.#enabled && name === ROOT && role === ROOT) return 'INVALID_AUTH_MANAGEMENT'
    const user = this.#users.get(name)
    if (user === undefined) return 'USER_NOT_FOUND'
    if (!user.roles.includes(role)) return 'ROLE_NOT_GRANTED'
    this.#putUser({ ...user, roles: user.roles.filter((granted) => granted !== role) })
    return undefined
  }

  #addRole(name: string): FailureCode | undefined {
    if (name === '') return 'ROLE_EMPTY'
    if (this.#roles.has(name)) return 'ROLE_EXISTS'
    this.#putRole({ name, permissions: [] })
    return undefined
  }

  #deleteRole(name: string): FailureCode | undefined {
    if (this.#enabled && name === ROOT) return 'INVALID_AUTH_MANAGEMENT'
    if (!this.#roles.delete(name)) return 'ROLE_NOT_FOUND'
    for (const user of this.#users.values()) {
      if (!user.roles.includes(name)) continue
      this.#users.set(user.name, { ...user, roles: user.roles.filter((granted) => granted !== name) })
    }
    this.#revision++
    return undefined
  }

  #grantPermission(name: string, permission: Permission | undefined): FailureCode | undefined {
    if (permission === undefined) return 'PERMISSION_NOT_GIVEN'
    if (!isGrantable(permission)) return 'INVALID_AUTH_MANAGEMENT'
    const role = this.#roles.get(name)
    if (role === undefined) return 'ROLE_NOT_FOUND'
    this.#putRole({ name, permissions: withPermission(role.permissions, permission) })
    return undefined
  }

  #revokePermission({ role: name, key, rangeEnd }: AuthChange & { op: 'roleRevokePermission' }) {
    const role = this.#roles.get(name)
    if (role === undefined) return 'ROLE_NOT_FOUND'
    const permissions = role.permissions.filter((granted) => granted.key !== key || granted.rangeEnd !== rangeEnd)
    if (permissions.length === role.permissions.length) return 'PERMISSION_NOT_GRANTED'
    this.#putRole({ name, permissions })
    return undefined
  }

  #putUser(user: User): void {
    this.#users.set(user.name, user)
    this.#revision++
  }

  #putRole(role: Role): void {
    this.#roles.set(role.name, role)
    this.#revision++
  }
}

function isGrantable({ key, rangeEnd }: Permission): boolean {
  if (key === EMPTY_KEY) return false
  return rangeEnd === EMPTY_KEY || key < rangeEnd || rangeEnd === FROM_KEY_END
}

/**
 * Takes the place of the permission with the same range, but only if that is the first one with its key: etcd looks
 * no further, and so may keep a range twice. What is added is sorted as etcd's library sorts.
 */
function withPermission(permissions: readonly Permission[], added: Permission): readonly Permission[] {
  const first = permissions.findIndex(({ key }) => key >= added.key)
  const found = permissions[first]
  if (found !== undefined && found.key === added.key && found.rangeEnd === added.rangeEnd) {
    return permissions.with(first, added)
  }
  const sorted = [...permissions, added]
  goSort(sorted, (a, b) => a.key < b.key)
  return sorted
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return byBytes(a.name, b.name)
}

/** The order of the UTF-8 bytes. */
function byBytes(a: string, b: string): number {
  const [left, right] = [keyFromText(a), keyFromText(b)]
  return left < right ? -1 : Number(left > right)
}
