/** A password that does not show itself. */

/** What stands in every message, log and document in the place of a secret. */
export const HIDDEN = '[hidden]'

/** Printing, concatenating, serialising or inspecting it gives `[hidden]`. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The secret itself: call it where it is sent, and nowhere else. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }
}
