/** What the protocol loops need of the world; tests bring their own. */
export interface Clock {
  /** Milliseconds, monotonic; only differences mean something. */
  now(): number
  /** Fires once, not before `delayMs` have passed. */
  setTimer(delayMs: number, fire: () => void): { cancel(): void }
}

export interface Logger {
  info(message: string, fields?: object): void
  warn(message: string, fields?: object): void
}

/** Resolves after `delayMs`, or as soon as the signal is aborted. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const end = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.setTimer(delayMs, end)
    signal.addEventListener('abort', end)
  })
}

/** The promise's outcome, or a rejection with `reason()` as soon as the signal is aborted, whichever comes first. */
export function unlessAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
  reason: () => Error,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(reason())
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
