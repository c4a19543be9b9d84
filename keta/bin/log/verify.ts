/** Replays a log as a start would, and says what it found. */
import { LogError } from '../../log/log.ts'
import { SnapshotLoader } from '../../state/snapshot.ts'
import { StateMachine } from '../../state/state-machine.ts'
import type { LogSource } from './log-source.ts'

export interface Verified {
  readonly startOffset: number
  readonly endOffset: number
  /** Of the snapshot that it began with, if the log does not reach back to the beginning. */
  readonly snapshotOffset: number | undefined
  readonly records: number
  /** Records that every replica passes over: of a deposed leader, or written twice. */
  readonly ignored: number
  readonly epoch: number
  readonly revision: number
  /** A write at the end that a crash cut short. The next start cuts it off. */
  readonly unfinished: string | undefined
}

/**
 * Checks each record's checksum and place (epoch, owner, number, chain hash), and what the ticks say of the state.
 * @throws LogError CORRUPT, OUT_OF_RANGE; LogDivergedError, StateDivergedError, RecordError, SnapshotError
 */
export async function verifyLog(log: LogSource): Promise<Verified> {
  const { state, snapshotOffset } = await beginning(log)
  let records = 0
  let ignored = 0
  let endOffset = log.startOffset
  for await (const batch of log.records()) {
    for (const { offset, bytes } of batch) {
      records++
      endOffset = offset + 1
      if (offset <= state.position.offset) continue
      if (state.apply(offset, bytes).status === 'ignored') ignored++
    }
  }
  const { startOffset, unfinished } = log
  const { epoch } = state.position
  const { revision } = state.store
  return { startOffset, endOffset, snapshotOffset, records, ignored, epoch, revision, unfinished }
}

async function beginning(log: LogSource) {
  const { startOffset } = log
  if (startOffset === 0) return { state: new StateMachine(), snapshotOffset: undefined }
  const snapshots = await log.snapshots()
  const oldest = (await snapshots.list()).filter(({ offset }) => offset + 1 >= startOffset).at(-1)
  if (oldest === undefined) {
    throw new LogError('OUT_OF_RANGE', `the log begins at offset ${startOffset}, and no snapshot reaches so far`)
  }
  const loader = new SnapshotLoader()
  for await (const chunk of snapshots.load(oldest)) loader.add(chunk)
  return { state: loader.finish(), snapshotOffset: oldest.offset }
}
