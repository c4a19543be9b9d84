/** What may be asked of a store, by name: the same in one process, over a connection and in the journal. */
import type { Store } from './store.ts'

/** Those that change something that outlives a restart, and are therefore written to the journal. */
const WRITES = [
  'openSession',
  'endSession',
  'takeSeat',
  'amendSeat',
  'emptySeat',
  'commit',
  'outcomeOf',
  'forgetHistory',
] as const satisfies readonly (keyof Store)[]

const READS = ['renewSession', 'page', 'sessions'] as const satisfies readonly (keyof Store)[]

export type Operation = (typeof WRITES)[number] | (typeof READS)[number]
export type Args<O extends Operation> = Parameters<Store[O]>
export type Result<O extends Operation> = ReturnType<Store[O]>

const WRITE_NAMES: ReadonlySet<string> = new Set(WRITES)
const NAMES: ReadonlySet<string> = new Set([...WRITES, ...READS])

export function isWrite(operation: Operation): boolean {
  return WRITE_NAMES.has(operation)
}

/** Whether what came over a connection names an operation. */
export function isOperation(name: unknown): name is Operation {
  return typeof name === 'string' && NAMES.has(name)
}

export function perform<O extends Operation>(store: Store, operation: O, args: Args<O>): Result<O> {
  return Reflect.apply<Store, Args<O>, Result<O>>(store[operation] as (...args: Args<O>) => Result<O>, store, args)
}
