/** The follows of a driver that have not been closed yet. */
import type { Follow } from './driver.ts'

export class OpenFollows {
  readonly #open = new Set<Follow>()

  /** @returns the follow to give out: closing it lets it be forgotten here. */
  keep(follow: Follow): Follow {
    const opened: Follow = {
      active: follow.active,
      close: () => {
        this.#open.delete(opened)
        follow.close()
      },
    }
    this.#open.add(opened)
    return opened
  }

  closeAll(): void {
    for (const follow of [...this.#open]) follow.close()
  }
}
