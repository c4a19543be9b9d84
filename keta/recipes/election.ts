/** etcd's v3election service: one leader at a time, whose value everybody can see. */
import { KV } from '../proto/gen/etcdserverpb/rpc_pb.js'
import {
  type CampaignRequest,
  Election,
  type LeaderKey,
  type ProclaimRequest,
} from '../proto/gen/v3electionpb/v3election_pb.js'
import type { Method, ServiceTable } from '../transport/transport.ts'
import {
  createdAt,
  foundBy,
  giveUp,
  keyIn,
  leave,
  lineOf,
  oldest,
  placeFrom,
  putting,
  ranging,
  sessionOf,
  waitForTurn,
} from './line.ts'
import type { LocalClient } from './local-client.ts'
import { observe } from './observe.ts'
import { recipe, refusal } from './recipe.ts'

/** @param services what the recipe is made of: KV, Lease and Watch of this node. */
export function electionService(services: ServiceTable): ReadonlyMap<string, Method> {
  return new Map([
    recipe(services, Election.method.campaign, campaign),
    recipe(services, Election.method.proclaim, proclaim),
    recipe(services, Election.method.leader, async ({ name }, client) => {
      const { header, kvs } = await client.ask(KV.method.range, oldest(lineOf(name)))
      if (kvs[0] === undefined) throw refusal('election: no leader')
      return { header, kv: kvs[0] }
    }),
    recipe(services, Election.method.resign, async ({ leader }, client) => {
      const { key, rev } = present(leader)
      return { header: await leave({ key: Buffer.from(key), revision: rev }, client) }
    }),
    [Election.method.observe.name, observe(services)],
  ])
}

const NOT_LEADER = 'election: not leader'

/** With the lease of a candidate it changes that candidate's value. */
async function campaign({ name, lease, value }: CampaignRequest, client: LocalClient) {
  const session = await sessionOf(lease, client)
  const line = lineOf(name)
  const key = keyIn(line, session)
  const answer = await client.ask(KV.method.txn, {
    compare: [createdAt(key, 0n)],
    success: [putting(key, value, session)],
    failure: [ranging({ key })],
  })
  const place = placeFrom(line, key, answer)
  const leader = { name, key, rev: place.revision, lease: session }
  if (!answer.succeeded && !isValue(foundBy(answer.responses[0])?.value, value)) {
    try {
      await change(leader, value, session, client)
    } catch (error) {
      await giveUp(place, client)
      throw error
    }
  }
  // etcd does not look whether the candidate is still there when its turn comes, and so can elect two.
  if ((await waitForTurn(place, client)) === undefined) throw refusal(NOT_LEADER)
  return { header: answer.header, leader }
}

async function proclaim({ leader, value }: ProclaimRequest, client: LocalClient) {
  const claimed = present(leader)
  return { header: await change(claimed, value, await sessionOf(claimed.lease, client), client) }
}

/** Changes the value of a leader or a candidate who still is one. */
async function change(
  { key, rev }: Pick<LeaderKey, 'key' | 'rev'>,
  value: Uint8Array,
  session: bigint,
  client: LocalClient,
) {
  const success = [putting(key, value, session)]
  const { header, succeeded } = await client.ask(KV.method.txn, { compare: [createdAt(key, rev)], success })
  if (!succeeded) throw refusal(NOT_LEADER)
  return header
}

function present(leader: LeaderKey | undefined): LeaderKey {
  if (leader === undefined) throw refusal('"leader" field must be provided')
  return leader
}

function isValue(found: Uint8Array | undefined, value: Uint8Array): boolean {
  return found !== undefined && Buffer.compare(found, value) === 0
}
