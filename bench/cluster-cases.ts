/** The workloads of a cluster: what, by how many clients, and at which of its servers. */

/** Where the clients are: all at the server that leads, all at one that does not, or at all servers alike. */
export type Place = 'leader' | 'follower' | 'spread'

export interface ClusterCase {
  readonly name: string
  readonly place: Place
  readonly args: readonly string[]
}

export const KEYS = 5_000

const CLIENTS = [1, 100, 1000] as const
const PLACES: readonly Place[] = ['leader', 'follower', 'spread']

/** Of three servers. */
export const CLUSTER_CASES: readonly ClusterCase[] = [
  ...everywhere('put', ['put'], PLACES),
  ...everywhere('range linearizable', ['range'], PLACES),
  ...everywhere('range serializable', ['range', '--consistency', 's'], ['spread']),
]

/** Of the leader that reads by its lease; etcd reads as always. */
export const LEASE_CASES: readonly ClusterCase[] = everywhere('range linearizable', ['range'], PLACES)

/** Of one server on one broker. */
export const SINGLE_CASES: readonly ClusterCase[] = [
  ...everywhere('put', ['put'], ['leader']),
  ...everywhere('range linearizable', ['range'], ['leader']),
  ...everywhere('range serializable', ['range', '--consistency', 's'], ['leader']),
]

function everywhere(name: string, args: readonly string[], places: readonly Place[]): readonly ClusterCase[] {
  return CLIENTS.flatMap((clients) =>
    places.map((place) => ({
      name: `${name}, ${clients} ${clients === 1 ? 'client' : 'clients'}`,
      place,
      args: [...args, ...shape(clients)],
    })),
  )
}

function shape(clients: number): readonly string[] {
  const connections = Math.max(1, Math.round(clients / 10))
  const warmUp = Math.min(1_000, 100 + 5 * clients)
  return [
    ...['--clients', String(clients), '--conns', String(connections)],
    ...['--key-space-size', String(KEYS), '--warmup', String(warmUp)],
  ]
}
