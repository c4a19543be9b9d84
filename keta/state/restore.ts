/** Puts a state together from a store and what a header tells of the rest. */
import { EMPTY_KEY } from '../bytes/key.ts'
import { AuthStore } from '../auth/auth-store.ts'
import { Lessor, NO_LEASE } from '../lease/lessor.ts'
import type { Store } from '../mvcc/kv.ts'
import { Alarms } from './alarms.ts'
import type { StateJournal } from './journal.ts'
import { SnapshotError, type SnapshotHeader } from './snapshot-header.ts'
import { StateMachine } from './state-machine.ts'

/**
 * @param journal told of what is applied from now on.
 * @throws SnapshotError if header and store do not fit together.
 */
export function restoreState(header: SnapshotHeader, store: Store, journal: StateJournal | undefined): StateMachine {
  if (store.revision !== header.revision) {
    const revisions = `revision ${store.revision} in the store, ${header.revision} in the header`
    throw new SnapshotError('GARBLED_SNAPSHOT', `the parts of the state do not fit together: ${revisions}`)
  }
  const alarms = new Alarms()
  for (const { memberId, alarm } of header.alarms) alarms.activate(memberId, alarm)
  const { position, claimer, featureLevel } = header
  const leases = restoreLeases(header, store)
  const auth = new AuthStore(header.auth)
  return new StateMachine({ store, leases, alarms, auth, position, claimer, featureLevel, journal })
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
