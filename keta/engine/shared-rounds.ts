/**
 * Work that many wait for at once, one round after the other: whoever comes during a round waits for the next one,
 * because the one under way may have begun too early to count.
 */
export class SharedRounds {
  readonly #work: () => Promise<void>
  #current: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(work: () => Promise<void>) {
    this.#work = work
  }

  /** Settles as a round does that begins after this call. */
  join(): Promise<void> {
    if (this.#current === undefined) return this.#begin()
    this.#next ??= this.#current.then(
      () => this.#begin(),
      () => this.#begin(),
    )
    return this.#next
  }

  #begin(): Promise<void> {
    this.#next = undefined
    const round = this.#work().finally(() => {
      if (this.#current === round) this.#current = undefined
    })
    this.#current = round
    return round
  }
}
