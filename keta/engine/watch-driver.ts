/**
 * Gives the watch hub its turns: catch-up of lagging watchers in slices between other work, progress notifications on
 * time.
 */
import type { WatchHub } from '../watch/watch-hub.ts'
import type { Clock, Timer } from './ports.ts'

/** Revisions looked at per turn: a few milliseconds. */
const REVISIONS_PER_TURN = 2_000

export class WatchDriver {
  readonly #clock: Clock
  readonly #hub: WatchHub
  readonly #progressIntervalMs: number
  #catchUpScheduled = false
  #progressTimer: Timer | undefined
  #stopped = false

  constructor(clock: Clock, hub: WatchHub, progressIntervalMs: number) {
    this.#clock = clock
    this.#hub = hub
    this.#progressIntervalMs = progressIntervalMs
    this.#armProgress()
  }

  /** The hub has lagging watchers that could be served. */
  catchUpPending(): void {
    if (this.#catchUpScheduled || this.#stopped) return
    this.#catchUpScheduled = true
    this.#clock.soon(() => {
      this.#catchUpScheduled = false
      if (!this.#stopped && !this.#hub.catchUp(REVISIONS_PER_TURN)) this.catchUpPending()
    })
  }

  stop(): void {
    this.#stopped = true
    this.#progressTimer?.cancel()
  }

  #armProgress(): void {
    this.#progressTimer = this.#clock.setTimer(this.#progressIntervalMs, () => {
      this.#hub.progressTick()
      this.#armProgress()
    })
  }
}
