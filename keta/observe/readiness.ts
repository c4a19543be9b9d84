/** Whether the node serves, and who wants to know. */

export class NodeReadiness {
  #serving = false
  readonly #listeners = new Set<() => void>()

  get serving(): boolean {
    return this.#serving
  }

  set(serving: boolean): void {
    if (serving === this.#serving) return
    this.#serving = serving
    for (const listener of [...this.#listeners]) listener()
  }

  /** @returns the end of the subscription. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
