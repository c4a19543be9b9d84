/** What group cases have done inside a child process. */
import type { Membership } from '../../spi/index.ts'
import type { AgentWorld, Routines } from '../kit/agent-world.ts'
import { watchLoop } from './election-clock.ts'

export const groupRoutines = { memberUntilLost, stall } satisfies Routines

export interface MemberArgs {
  readonly group: string
  readonly id: string
}

/** By the clock of all, without what a stalled event loop added. Milliseconds. */
export interface MembershipEnd {
  readonly abortedAt: number
  readonly toldAt: number
}

/** What `memberUntilLost` shows when it has joined; its details are the id. */
export const JOINED = 'joined'

/**
 * Joins as an id that it has not had before, and returns when that membership is over: when the signal said so, and
 * when the listener did.
 */
async function memberUntilLost(world: AgentWorld, { group, id }: MemberArgs): Promise<MembershipEnd> {
  const client = world.group(group)
  const loop = watchLoop()
  const { promise: told, resolve: tell } = withResolvers<number>()
  const listener = {
    onGroupChange: () => undefined,
    onMembershipLost(lost: Membership) {
      if (lost.id === id) tell(loop.ranAt())
    },
  }
  await client.addListener(listener)
  const membership = await client.join(id, 'here', { autoRejoin: false, onConflict: 'wait' })
  const { promise: aborted, resolve: abort } = withResolvers<number>()
  const onAbort = () => abort(loop.ranAt())
  if (membership.signal.aborted) onAbort()
  else membership.signal.addEventListener('abort', onAbort, { once: true })
  world.emit(JOINED, id)
  const [abortedAt, toldAt] = await Promise.all([aborted, told])
  loop.stop()
  return { abortedAt, toldAt }
}

/** Blocks the event loop, without burning the processor that other cases need. */
async function stall(_world: AgentWorld, ms: number): Promise<void> {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}
