/**
 * Errors that nobody caught, while cases run: a rejection without a handler, an exception out of a callback. They fail
 * the cases that were running, not the process.
 */

const KINDS = ['unhandledRejection', 'uncaughtException'] as const

/** Takes the place of all other listeners, such as the test framework's, until disposed of. */
export function catchStrayErrors(onError: (error: Error) => void): Disposable {
  const restore = KINDS.map((kind) => {
    const others = process.listeners(kind as 'uncaughtException')
    const ours = (error: unknown) => {
      onError(new Error(`${kind}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`))
    }
    process.removeAllListeners(kind)
    process.on(kind, ours)
    return () => {
      process.off(kind, ours)
      for (const other of others) process.on(kind as 'uncaughtException', other)
    }
  })
  return {
    [Symbol.dispose]() {
      for (const undo of restore) undo()
    },
  }
}
