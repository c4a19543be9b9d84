/** The id of the cluster, by which its brokers know their own logs. */
import { randomBytes } from 'node:crypto'
import { modify, type Storage } from 'keta/spi'
import { parseObject } from '../core/json.ts'
import { CLUSTER_ID } from '../core/paths.ts'

/** Given by the first broker of a cluster. */
export async function clusterIdOf(storage: Storage): Promise<string> {
  const fresh = () => JSON.stringify({ version: '1', id: randomBytes(16).toString('base64url') })
  const entry = await modify(storage, CLUSTER_ID, (now) => (now === undefined ? fresh() : undefined), {
    // whoever's it is, it counts
    appliedIn: () => false,
  })
  return String(parseObject(entry?.text ?? '{}', CLUSTER_ID)['id'])
}
