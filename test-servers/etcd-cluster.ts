/** A real etcd cluster of several members, each a server of its own. */
import { allAnswerReads } from './etcd-ready.ts'
import { ensureEtcd, type EtcdOptions } from './etcd.ts'
import { acceptsConnections, freePort } from './ports.ts'
import { startProcessServer } from './process-server.ts'
import { startTogether, stopAll } from './server-group.ts'
import type { TestServer } from './server.ts'

export interface EtcdClusterOptions extends EtcdOptions {
  /** Default 3. */
  readonly members?: number
}

export interface EtcdCluster {
  /** In the order of their endpoints. A member that is started again is ready when it listens: whether it can answer
   * depends on the others. */
  readonly members: readonly TestServer[]
  readonly endpoints: readonly string[]
  /** Resolves when every member answers linearizable reads. @throws after 30 s */
  ready(): Promise<void>
  /** As TestServer.stop, all of them. */
  stop(): Promise<void>
}

const START_MS = 30_000

export async function startEtcdCluster(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
  const { etcd } = await ensureEtcd()
  const names = Array.from({ length: options.members ?? 3 }, (_, index) => `m${index}`)
  const peerUrls = await Promise.all(names.map(async () => `http://127.0.0.1:${await freePort()}`))
  const initialCluster = names.map((name, index) => `${name}=${peerUrls[index]}`).join(',')
  const members = await startTogether(
    names.map(async (name, index) => {
      const endpoint = `127.0.0.1:${await freePort()}`
      const peerUrl = peerUrls[index] ?? ''
      return startProcessServer({
        name: `etcd-${name}`,
        endpoint,
        command: etcd,
        arguments: (dataDir) => [
          ...['--name', name, '--data-dir', dataDir, '--log-level', 'warn'],
          ...['--listen-client-urls', `http://${endpoint}`, '--advertise-client-urls', `http://${endpoint}`],
          ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
          ...['--initial-cluster', initialCluster, '--initial-cluster-token', initialCluster],
          ...(options.fsync === false ? ['--unsafe-no-fsync'] : []),
          ...(options.flags ?? []),
        ],
        isReady: () => acceptsConnections(endpoint),
        startTimeout: START_MS,
      })
    }),
  )
  const stop = () => stopAll(members)
  const endpoints = members.map(({ endpoint }) => endpoint)
  const ready = () => allAnswerReads(endpoints, START_MS)
  try {
    await ready()
  } catch (error) {
    await stop()
    throw error
  }
  return { members, endpoints, ready, stop }
}
