/** One ZooKeeper server as a process. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JAVA_ENVIRONMENT, type JavaInstallation } from './java-installation.ts'
import { acceptsConnections } from './ports.ts'
import { startProcessServer } from './process-server.ts'
import type { TestServer } from './server.ts'
import { zooCfg, type ServerSettings, type ZooKeeperNode } from './zookeeper-configuration.ts'
import { modeOf } from './zookeeper-ready.ts'

/** A machine that is busy with other tests takes its time. */
const START_MS = 60_000

/** Resolves when the server serves clients, or would if a majority of the ensemble ran. */
export function startServer(
  { directory }: JavaInstallation,
  settings: ServerSettings,
  heapMb: number,
): Promise<TestServer> {
  const { node, nodes } = settings
  return startProcessServer({
    name: `zookeeper-${node.id}`,
    endpoint: clientEndpoint(node),
    command: 'java',
    prepare: async (dataDir) => {
      mkdirSync(dataDir, { recursive: true })
      writeFileSync(join(dataDir, 'myid'), String(node.id))
      writeFileSync(configurationFile(dataDir), zooCfg(settings, dataDir), { mode: 0o600 })
    },
    arguments: (dataDir) => [
      ...javaArguments(heapMb),
      ...['-cp', join(directory, 'libs', '*')],
      'org.apache.zookeeper.server.quorum.QuorumPeerMain',
      configurationFile(dataDir),
    ],
    environment: JAVA_ENVIRONMENT,
    isReady: async () => (await hasItsPlace(node, nodes)) && (await isSecured(settings)),
    startTimeout: START_MS,
    stopGrace: 0,
  })
}

export function clientEndpoint({ clientPort }: ZooKeeperNode): string {
  return `127.0.0.1:${clientPort}`
}

/** Its secure port comes last. */
async function isSecured({ node, tls }: ServerSettings): Promise<boolean> {
  return tls === undefined || acceptsConnections(`127.0.0.1:${node.securePort}`)
}

async function hasItsPlace(node: ZooKeeperNode, nodes: readonly ZooKeeperNode[]): Promise<boolean> {
  const mode = await modeOf(clientEndpoint(node))
  if (mode !== 'listening') return mode !== 'silent'
  const modes = await Promise.all(nodes.map((each) => modeOf(clientEndpoint(each))))
  return modes.filter((each) => each !== 'silent').length <= nodes.length / 2
}

/** Made for a quick start and little memory. */
function javaArguments(heapMb: number): readonly string[] {
  return [
    ...[`-Xmx${heapMb}m`, '-Xss256k', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'],
    ...['showDateTime=true', 'dateTimeFormat=HH:mm:ss.SSS'].map((setting) => `-Dorg.slf4j.simpleLogger.${setting}`),
    // containers and nodes with a time to live are looked for this often, in milliseconds
    '-Dznode.container.checkIntervalMs=1000',
  ]
}

function configurationFile(dataDir: string): string {
  return join(dataDir, 'zoo.cfg')
}
