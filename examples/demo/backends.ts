/** The stores that the demo knows, and how each is started: one entry each. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKeta } from 'keta'
import { startCassandra } from '../../test-servers/cassandra.ts'
import { startEtcd } from '../../test-servers/etcd.ts'
import { startZooKeeper } from '../../test-servers/zookeeper.ts'

export interface StartedStore {
  /** For people. */
  readonly name: string
  /** `plugin.locator.classname` */
  readonly locator: string
  /** The contents of `plugin.configuration.file`. */
  readonly properties: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export const BACKENDS: Readonly<Record<string, () => Promise<StartedStore>>> = {
  keta: startKetaHere,
  etcd: startRealEtcd,
  cassandra: startRealCassandra,
  zookeeper: startRealZooKeeper,
}

/** In this process: there is nothing to be installed. */
async function startKetaHere(): Promise<StartedStore> {
  const dataDir = await mkdtemp(join(tmpdir(), 'keta-demo-'))
  const server = await startKeta({ dataDir, listenClientUrls: ['http://127.0.0.1:0'] })
  const endpoint = server.clientUrls.map((url) => new URL(url).host).join(',')
  return {
    name: `keta, in this process, ${endpoint}`,
    locator: 'keta',
    properties: { 'plugin.keta.endpoints': endpoint },
    async stop() {
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function startRealEtcd(): Promise<StartedStore> {
  const server = await startEtcd()
  return {
    name: `etcd, ${server.endpoint}`,
    locator: 'etcd',
    properties: { 'plugin.etcd.endpoints': server.endpoint },
    stop: () => server.stop(),
  }
}

async function startRealCassandra(): Promise<StartedStore> {
  const cluster = await startCassandra()
  const endpoint = cluster.nodes[0]?.endpoint ?? ''
  return {
    name: `Cassandra, ${endpoint}`,
    locator: 'cassandra',
    properties: {
      'plugin.cassandra.contact.points': endpoint,
      'plugin.cassandra.port': endpoint.split(':')[1] ?? '',
      'plugin.cassandra.replication': '1',
    },
    stop: () => cluster.stop(),
  }
}

async function startRealZooKeeper(): Promise<StartedStore> {
  const ensemble = await startZooKeeper()
  return {
    name: `ZooKeeper, ${ensemble.connectString}`,
    locator: 'zookeeper',
    properties: { 'plugin.zookeeper.connect': ensemble.connectString },
    stop: () => ensemble.stop(),
  }
}
