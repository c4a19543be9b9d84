/** The ports of what proves who somebody is: passwords, signed tokens. */
import { createHash } from 'node:crypto'
import type { Author } from '../command/author.ts'

/** bcrypt takes no more of a password; etcd refuses a longer one. */
export const MAX_PASSWORD_BYTES = 72

export interface Passwords {
  /** @throws TooManyPasswords */
  hash(password: string): Promise<string>
  /** False also if `hash` is not a hash. @throws TooManyPasswords */
  matches(password: string, hash: string): Promise<boolean>
}

/** More passwords wait to be hashed than can be in any useful time. */
export class TooManyPasswords extends Error {
  override readonly name = 'TooManyPasswords'
  readonly code = 'TOO_MANY_PASSWORDS'
}

/** Tokens that every node can check by itself (JWT). */
export interface SignedTokens {
  /** False: only checks tokens that others have signed. */
  readonly canSign: boolean
  sign(author: Author): string
  /** Undefined if it is none of them, or has ended. */
  verify(token: string): Author | undefined
}

export interface Credentials {
  readonly passwords: Passwords
  /** In place of simple tokens. */
  readonly signedTokens?: SignedTokens
}

/** What a simple token is known by in log and memory: whoever reads them cannot use it. */
export function digestOfToken(prefix: string): string {
  return createHash('sha256').update(prefix).digest('base64url')
}
