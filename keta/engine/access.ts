/** Who may do what, as the services ask it: of the state, and of the tokens that this node honours. */
import type { AuthImage, Role, User } from '../auth/auth-store.ts'
import type { Key } from '../bytes/key.ts'
import type { Author } from '../command/author.ts'
import type { FailureCode } from '../command/failure.ts'
import type { TxnOperation } from '../command/operations.ts'
import { unauthorisedLease, unauthorisedTxn } from '../state/authorise.ts'
import type { StateMachine } from '../state/state-machine.ts'
import type { Access } from './api.ts'
import type { Clock } from './ports.ts'
import type { Replica } from './replica.ts'
import { settlesWithin } from './sleep.ts'

/** A token names the record that gave it out; a node that has not read that far waits for it, but not for ever. */
const TOKEN_ARRIVAL_MS = 2_000

export class EngineAccess implements Access {
  readonly #replica: Replica
  readonly #state: StateMachine
  readonly #clock: Clock

  constructor(replica: Replica, clock: Clock) {
    this.#replica = replica
    this.#state = replica.state
    this.#clock = clock
  }

  get enabled(): boolean {
    return this.#state.auth.enabled
  }

  get revision(): number {
    return this.#state.auth.revision
  }

  get image(): AuthImage {
    return this.#state.auth.image
  }

  user(name: string): User | undefined {
    return this.#state.auth.user(name)
  }

  role(name: string): Role | undefined {
    return this.#state.auth.role(name)
  }

  isRoot(author: Author | undefined): FailureCode | undefined {
    return this.#state.grants.isRoot(author)
  }

  isSomebody(author: Author | undefined): FailureCode | undefined {
    return this.#state.grants.isSomebody(author)
  }

  isCurrent(author: Author | undefined): FailureCode | undefined {
    return this.#state.grants.isCurrent(author)
  }

  mayRead(author: Author | undefined, key: Key, rangeEnd: Key): FailureCode | undefined {
    return this.#state.grants.mayRead(author, key, rangeEnd)
  }

  mayReadTxn(author: Author | undefined, operation: TxnOperation): FailureCode | undefined {
    return this.enabled ? unauthorisedTxn(this.#state, operation, author) : undefined
  }

  mayTouchLease(author: Author | undefined, id: bigint, how: 'read' | 'write'): FailureCode | undefined {
    return this.enabled ? unauthorisedLease(this.#state, id, author, how) : undefined
  }

  tokenUser(digest: string, offset: number): string | undefined {
    return this.#replica.tokens.use(digest, offset)
  }

  tokenArrival(offset: number): Promise<void> | undefined {
    if (this.#replica.position.offset >= offset) return undefined
    return settlesWithin(this.#clock, TOKEN_ARRIVAL_MS, this.#replica.reached(offset)).then(() => undefined)
  }
}
