/** A clock for tests and simulation: time passes only when it is told to. */
import type { Clock, Timer } from './ports.ts'

interface Pending {
  readonly due: number
  readonly order: number
  readonly fire: () => void
}

export class ManualClock implements Clock {
  #now = 0
  #order = 0
  #timers: Pending[] = []
  readonly #tasks: (() => void)[] = []

  now(): number {
    return this.#now
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const pending = { due: this.#now + delayMs, order: this.#order++, fire }
    this.#timers.push(pending)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((timer) => timer !== pending)
      },
    }
  }

  soon(task: () => void): void {
    this.#tasks.push(task)
  }

  /** Timers that are set. */
  get timerCount(): number {
    return this.#timers.length
  }

  /** Time passes, and nothing can happen meanwhile: what was due is late. */
  standStill(ms: number): void {
    this.#now += ms
  }

  /** Lets everything that is due now happen, with whatever promises it settles, until nothing is left. */
  async settle(): Promise<void> {
    do {
      await microtasks()
      for (const task of this.#tasks.splice(0)) task()
      await microtasks()
    } while (this.#tasks.length > 0)
  }

  /** Lets time pass, timer by timer in the order in which they are due. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.settle()
    for (;;) {
      const next = this.#timers
        .filter((timer) => timer.due <= end)
        .toSorted((a, b) => a.due - b.due || a.order - b.order)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#now = Math.max(this.#now, next.due)
      next.fire()
      await this.settle()
    }
    this.#now = end
  }
}

/** A turn of the real event loop comes after every microtask that is queued, however deep they nest. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
