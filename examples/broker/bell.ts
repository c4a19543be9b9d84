/** Something has changed: look again. Says neither what nor how often, so nothing can be missed by looking late. */

export class Bell {
  #resolve: () => void = () => undefined
  #next = this.#fresh()

  ring(): void {
    const resolve = this.#resolve
    this.#next = this.#fresh()
    resolve()
  }

  /** Resolves at the next ring, or after `ms`. Take it before you look, and await it if you saw nothing. */
  async next(ms: number): Promise<void> {
    const next = this.#next
    if (ms <= 0) return
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms)
    })
    await Promise.race([next, late])
    clearTimeout(timer)
  }

  #fresh(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve
    })
  }
}
