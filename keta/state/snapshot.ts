/** Restores the state from the chunks of a dump, handed in one by one as they are read. */
import { EMPTY_KEY } from '../bytes/key.ts'
import { MalformedMessage } from '../bytes/proto-reader.ts'
import { Lessor, NO_LEASE } from '../lease/lessor.ts'
import { DumpError } from '../mvcc/dump-error.ts'
import type { Store } from '../mvcc/kv.ts'
import { StoreLoader } from '../mvcc/store-loader.ts'
import { Alarms } from './alarms.ts'
import { decodeHeader, SnapshotError, type SnapshotHeader } from './snapshot-header.ts'
import { StateMachine } from './state-machine.ts'

export { SnapshotError } from './snapshot-header.ts'

export class SnapshotLoader {
  #header: SnapshotHeader | undefined
  readonly #store = new StoreLoader()

  /** The chunks must come whole and in order. @throws SnapshotError */
  add(chunk: Uint8Array): void {
    asSnapshotError(() => {
      if (this.#header === undefined) this.#header = decodeHeader(chunk)
      else this.#store.add(chunk)
    })
  }

  /** All chunks have been added. @throws SnapshotError */
  finish(): StateMachine {
    const header = this.#header
    if (header === undefined) throw new SnapshotError('GARBLED_SNAPSHOT', 'the snapshot has no chunks')
    const store = asSnapshotError(() => this.#store.finish())
    if (store.revision !== header.revision) {
      const revisions = `revision ${store.revision} in the store, ${header.revision} in the header`
      throw new SnapshotError('GARBLED_SNAPSHOT', `the snapshot does not fit together: ${revisions}`)
    }
    const alarms = new Alarms()
    for (const { memberId, alarm } of header.alarms) alarms.activate(memberId, alarm)
    const { position, claimer, featureLevel } = header
    const leases = restoreLeases(header, store)
    return new StateMachine({ store, leases, alarms, position, claimer, featureLevel })
  }
}

/** Attachments are not in the header: they are the lease fields of the live keys. */
function restoreLeases(header: SnapshotHeader, store: Store): Lessor {
  const leases = new Lessor()
  for (const { id, ttl } of header.leases) leases.grant(id, ttl)
  if (leases.size === 0) return leases
  const { versions } = store.range({ start: EMPTY_KEY, end: null }, store.revision, 0)
  for (const { key, lease } of versions) {
    if (lease !== NO_LEASE && !leases.has(lease)) {
      throw new SnapshotError('GARBLED_SNAPSHOT', `a key is attached to lease ${lease}, which is not in the snapshot`)
    }
    leases.move(key, NO_LEASE, lease)
  }
  return leases
}

/** Whatever a decoder finds wrong means that the snapshot cannot be used. */
function asSnapshotError<T>(decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof MalformedMessage || error instanceof DumpError)) throw error
    const newer = error instanceof DumpError && error.code === 'UNKNOWN_DUMP_FORMAT'
    const code = newer ? 'UNSUPPORTED_SNAPSHOT' : 'GARBLED_SNAPSHOT'
    throw new SnapshotError(code, `unusable snapshot: ${error.message}`, { cause: error })
  }
}
