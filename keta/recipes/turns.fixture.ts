/** For tests: waiting for what other promises do, without clocks in the outcome. */

import { setImmediate as nextTurn } from 'node:timers/promises'

const GIVE_UP_MS = 5000

/** Lets everything run that can run now. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn()
}

/** @throws if it does not come to hold. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never came to hold: ${String(condition)}`)
    await turns(1)
  }
}
