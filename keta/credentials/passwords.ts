/**
 * Passwords by bcrypt, off the event loop: a native library hashes them on libuv's threads. It may occupy two of these
 * at a time, because the log is written by the same threads.
 */
import { hash, verify } from '@node-rs/bcrypt'
import { type Passwords, TooManyPasswords } from './credentials.ts'

const AT_A_TIME = 2
const MAX_WAITING = 1_000

export class BcryptPasswords implements Passwords {
  readonly #cost: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  /** @param cost 4 to 31; each step doubles the time. */
  constructor(cost: number) {
    this.#cost = cost
  }

  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(password, this.#cost))
  }

  matches(password: string, hashed: string): Promise<boolean> {
    return this.#inTurn(() => verify(password, hashed))
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= AT_A_TIME) {
      if (this.#waiting.length >= MAX_WAITING) throw new TooManyPasswords('too many passwords wait to be hashed')
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    } else this.#running++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
