/** What has been opened, to be closed in the opposite order. */
import type { Logger } from './observe/logger.ts'

export class Opened {
  readonly #logger: Logger
  readonly #closers: { readonly what: string; readonly close: () => void | Promise<void> }[] = []
  #closing: Promise<Error | undefined> | undefined

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** @param what for the log, should it fail: "close the log". */
  add(what: string, close: () => void | Promise<void>): void {
    this.#closers.push({ what, close })
  }

  /** Closes everything, whatever fails on the way; resolves to the first failure. Idempotent. */
  closeAll(): Promise<Error | undefined> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  async #closeAll(): Promise<Error | undefined> {
    let first: Error | undefined
    for (const { what, close } of this.#closers.reverse()) {
      try {
        await close()
      } catch (error) {
        this.#logger.error(`could not ${what}`, { error })
        first ??= error instanceof Error ? error : new Error(String(error))
      }
    }
    return first
  }
}
