/** What can go wrong, each as one disturbance from its beginning to its end. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Weather } from '../../../conformance/kit/proxy.ts'
import { Maintenance } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from '../api-client.fixture.ts'
import type { Random } from '../differential/random.ts'
import { type FaultCluster, TIMES } from './fault-cluster.ts'

/** Disturbs, waits, and mends what it has done. The cluster may need a while after that. */
type Disturbance = (cluster: FaultCluster, random: Random) => Promise<void>

export interface Fault {
  /** "serves again after …" */
  readonly name: string
  /** What it is done to. Two faults that are done to the same must not be done at once. */
  readonly to: 'nodes' | 'brokers' | 'network'
  /** Whoever led before it cannot lead after it, unless it was elected again. */
  readonly endsReign?: boolean
  readonly disturb: Disturbance
}

const ROLLING_GAP_MS = 500
const MOVE_MS = 10_000

export const FAULTS: readonly Fault[] = [
  { name: 'the leader is killed', to: 'nodes', endsReign: true, disturb: killed((cluster) => cluster.leader()) },
  { name: 'a follower is killed', to: 'nodes', disturb: killed(follower) },
  {
    name: 'a follower loses its disk',
    to: 'nodes',
    disturb: async (cluster, random) => {
      await cluster.startCold(nodeAt(cluster, await follower(cluster, random)))
    },
  },
  {
    name: 'the leader stands still for less than it is given',
    to: 'nodes',
    disturb: async (cluster, random) => {
      await paused(cluster, await cluster.leader(), 0.1 * TIMES.silenceMs + random.below(TIMES.silenceMs))
    },
  },
  {
    name: 'the leader stands still until another one leads',
    to: 'nodes',
    endsReign: true,
    disturb: async (cluster, random) => {
      const leader = nodeAt(cluster, await cluster.leader())
      leader.pause()
      await delay(TIMES.sessionMs + TIMES.silenceMs + 1_000 + random.below(2_000))
      // It cannot say itself that it leads. Among other faults nobody may lead for long.
      await cluster.leader().catch(() => undefined)
      leader.resume()
    },
  },
  {
    name: 'a follower stands still',
    to: 'nodes',
    disturb: async (cluster, random) => {
      await paused(cluster, await follower(cluster, random), 500 + random.below(2 * TIMES.sessionMs))
    },
  },
  {
    name: 'the broker of the log is killed',
    to: 'brokers',
    disturb: async (cluster, random) => {
      const broker = brokerAt(cluster, (await cluster.leadingBroker()) ?? random.below(3))
      await broker.kill()
      await delay(500 + random.below(2_000))
      await broker.restart()
    },
  },
  {
    name: 'the broker of the log stands still',
    to: 'brokers',
    disturb: async (cluster, random) => {
      const broker = brokerAt(cluster, (await cluster.leadingBroker()) ?? random.below(3))
      broker.pause()
      await delay(300 + random.below(4_000))
      broker.resume()
    },
  },
  { name: 'the leader cannot reach the brokers', to: 'network', disturb: cutOff({ refuses: true }) },
  {
    name: 'nothing comes through between the leader and the brokers',
    to: 'network',
    disturb: cutOff({ blocked: 'both' }),
  },
  { name: 'the leader hears nothing from the brokers', to: 'network', disturb: cutOff({ blocked: 'to-client' }) },
  { name: 'the brokers hear nothing from the leader', to: 'network', disturb: cutOff({ blocked: 'to-server' }) },
  {
    name: 'one broker is out of reach for the leader',
    to: 'network',
    disturb: async (cluster, random) => {
      const weather = random.pick<Partial<Weather>>([{ refuses: true }, { blocked: 'both' }])
      const [node, broker] = [await cluster.leader(), (await cluster.leadingBroker()) ?? random.below(3)]
      await disturbed(cluster, random, () => cluster.links.set(weather, node, broker))
    },
  },
  {
    name: 'the ways to the brokers are slow',
    to: 'network',
    disturb: async (cluster, random) => {
      const weather = { delayMs: 20 + random.below(300), jitterMs: 20 }
      await disturbed(cluster, random, () => everyNode(cluster, (node) => cluster.links.set(weather, node)))
    },
  },
  {
    name: 'connections to the brokers break',
    to: 'network',
    disturb: async (cluster, random) => {
      await disturbed(cluster, random, () =>
        everyNode(cluster, (node) => cluster.links.set({ resetChance: 0.03 }, node)),
      )
    },
  },
  {
    name: 'the nodes cannot reach the leader',
    to: 'network',
    disturb: async (cluster, random) => {
      const weather = random.pick<Partial<Weather>>([{ refuses: true }, { blocked: 'both' }, { blocked: 'to-client' }])
      const leader = await cluster.leader()
      await disturbed(cluster, random, () => cluster.setPeerWeather(weather, leader))
    },
  },
  {
    name: 'connections between the nodes break',
    to: 'network',
    disturb: async (cluster, random) => {
      await disturbed(cluster, random, () =>
        everyNode(cluster, (node) => cluster.setPeerWeather({ resetChance: 0.05, delayMs: 20 }, node)),
      )
    },
  },
  {
    name: 'the leader is cut off from everything',
    to: 'network',
    disturb: async (cluster, random) => {
      const leader = await cluster.leader()
      await disturbed(cluster, random, () => {
        cluster.links.set({ blocked: 'both' }, leader)
        cluster.setPeerWeather({ blocked: 'both' }, leader)
      })
    },
  },
  {
    name: 'the lead is moved',
    to: 'nodes',
    endsReign: true,
    disturb: async (cluster, random) => {
      const before = await cluster.epoch()
      const deadline = performance.now() + MOVE_MS
      // A node that was out of reach is a candidate when the others have heard of it again.
      while ((await cluster.epoch()) === before && performance.now() < deadline) {
        const [from, to] = [await cluster.leader(), await follower(cluster, random)]
        await moveLead(cluster, from, to).catch(() => undefined)
      }
    },
  },
  {
    name: 'all nodes are restarted, one after another',
    to: 'nodes',
    endsReign: true,
    disturb: async (cluster) => {
      for (const node of cluster.nodes) {
        await node.restart()
        await delay(ROLLING_GAP_MS)
      }
    },
  },
  {
    name: 'all nodes are killed at once',
    to: 'nodes',
    endsReign: true,
    disturb: async (cluster) => {
      await Promise.all(cluster.nodes.map((node) => node.kill()))
      await Promise.all(cluster.nodes.map((node) => node.restart()))
    },
  },
  { name: 'two brokers are killed, of which one is needed', to: 'brokers', disturb: brokersKilled(2) },
  { name: 'all brokers are killed at once', to: 'brokers', disturb: brokersKilled(3) },
]

