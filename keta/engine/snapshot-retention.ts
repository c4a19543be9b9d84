/** What becomes of the log once snapshots cover it. */
import type { Log } from '../log/log.ts'
import type { SnapshotInfo, SnapshotStore } from '../log/snapshots.ts'
import { KEPT_SNAPSHOTS } from './snapshotter.ts'

/** Drops what the oldest of the kept snapshots covers, if as many are kept as should be. */
export async function dropCovered(log: Log, kept: readonly SnapshotInfo[]): Promise<void> {
  const oldest = kept[KEPT_SNAPSHOTS - 1]
  if (oldest !== undefined) await log.dropBefore(oldest.offset + 1)
}

/**
 * Copies a node's newest snapshot to where all nodes find it, and drops from the log what the shared ones cover: a node
 * that has neither disk nor memory of its own can start from these and the rest of the log.
 */
export async function share(own: SnapshotStore, newest: SnapshotInfo, shared: SnapshotStore, log: Log): Promise<void> {
  const known = await shared.list()
  if (known.some(({ offset }) => offset >= newest.offset)) return
  await shared.save(newest.offset, own.load(newest))
  await shared.prune(KEPT_SNAPSHOTS)
  await dropCovered(log, await shared.list())
}
