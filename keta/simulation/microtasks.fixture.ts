/**
 * Runs everything that promises have in store, at once. A turn of the event loop (setImmediate) does so too, but costs
 * thirty times as much, and a simulated cluster takes millions of steps.
 */
import v8 from 'node:v8'
import vm from 'node:vm'

/** V8's own checkpoint: it returns when the queue of microtasks is empty, however many more they queue. */
const checkpoint = compileCheckpoint()

/**
 * Empties the queue of microtasks. Only outside of microtasks, see `inOwnTurn`.
 * @throws Error if it was called from a microtask: then nothing would have run.
 */
export function drainMicrotasks(): void {
  const seen = { drained: false }
  queueMicrotask(() => {
    seen.drained = true
  })
  checkpoint()
  if (!seen.drained) throw new Error('microtasks cannot be drained from a microtask')
}

/** Calls `work` in a turn of the event loop of its own, where microtasks can be drained. */
export function inOwnTurn<T>(work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(work())
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    })
  })
}

/**
 * V8 parses a function when it is called, and once more when it was not called for so long that its code was thrown
 * away. So the syntax stays allowed for as long as the process lives, which is one that tests.
 */
function compileCheckpoint(): () => void {
  v8.setFlagsFromString('--allow-natives-syntax')
  return vm.runInThisContext('(() => %PerformMicrotaskCheckpoint())') as () => void
}