/** Asks the node that leads to let another one lead. @throws ServiceError */
export async function moveLead(cluster: FaultCluster, from: number, to: number): Promise<void> {
  const [leader, target] = [from, to].map((index) => new ApiClient(nodeAt(cluster, index).endpoint))
  if (leader === undefined || target === undefined) throw new RangeError('there is no such node')
  try {
    const { header } = await target.call(Maintenance.method.status, {})
    await leader.call(Maintenance.method.moveLeader, { targetID: header?.memberId ?? 0n })
  } finally {
    leader.close()
    target.close()
  }
}

export function nodeAt({ nodes }: FaultCluster, index: number): FaultCluster['nodes'][number] {
  const node = nodes[index]
  if (node === undefined) throw new RangeError(`there is no node ${index}`)
  return node
}

/** Any of those that do not lead. */
export async function follower(cluster: FaultCluster, random: Random): Promise<number> {
  const leader = await cluster.leader()
  return (leader + 1 + random.below(cluster.nodes.length - 1)) % cluster.nodes.length
}

function killed(choose: (cluster: FaultCluster, random: Random) => Promise<number>): Disturbance {
  return async (cluster, random) => {
    const node = nodeAt(cluster, await choose(cluster, random))
    await node.kill()
    await delay(random.below(2_000))
    await node.restart()
  }
}

function cutOff(weather: Partial<Weather>): Disturbance {
  return async (cluster, random) => {
    const leader = await cluster.leader()
    await disturbed(cluster, random, () => cluster.links.set(weather, leader))
  }
}

async function paused(cluster: FaultCluster, index: number, ms: number): Promise<void> {
  const node = nodeAt(cluster, index)
  node.pause()
  await delay(ms)
  node.resume()
}

async function disturbed(cluster: FaultCluster, random: Random, begin: () => void): Promise<void> {
  begin()
  await delay(500 + random.below(TIMES.sessionMs + 3_000))
  cluster.healNetwork()
}

function everyNode({ nodes }: FaultCluster, action: (node: number) => void): void {
  for (const index of nodes.keys()) action(index)
}

function brokerAt({ kafka }: FaultCluster, index: number): FaultCluster['nodes'][number] {
  const broker = kafka.brokers[index]
  if (broker === undefined) throw new RangeError(`there is no broker ${index}`)
  return broker
}

function brokersKilled(count: number): Disturbance {
  return async ({ kafka }, random) => {
    const first = random.below(3)
    const brokers = kafka.brokers.filter((_, index) => (index + 3 - first) % 3 < count)
    await Promise.all(brokers.map((broker) => broker.kill()))
    await delay(random.below(2_000))
    await Promise.all(brokers.map((broker) => broker.restart()))
  }
}
