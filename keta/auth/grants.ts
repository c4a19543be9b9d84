/** Whether somebody may do something: the questions that etcd's auth store answers, with its refusals. */
import { EMPTY_KEY, type Key, type KeyRange, rangeOf } from '../bytes/key.ts'
import { type Permission, PERMISSION_READ, PERMISSION_READWRITE, PERMISSION_WRITE } from '../command/auth-command.ts'
import { type Author, SERVER } from '../command/author.ts'
import type { FailureCode } from '../command/failure.ts'
import { type AuthImage, type AuthStore, ROOT } from './auth-store.ts'
import { PermissionRanges } from './permission-ranges.ts'

interface UserRanges {
  readonly read: PermissionRanges
  readonly write: PermissionRanges
}

/** Each method returns the refusal, or undefined if it may be done; always undefined while auth is off. */
export class Grants {
  readonly #store: AuthStore
  /** By user, of the image they were made from. */
  #ranges = new Map<string, UserRanges>()
  #madeFrom: AuthImage | undefined

  constructor(store: AuthStore) {
    this.#store = store
  }

  mayRead(author: Author | undefined, key: Key, rangeEnd: Key): FailureCode | undefined {
    return this.#mayTouch(author, key, rangeEnd, 'read')
  }

  mayWrite(author: Author | undefined, key: Key, rangeEnd: Key = EMPTY_KEY): FailureCode | undefined {
    return this.#mayTouch(author, key, rangeEnd, 'write')
  }

  /** For what only root may do. The revision is not asked for, as in etcd. */
  isRoot(author: Author | undefined): FailureCode | undefined {
    if (!this.#store.enabled || author === SERVER) return undefined
    if (author === undefined || author.user === '') return 'USER_EMPTY'
    const user = this.#store.user(author.user)
    if (user === undefined) return 'USER_NOT_FOUND'
    return user.roles.includes(ROOT) ? undefined : 'PERMISSION_DENIED'
  }

  /** For what every user may do. */
  isSomebody(author: Author | undefined): FailureCode | undefined {
    return this.#store.enabled && author === undefined ? 'USER_EMPTY' : undefined
  }

  /** For reads that take the state as it is: whoever was recognised under another revision has to come again. */
  isCurrent(author: Author | undefined): FailureCode | undefined {
    if (!this.#store.enabled || author === undefined || author.authRevision === 0) return undefined
    return author.authRevision === this.#store.revision ? undefined : 'AUTH_OLD_REVISION'
  }

  #mayTouch(author: Author | undefined, key: Key, rangeEnd: Key, how: keyof UserRanges): FailureCode | undefined {
    if (!this.#store.enabled || author === SERVER) return undefined
    if (author === undefined || author.authRevision === 0) return 'USER_EMPTY'
    if (author.authRevision < this.#store.revision) return 'AUTH_OLD_REVISION'
    const user = this.#store.user(author.user)
    if (user === undefined) return 'PERMISSION_DENIED'
    if (user.roles.includes(ROOT)) return undefined
    return this.#rangesOf(author.user)[how].cover(key, rangeEnd) ? undefined : 'PERMISSION_DENIED'
  }

  #rangesOf(name: string): UserRanges {
    const { image } = this.#store
    if (this.#madeFrom !== image) {
      this.#madeFrom = image
      this.#ranges = new Map()
    }
    const made = this.#ranges.get(name) ?? this.#make(name)
    this.#ranges.set(name, made)
    return made
  }

  #make(name: string): UserRanges {
    const roles = this.#store.user(name)?.roles ?? []
    const permissions = roles.flatMap((role) => this.#store.role(role)?.permissions ?? [])
    return {
      read: new PermissionRanges(rangesWith(permissions, PERMISSION_READ)),
      write: new PermissionRanges(rangesWith(permissions, PERMISSION_WRITE)),
    }
  }
}

function rangesWith(permissions: readonly Permission[], type: number): readonly KeyRange[] {
  return permissions
    .filter((permission) => permission.type === type || permission.type === PERMISSION_READWRITE)
    .map(({ key, rangeEnd }) => rangeOf(key, rangeEnd))
}
