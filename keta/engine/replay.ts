/**
 * Start-up: the newest usable snapshot, then the log after it. A damaged snapshot is passed over for the next older
 * one, loudly; if the log does not reach back to what is usable, the start is refused, because data would be missing.
 */
import type { StateBacking } from '../backing/backing.ts'
import { type Log, LogError } from '../log/log.ts'
import type { SnapshotInfo, SnapshotStore } from '../log/snapshots.ts'
import { SnapshotError } from '../state/snapshot.ts'
import type { StateMachine } from '../state/state-machine.ts'
import type { EngineLogger, ReplayProgress } from './ports.ts'

export interface RestorePorts {
  readonly backing: StateBacking
  /** Lowest offset that the log still holds. */
  readonly startOffset: number
  /** The node's own first. */
  readonly stores: readonly SnapshotStore[]
  readonly logger: EngineLogger
  readonly onProgress: (progress: ReplayProgress) => void
}

export interface ReplayPorts extends Omit<RestorePorts, 'stores' | 'startOffset'> {
  readonly log: Log
  readonly snapshots: SnapshotStore
}

export interface Replayed {
  readonly state: StateMachine
  readonly snapshotBytes: number
  /** Offsets of snapshots of the node's own that could not be loaded. */
  readonly damagedSnapshots: ReadonlySet<number>
  /** Bytes of log that were applied on top of the snapshot. */
  readonly logBytes: number
}

/** @throws LogError CORRUPT, OUT_OF_RANGE; LogDivergedError. */
export async function replay(ports: ReplayPorts): Promise<Replayed> {
  const loaded = await restore({ ...ports, startOffset: ports.log.startOffset, stores: [ports.snapshots] })
  const { state } = loaded
  const from = state.position.offset + 1
  checkNothingMissing(ports.log, from)
  const logBytes = await applyLog(ports, state, from)
  return { ...loaded, logBytes }
}

/** Before anything is appended: a claim behind a log that lost its tail would stand where other records stood. */
function checkNothingMissing({ startOffset, endOffset }: Log, from: number): void {
  if (from >= startOffset && from <= endOffset) return
  const gap =
    from < startOffset
      ? `the log begins at offset ${startOffset}, but no usable snapshot reaches further than ${from - 1}`
      : `the snapshot holds every record up to offset ${from - 1}, but the log ends before offset ${endOffset}`
  throw new LogError('OUT_OF_RANGE', `${gap}: records are missing. Restore the data directory from a backup.`)
}

/**
 * The state that an earlier run left behind if it did and the log goes on from there; else that of the newest usable
 * snapshot, wherever it is kept; else an empty one.
 */
export async function restore(ports: RestorePorts): Promise<Replayed> {
  const damagedSnapshots = new Set<number>()
  const snapshots = await newestFirst(ports.stores)
  const { restored } = ports.backing
  if (restored !== undefined && restored.position.offset + 1 >= ports.startOffset) {
    return { state: restored, snapshotBytes: snapshots[0]?.snapshot.sizeBytes ?? 0, damagedSnapshots, logBytes: 0 }
  }
  for (const { store, snapshot } of snapshots) {
    try {
      const state = await loadSnapshot(ports, store, snapshot)
      return { state, snapshotBytes: snapshot.sizeBytes, damagedSnapshots, logBytes: 0 }
    } catch (error) {
      const damaged = error instanceof SnapshotError || (error instanceof LogError && error.code === 'CORRUPT')
      if (!damaged) throw error
      if (store === ports.stores[0]) damagedSnapshots.add(snapshot.offset)
      ports.logger.error('a snapshot is damaged; trying the next older one', { offset: snapshot.offset, error })
    }
  }
  return { state: await ports.backing.empty(), snapshotBytes: 0, damagedSnapshots, logBytes: 0 }
}

interface Found {
  readonly store: SnapshotStore
  readonly snapshot: SnapshotInfo
}

/** Of those that reach equally far the node's own, which is loaded faster. */
async function newestFirst(stores: readonly SnapshotStore[]): Promise<readonly Found[]> {
  const found: Found[] = []
  for (const store of stores) {
    for (const snapshot of await store.list()) found.push({ store, snapshot })
  }
  return found.sort((a, b) => b.snapshot.offset - a.snapshot.offset)
}

async function loadSnapshot(ports: RestorePorts, store: SnapshotStore, snapshot: SnapshotInfo): Promise<StateMachine> {
  const loader = await ports.backing.loader()
  let done = 0
  for await (const chunk of store.load(snapshot)) {
    loader.add(chunk)
    await ports.backing.ready()
    done += chunk.length
    ports.onProgress({ phase: 'snapshot', done, total: snapshot.sizeBytes })
  }
  return loader.finish()
}

async function applyLog(ports: ReplayPorts, state: StateMachine, from: number): Promise<number> {
  const total = ports.log.endOffset - from
  let done = 0
  let bytes = 0
  for await (const batch of ports.log.read(from)) {
    for (const record of batch) {
      state.apply(record.offset, record.bytes)
      bytes += record.bytes.length
    }
    done += batch.length
    await ports.backing.ready()
    ports.onProgress({ phase: 'log', done, total })
  }
  return bytes
}
