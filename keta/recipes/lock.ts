/** etcd's v3lock service: mutual exclusion for clients that do not want to wait by themselves. */
import { KV } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { Lock, type LockRequest } from '../proto/gen/v3lockpb/v3lock_pb.js'
import type { Method, ServiceTable } from '../transport/transport.ts'
import {
  createdAt,
  foundBy,
  keyIn,
  lineOf,
  oldest,
  placeFrom,
  putting,
  ranging,
  sessionOf,
  waitForTurn,
} from './line.ts'
import type { LocalClient } from './local-client.ts'
import { recipe, refusal } from './recipe.ts'

/** @param services what the recipe is made of: KV, Lease and Watch of this node. */
export function lockService(services: ServiceTable): ReadonlyMap<string, Method> {
  return new Map([
    recipe(services, Lock.method.lock, lock),
    recipe(services, Lock.method.unlock, async ({ key }, client) => {
      const { header } = await client.ask(KV.method.deleteRange, { key })
      return { header }
    }),
  ])
}

const NOTHING = new Uint8Array()

/** The owner is the lease: whoever asks again with the same one has what it had. */
async function lock({ name, lease }: LockRequest, client: LocalClient) {
  const session = await sessionOf(lease, client)
  const line = lineOf(name)
  const key = keyIn(line, session)
  const holder = ranging(oldest(line))
  const answer = await client.ask(KV.method.txn, {
    compare: [createdAt(key, 0n)],
    success: [putting(key, NOTHING, session), holder],
    failure: [ranging({ key }), holder],
  })
  const place = placeFrom(line, key, answer)
  if (foundBy(answer.responses[1])?.createRevision === place.revision) return { header: answer.header, key }
  const header = await waitForTurn(place, client)
  if (header === undefined) throw refusal('mutex: session is expired')
  return { header, key }
}
