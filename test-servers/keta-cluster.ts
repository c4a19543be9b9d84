/** This project's own server as a cluster of several nodes on a real Kafka, each a process of its own. */
import type { ChannelCredentials } from '@grpc/grpc-js'
import { allAnswerReads } from './etcd-ready.ts'
import { ketaProgram } from './keta.ts'
import { acceptsConnections, freePort } from './ports.ts'
import { startProcessServer } from './process-server.ts'
import type { TestServer } from './server.ts'

export interface KetaClusterOptions {
  /** Where each node finds Kafka; given its index, so that a test can put proxies between. */
  readonly bootstrapServers: (index: number) => string
  /** Default 3. */
  readonly nodes?: number
  /** Names the topics and the group: clusters that share a Kafka differ in it. */
  readonly name?: string
  /** What a node tells the others of its address, given the true one; default: that. */
  readonly advertised?: (index: number, endpoint: string) => string | Promise<string>
  /** Further flags, for all nodes or for each. */
  readonly flags?: readonly string[] | ((index: number) => readonly string[])
  /** The nodes speak TLS, as the flags say; with these they are asked whether they are ready. */
  readonly secured?: ChannelCredentials
}

export interface KetaCluster {
  /** A node that is started again is ready when it listens: whether it can answer depends on the others. */
  readonly nodes: readonly TestServer[]
  readonly endpoints: readonly string[]
  /** Resolves when every node answers linearizable reads. @throws after 30 s */
  ready(): Promise<void>
  /** As TestServer.stop, all of them. */
  stop(): Promise<void>
}

const START_MS = 30_000

export async function startKetaCluster(options: KetaClusterOptions): Promise<KetaCluster> {
  const { nodes: count = 3, name = `test-${process.pid}-${Date.now().toString(36)}` } = options
  const indexes = Array.from({ length: count }, (_, index) => index)
  const started = await Promise.allSettled(indexes.map((index) => startNode(options, name, index)))
  const nodes = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()))
  }
  const endpoints = nodes.map(({ endpoint }) => endpoint)
  const ready = (): Promise<void> => allAnswerReads(endpoints, START_MS, options.secured)
  try {
    for (const result of started) if (result.status === 'rejected') throw result.reason
    await ready()
  } catch (error) {
    const logs = nodes.map((node) => `--- ${node.name}\n${node.log().slice(-3000)}`).join('\n')
    await stop()
    throw new Error(`the cluster did not start\n${logs}`, { cause: error })
  }
  return { nodes, endpoints, ready, stop }
}

async function startNode(options: KetaClusterOptions, name: string, index: number): Promise<TestServer> {
  const endpoint = `127.0.0.1:${await freePort()}`
  const advertised = (await options.advertised?.(index, endpoint)) ?? endpoint
  const flags = typeof options.flags === 'function' ? options.flags(index) : (options.flags ?? [])
  const scheme = options.secured === undefined ? 'http' : 'https'
  return startProcessServer({
    name: `keta-n${index}`,
    endpoint,
    command: process.execPath,
    arguments: (dataDir) => [
      ...ketaProgram(),
      ...['--name', `n${index}`, '--data-dir', dataDir],
      ...['--listen-client-urls', `${scheme}://${endpoint}`, '--advertise-client-urls', `${scheme}://${advertised}`],
      ...['--kafka-bootstrap-servers', options.bootstrapServers(index)],
      ...['--kafka-topic', `${name}-log`, '--cluster-group-id', name],
      ...flags,
    ],
    isReady: () => acceptsConnections(endpoint),
    startTimeout: START_MS,
  })
}
