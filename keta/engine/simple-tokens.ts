/**
 * The simple tokens that this node honours. Each is given out by a record of the log, so that every node that applies
 * it knows the token; how long it lives each node counts by itself, from its last use there, as in etcd. A restart
 * forgets them all.
 */
import type { AuthChange } from '../command/auth-command.ts'
import type { Clock } from './ports.ts'

/** Tokens that have ended are looked for at most so often. */
const SWEEP_INTERVAL_MS = 1_000

interface Token {
  readonly user: string
  readonly offset: number
  /** On the clock. */
  endsAt: number
}

export class SimpleTokens {
  readonly #clock: Pick<Clock, 'now'>
  readonly #ttlMs: number
  /** By digest. */
  readonly #tokens = new Map<string, Token>()
  #sweptAt = -Infinity
  #begun = false

  constructor(clock: Pick<Clock, 'now'>, ttlMs: number) {
    this.#clock = clock
    this.#ttlMs = ttlMs
  }

  get size(): number {
    return this.#tokens.size
  }

  /** What is applied from now on was not applied by an earlier life of this node: its tokens count. */
  begin(): void {
    this.#begun = true
  }

  /** The change was applied, with the record at `offset`. */
  applied(change: AuthChange, offset: number): void {
    switch (change.op) {
      case 'authenticate':
        if (this.#begun && change.tokenDigest !== '') this.#assign(change.tokenDigest, change.user, offset)
        break
      case 'userDelete':
      case 'userChangePassword':
        this.#endAllOf(change.user)
        break
      case 'disable':
        this.#tokens.clear()
        break
      default:
    }
  }

  /** The user of the token; it is used, and so lives on. */
  use(digest: string, offset: number): string | undefined {
    const token = this.#tokens.get(digest)
    if (token?.offset !== offset) return undefined
    const now = this.#clock.now()
    if (now >= token.endsAt) {
      this.#tokens.delete(digest)
      return undefined
    }
    token.endsAt = now + this.#ttlMs
    return token.user
  }

  #assign(digest: string, user: string, offset: number): void {
    const now = this.#clock.now()
    if (now - this.#sweptAt >= SWEEP_INTERVAL_MS) {
      this.#sweptAt = now
      for (const [other, { endsAt }] of this.#tokens) if (now >= endsAt) this.#tokens.delete(other)
    }
    this.#tokens.set(digest, { user, offset, endsAt: now + this.#ttlMs })
  }

  #endAllOf(user: string): void {
    for (const [digest, token] of this.#tokens) if (token.user === user) this.#tokens.delete(digest)
  }
}
