/** Dumps the state as chunks, while it goes on changing. */
import type { PositionedState } from './journal.ts'
import { encodeHeader } from './snapshot-header.ts'

export interface StateDump {
  /** The dump contains every record up to and including this offset. */
  readonly offset: number
  /** The state as it was when the dump was begun; made as they are pulled. Can be iterated once. */
  readonly chunks: Iterable<Uint8Array>
  /** Must be called when done or given up: until then the store keeps what the dump still needs. Idempotent. */
  close(): void
}

/** What is not in the store is small and is copied at once; the store provides its own frozen view. */
export function dumpState(state: PositionedState): StateDump {
  const header = encodeHeader({
    position: state.position,
    claimer: state.claimer,
    featureLevel: state.featureLevel,
    revision: state.store.revision,
    leases: [...state.leases.leases()],
    alarms: state.alarms.list(),
    auth: state.auth.image,
  })
  const dump = state.store.dump()
  return { offset: state.position.offset, chunks: chunksOf(header, dump.chunks), close: () => dump.close() }
}

function* chunksOf(header: Uint8Array, store: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield header
  yield* store
}
