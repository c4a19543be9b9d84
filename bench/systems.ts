/** The clusters that are measured against each other, seen alike: three servers of which one leads. */
import { setTimeout as delay } from 'node:timers/promises'
import { Maintenance } from '../keta/proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from '../keta/test/api-client.fixture.ts'
import { startEtcdCluster } from '../test-servers/etcd-cluster.ts'
import type { KafkaCluster } from '../test-servers/kafka.ts'
import { startKetaCluster } from '../test-servers/keta-cluster.ts'
import type { TestServer } from '../test-servers/server.ts'

export interface MeasuredCluster {
  readonly name: string
  readonly servers: readonly TestServer[]
  /** What keeps the log, if that is not the servers themselves. */
  readonly brokers: readonly TestServer[]
  /** Resolves when all servers answer. */
  ready(): Promise<void>
  stop(): Promise<void>
}

const LEADER_MS = 30_000

export async function etcdCluster(members: number): Promise<MeasuredCluster> {
  const etcd = await startEtcdCluster({ members })
  return { name: 'etcd', servers: etcd.members, brokers: [], ready: () => etcd.ready(), stop: () => etcd.stop() }
}

/** Several may share one Kafka. It is not stopped with them. */
export async function ketaCluster(
  kafka: KafkaCluster,
  nodes: number,
  flags: readonly string[] = [],
): Promise<MeasuredCluster> {
  const keta = await startKetaCluster({ bootstrapServers: () => kafka.bootstrapServers, nodes, flags })
  return {
    name: 'keta',
    servers: keta.nodes,
    brokers: kafka.brokers,
    ready: () => keta.ready(),
    stop: () => keta.stop(),
  }
}

/** @throws if none of the servers leads for long */
export async function leaderOf({ name, servers }: MeasuredCluster): Promise<TestServer> {
  const deadline = performance.now() + LEADER_MS
  while (performance.now() < deadline) {
    for (const server of servers) if (await leads(server)) return server
    await delay(50)
  }
  throw new Error(`${name}: nobody leads after ${LEADER_MS} ms`)
}

/** One that does not lead. */
export async function followerOf(cluster: MeasuredCluster): Promise<TestServer> {
  const leader = await leaderOf(cluster)
  const follower = cluster.servers.find((server) => server !== leader)
  if (follower === undefined) throw new Error(`${cluster.name} has no follower`)
  return follower
}

async function leads({ endpoint }: TestServer): Promise<boolean> {
  const client = new ApiClient(endpoint, { deadlineMs: 1_000 })
  try {
    const { leader, header } = await client.call(Maintenance.method.status, {})
    return leader !== 0n && leader === header?.memberId
  } catch {
    return false
  } finally {
    client.close()
  }
}
