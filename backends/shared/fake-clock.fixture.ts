/** Time in the hand of a test: one world, and clients in it whose clocks can be set and whose event loops can stall. */
import type { Clock } from '../../spi/index.ts'

interface Timer {
  readonly at: number
  readonly fn: () => void
}

export class FakeWorld implements Clock {
  #now = 1_000_000
  #isPassing = false
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#now
  }

  setTimeout(fn: () => void, ms: number): Disposable {
    const timer = { at: this.#now + Math.max(0, ms), fn }
    this.#timers.add(timer)
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) }
  }

  /** Runs what is due, each at its time, and everything that follows from it. `looking` runs after each. */
  async pass(ms: number, looking: () => void = () => undefined): Promise<void> {
    // two at once would set the clock back
    if (this.#isPassing) throw new Error('time passes already')
    this.#isPassing = true
    const end = this.#now + ms
    await settled()
    for (;;) {
      const next = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      looking()
      next.fn()
      looking()
      await settled()
      looking()
    }
    this.#now = end
    this.#isPassing = false
    looking()
  }

  get waiting(): number {
    return this.#timers.size
  }
}

/** Its timers wait while it is stalled; time does not. */
export class FakeClientClock implements Clock {
  readonly #world: FakeWorld
  #ahead = 0
  #stalled: (() => void)[] | undefined

  constructor(world: FakeWorld) {
    this.#world = world
  }

  now(): number {
    return this.#world.now() + this.#ahead
  }

  setTimeout(fn: () => void, ms: number): Disposable {
    let isLive = true
    const run = () => {
      if (!isLive) return
      if (this.#stalled === undefined) fn()
      else this.#stalled.push(run)
    }
    const timer = this.#world.setTimeout(run, ms)
    return {
      [Symbol.dispose]: () => {
        isLive = false
        timer[Symbol.dispose]()
      },
    }
  }

  stepForward(ms: number): void {
    this.#ahead += ms
  }

  stall(): void {
    this.#stalled ??= []
  }

  /** What was due comes now; nothing runs before the caller's next await. */
  wake(): void {
    const due = this.#stalled ?? []
    this.#stalled = undefined
    for (const run of due) this.#world.setTimeout(run, 0)
  }
}

/** All that follows from what has happened without time passing. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
