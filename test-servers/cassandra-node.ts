/** One node of a test cluster of Cassandra as a process. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clockArguments, makeClock } from './cassandra-clock.ts'
import { cassandraYaml, type CassandraNode, type NodeSettings } from './cassandra-configuration.ts'
import { configurationFile, javaArguments } from './cassandra-installation.ts'
import { answersClients } from './cassandra-ready.ts'
import { JAVA_ENVIRONMENT, type JavaInstallation } from './java-installation.ts'
import { startProcessServer } from './process-server.ts'
import type { TestServer } from './server.ts'

export interface NodeOptions {
  readonly installation: JavaInstallation
  readonly settings: NodeSettings
  readonly heapMb: number
  /** How far its clock is ahead of ours, milliseconds; undefined: it has our clock. */
  readonly aheadMs: number | undefined
  /** Further arguments of Java. */
  readonly java: readonly string[]
  /** Milliseconds, as ProcessServerOptions.stopGrace. */
  readonly stopGrace: number
}

/** A machine that is busy with other tests takes its time. */
const START_MS = 120_000
/** Cassandra locks its heap into memory, touched or not, if it may: root may, unless it gives that up. */
const WITHOUT_MEMORY_LOCK = ['--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock', 'java']

/** Resolves when the node answers clients. */
export function startNode(options: NodeOptions): Promise<TestServer> {
  const { installation, settings, heapMb, aheadMs, java, stopGrace } = options
  const { node, nodes } = settings
  const endpoint = clientEndpoint(node)
  const isRoot = process.getuid?.() === 0
  return startProcessServer({
    name: `cassandra-${node.id}`,
    endpoint,
    command: isRoot ? 'setpriv' : 'java',
    prepare: async (dataDir) => {
      mkdirSync(dataDir, { recursive: true })
      writeFileSync(configurationFile(dataDir), cassandraYaml(settings, dataDir))
      if (aheadMs !== undefined) await makeClock(installation, dataDir, aheadMs)
    },
    arguments: (dataDir) => [
      ...(isRoot ? WITHOUT_MEMORY_LOCK : []),
      ...javaArguments(heapMb, dataDir, nodes.length),
      ...classPath(installation, dataDir, aheadMs),
      ...java,
      'org.apache.cassandra.service.CassandraDaemon',
    ],
    environment: JAVA_ENVIRONMENT,
    isReady: () => answersClients(endpoint),
    startTimeout: START_MS,
    stopGrace,
  })
}

function classPath({ directory }: JavaInstallation, dataDir: string, aheadMs: number | undefined): readonly string[] {
  const libraries = join(directory, 'libs', '*')
  return aheadMs === undefined ? ['-cp', libraries] : clockArguments(libraries, dataDir)
}

function clientEndpoint({ address, nativePort }: CassandraNode): string {
  return `${address}:${nativePort}`
}
