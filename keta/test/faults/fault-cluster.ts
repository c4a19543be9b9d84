/** A cluster of three nodes on a Kafka of three brokers, with a proxy on every way between them. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Connection, metadataV12 } from '@platformatic/kafka'
import { FINE, startProxy, type TcpProxy, type Weather } from '../../../conformance/kit/proxy.ts'
import { type KafkaCluster, type KafkaOptions, startKafka } from '../../../test-servers/kafka.ts'
import { type KetaCluster, startKetaCluster } from '../../../test-servers/keta-cluster.ts'
import type { TestServer } from '../../../test-servers/server.ts'
import { Maintenance, type StatusResponse } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from '../api-client.fixture.ts'
import { BrokerLinks } from './broker-links.ts'
import type { Subject } from './fault-run.ts'

const NODES = ['n0', 'n1', 'n2'] as const
const ASK_MS = 1_000
const LEADER_MS = 40_000

/** What `FaultCluster` sets unless told otherwise: a node that is silent is given up within about two seconds. */
export const TIMES = { sessionMs: 2_000, silenceMs: 1_200 }
const FLAGS = [`--kafka-session-timeout=${TIMES.sessionMs}ms`, `--leader-silence=${TIMES.silenceMs}ms`]

export interface FaultKafka {
  readonly kafka: KafkaCluster
  readonly links: BrokerLinks
  stop(): Promise<void>
}

/** One for all clusters of a test run: brokers are slow to start. */
export async function startFaultKafka(random: () => number, options: KafkaOptions = {}): Promise<FaultKafka> {
  const links = new BrokerLinks(NODES, random)
  try {
    const kafka = await startKafka({
      brokers: 3,
      ...options,
      advertised: (index, endpoint) => links.open(index, endpoint),
    })
    const stop = async (): Promise<void> => {
      await Promise.all([kafka.stop(), links.close()])
    }
    return { kafka, links, stop }
  } catch (error) {
    await links.close()
    throw error
  }
}

export interface FaultClusterOptions {
  readonly name: string
  /** Of all nodes. */
  readonly flags?: readonly string[]
}

export class FaultCluster implements Subject {
  readonly kafka: KafkaCluster
  readonly links: BrokerLinks
  readonly keta: KetaCluster
  readonly name: string
  /** Before each node, for the others: what they call it by. */
  readonly #doors: readonly TcpProxy[]

  private constructor({ kafka, links }: FaultKafka, keta: KetaCluster, name: string, doors: readonly TcpProxy[]) {
    this.kafka = kafka
    this.links = links
    this.keta = keta
    this.name = name
    this.#doors = doors
  }

  /** @param random decides on jitter and resets. */
  static async start(on: FaultKafka, random: () => number, options: FaultClusterOptions): Promise<FaultCluster> {
    const { name, flags = [] } = options
    const doors: TcpProxy[] = []
    try {
      const keta = await startKetaCluster({
        bootstrapServers: () => on.kafka.bootstrapServers,
        name,
        nodes: NODES.length,
        flags: [...FLAGS, ...flags],
        advertised: async (index, endpoint) => {
          const door = await startProxy(endpoint, random)
          doors[index] = door
          return door.endpoint
        },
      })
      return new FaultCluster(on, keta, name, doors)
    } catch (error) {
      await Promise.all(doors.map((door) => door.close()))
      throw error
    }
  }

  get nodes(): readonly TestServer[] {
    return this.keta.nodes
  }

  get endpoints(): readonly string[] {
    return this.keta.endpoints
  }

  get servers(): readonly TestServer[] {
    return this.nodes
  }

  get others(): readonly TestServer[] {
    return this.kafka.brokers
  }

  ready(): Promise<void> {
    return this.keta.ready()
  }

  get topic(): string {
    return `${this.name}-log`
  }

  /** What the other nodes meet on their way to this one. */
  setPeerWeather(weather: Partial<Weather>, node: number): void {
    this.#doors[node]?.set({ ...FINE, ...weather })
  }

  /** Ends everything that disturbs the network. Processes that are gone or stand still are not touched. */
  healNetwork(): void {
    this.links.heal()
    for (const door of this.#doors) door.set(FINE)
  }

  /** The node that leads. @throws if there is none for long */
  leader(): Promise<number> {
    return leaderOf(this.endpoints)
  }

  /** The highest epoch that a node knows of: it goes up when a node begins to lead. */
  async epoch(): Promise<number> {
    const known = await Promise.all(this.nodes.map(({ endpoint }) => statusOf(endpoint)))
    return Math.max(0, ...known.map((status) => Number(status?.raftTerm ?? 0n)))
  }

  /** The broker that leads the partition of the log; undefined if there is none at the moment. */
  async leadingBroker(): Promise<number | undefined> {
    for (const server of this.kafka.internalServers.split(',')) {
      const leader = await partitionLeader(server, this.topic)
      if (leader !== undefined && leader > 0) return leader - 1
    }
    return undefined
  }

  /** Kills a node and starts it again without anything that it had on disk. */
  async startCold(node: TestServer): Promise<void> {
    await node.kill()
    await rm(join(node.dataDir, 'data'), { recursive: true, force: true })
    await node.restart()
  }

  async stop(): Promise<void> {
    this.healNetwork()
    await this.keta.stop()
    await Promise.all(this.#doors.map((door) => door.close()))
  }
}

/** Which of the nodes leads, by its own word. @throws if none does for long */
export async function leaderOf(endpoints: readonly string[]): Promise<number> {
  const deadline = performance.now() + LEADER_MS
  for (;;) {
    const led = await Promise.all(endpoints.map(leads))
    const index = led.indexOf(true)
    if (index >= 0) return index
    if (performance.now() > deadline) throw new Error(`no node leads after ${LEADER_MS} ms`)
    await delay(50)
  }
}

async function leads(endpoint: string): Promise<boolean> {
  const status = await statusOf(endpoint)
  return status !== undefined && status.leader !== 0n && status.leader === status.header?.memberId
}

/** undefined if it does not answer. */
async function statusOf(endpoint: string): Promise<StatusResponse | undefined> {
  const client = new ApiClient(endpoint, { deadlineMs: ASK_MS })
  try {
    return await client.call(Maintenance.method.status, {})
  } catch {
    return undefined
  } finally {
    client.close()
  }
}

async function partitionLeader(server: string, topic: string): Promise<number | undefined> {
  const [host = '', port = '0'] = server.split(':')
  const connection = new Connection('faults', { connectTimeout: ASK_MS, requestTimeout: ASK_MS })
  // the request that it fails says so too
  connection.on('error', () => undefined)
  try {
    await connection.connect(host, Number(port))
    const { topics } = await metadataV12.api.async(connection, [topic], false, false)
    return topics[0]?.partitions[0]?.leaderId
  } catch {
    return undefined
  } finally {
    await connection.close().catch(() => undefined)
  }
}
