/** A set whose members get turns, round robin: what catch-up uses so that nobody waits for somebody else's backlog. */

export class Rotation<T> {
  readonly #members = new Set<T>()
  #round: Iterator<T> = this.#members.values()

  get size(): number {
    return this.#members.size
  }

  add(member: T): void {
    this.#members.add(member)
  }

  delete(member: T): void {
    this.#members.delete(member)
  }

  /**
   * The member whose turn it is, undefined if there are none. Every member has one turn before any has a second one.
   */
  next(): T | undefined {
    // A Set's iterator is live: it skips members deleted meanwhile and still reaches those added meanwhile.
    const turn = this.#round.next()
    if (turn.done !== true) return turn.value
    this.#round = this.#members.values()
    const first = this.#round.next()
    return first.done === true ? undefined : first.value
  }
}
