/** What a node does last that has found its state, or the log, to be another than the leader's. */
import { authorMetadata, SERVER } from '../command/author.ts'
import { encodeCommandBody } from '../command/codec.ts'
import { ALARM_CORRUPT } from '../command/command.ts'
import { PeerError, type Peers } from '../cluster/peers.ts'
import { LogDivergedError, StateDivergedError } from '../state/state-machine.ts'
import type { EngineLogger } from './ports.ts'

/** How long a node that must stop tries to tell the others why. */
const ALARM_MS = 1_000

export function isDivergence(error: Error): boolean {
  return error instanceof LogDivergedError || error instanceof StateDivergedError
}

/**
 * Has the leader, who is reached by `urls`, raise the alarm CORRUPT for this member. As in etcd: the cluster takes no
 * more writes until a person has looked. Logs what goes wrong.
 */
export async function raiseCorrupt(
  peers: Peers,
  urls: readonly string[],
  memberId: bigint,
  logger: EngineLogger,
): Promise<void> {
  const link = peers.connect(urls, () => undefined)
  const body = encodeCommandBody({ kind: 'alarm', action: 'activate', memberId, alarm: ALARM_CORRUPT })
  try {
    const method = 'etcdserverpb.Maintenance/Alarm'
    await link.request({ kind: 'forward', method, body, metadata: authorMetadata(SERVER) }, ALARM_MS)
  } catch (error) {
    if (!(error instanceof PeerError)) throw error
    logger.error('the alarm CORRUPT could not be raised', { error })
  } finally {
    link.close()
  }
}
