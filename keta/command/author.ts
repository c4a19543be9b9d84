/** Who asks for a command. It is logged with the command, so that every replica judges the command in the same way. */

export interface Author {
  /** Name of the user; '' if it is the server itself. */
  readonly user: string
  /** Revision of the auth store under which the user was recognised: a later one asks for a new look. */
  readonly authRevision: number
}

/** The server itself: leases that expire, compaction by itself. It may do everything. */
export const SERVER: Author = { user: '', authRevision: 0 }

/** A command, and who asks for it; undefined: nobody in particular, which is everybody as long as auth is off. */
export interface Authored<C> {
  readonly command: C
  readonly author: Author | undefined
}

/** How one node tells another who asks, in the metadata of a request that it hands on. */
const USER = 'keta-user'
const AUTH_REVISION = 'keta-auth-revision'
const IS_SERVER = 'keta-server'

export function authorMetadata(author: Author | undefined): ReadonlyMap<string, string> {
  if (author === undefined) return new Map()
  if (author === SERVER) return new Map([[IS_SERVER, 'true']])
  return new Map([
    [USER, author.user],
    [AUTH_REVISION, String(author.authRevision)],
  ])
}

export function authorOfMetadata(metadata: ReadonlyMap<string, string>): Author | undefined {
  if (metadata.get(IS_SERVER) === 'true') return SERVER
  const user = metadata.get(USER)
  return user === undefined ? undefined : { user, authRevision: Number(metadata.get(AUTH_REVISION)) }
}
