/** Leaderships that this broker has to let go of: those of an earlier life, and all of them before it ends. */
import { isCoordinationError, modify, type Storage, type Version } from 'keta/spi'
import { decodeState, encodeState, NO_LEADER, type PartitionState } from '../core/metadata.ts'
import { parseStatePath, shutdownPath, TOPICS } from '../core/paths.ts'
import { isBrokerError } from '../errors.ts'

export interface Led {
  readonly key: string
  readonly state: PartitionState
  readonly version: Version
}

/** The partitions that the store says this broker leads. */
export async function ledBy(storage: Storage, broker: number): Promise<readonly Led[]> {
  const led: Led[] = []
  for await (const { key, text, version } of storage.scan(TOPICS)) {
    if (parseStatePath(key) === undefined) continue
    try {
      const state = decodeState(text)
      if (state.leader === broker) led.push({ key, state, version })
    } catch (error) {
      // the controller tells of it
      if (!isBrokerError(error)) throw error
    }
  }
  return led
}

/**
 * Gives up what an earlier process of this broker led: this one may have lost the end of the log, and must not go on in
 * the same leader epoch as if it had not. A controller elects anew, perhaps this one. @param led was read before this
 * process was registered: what a controller has decided since, it has decided about this process.
 */
export async function resignLed(storage: Storage, led: readonly Led[]): Promise<void> {
  for (const { key, state, version } of led) {
    const resigned = encodeState({ ...state, leader: NO_LEADER, leaderEpoch: state.leaderEpoch + 1 })
    try {
      await storage.update(key, resigned, { ifVersion: version })
    } catch (error) {
      const isChanged =
        isCoordinationError(error, 'VERSION_MISMATCH') ||
        isCoordinationError(error, 'KEY_NOT_FOUND') ||
        // of our own write: the epoch has risen either way, or the former one was ended by somebody else
        (await storage.fetchEntry(key))?.version !== version
      if (!isChanged) throw error
    }
  }
}

/** Asks the controller to have others lead instead. */
export async function askToLeave(storage: Storage, broker: number, epoch: bigint): Promise<void> {
  await modify(storage, shutdownPath(broker), () => epoch.toString())
}
