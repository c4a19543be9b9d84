/**
 * One listener on a signal for all that wait for its abort. Node warns of a leak from the eleventh listener on, and a
 * broker gives the same signal to hundreds of calls.
 */

const waiting = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `fn` once when the signal aborts, at once if it has; not any more once disposed of. */
export function onAbort(signal: AbortSignal, fn: () => void): Disposable {
  if (signal.aborted) {
    fn()
    return { [Symbol.dispose]: () => undefined }
  }
  const all = waiting.get(signal) ?? listenTo(signal)
  // of its own, so that one function may wait twice
  const entry = () => fn()
  all.add(entry)
  return { [Symbol.dispose]: () => all.delete(entry) }
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const all = new Set<() => void>()
  waiting.set(signal, all)
  signal.addEventListener(
    'abort',
    () => {
      // one may dispose of another
      for (const entry of all) entry()
      all.clear()
    },
    { once: true },
  )
  return all
}
