/** Time as the peer link needs it: an injected clock, so that tests decide when time passes. */

export interface Clock {
  /** Fires once, not before `delayMs` have passed. */
  setTimer(delayMs: number, fire: () => void): Timer
  /** Runs `task` after the input that has already arrived has been handled. */
  soon(task: () => void): void
}

export interface Timer {
  cancel(): void
}

/** The clock of a real process. */
export const processClock: Clock = {
  setTimer: (delayMs, fire) => {
    const handle = setTimeout(fire, delayMs)
    return { cancel: () => clearTimeout(handle) }
  },
  soon: (task) => {
    setImmediate(task)
  },
}
