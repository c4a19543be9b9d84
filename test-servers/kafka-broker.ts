/** One broker of a test cluster as a process: formats its directory, then runs on it. */
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { JAVA_ENVIRONMENT, type JavaInstallation } from './java-installation.ts'
import { javaArguments } from './kafka-installation.ts'
import { formatArguments, serverProperties, type BrokerSettings } from './kafka-properties.ts'
import { acceptsConnections } from './ports.ts'
import { startProcessServer } from './process-server.ts'
import type { TestServer } from './server.ts'

export interface BrokerOptions {
  readonly installation: JavaInstallation
  readonly settings: BrokerSettings
  readonly clusterId: string
  readonly heapMb: number
  /** Further arguments of Java. */
  readonly java: readonly string[]
  /** Milliseconds, as ProcessServerOptions.stopGrace. */
  readonly stopGrace: number
}

/** The storage tool is a short-lived program: it takes less than a broker. */
const FORMAT_HEAP_MB = 128
/** A machine that is busy with other tests takes its time. */
const START_MS = 60_000
const run = promisify(execFile)

/** Resolves when the broker accepts clients: it then has its place in the cluster. */
export function startBroker(options: BrokerOptions): Promise<TestServer> {
  const { installation, settings, heapMb } = options
  const endpoint = `127.0.0.1:${settings.node.clientPort}`
  return startProcessServer({
    name: `kafka-${settings.node.id}`,
    endpoint,
    command: 'java',
    prepare: (dataDir) => format(options, dataDir),
    arguments: (dataDir) => [
      ...javaArguments(installation, heapMb),
      ...options.java,
      'kafka.Kafka',
      propertiesFile(dataDir),
    ],
    environment: JAVA_ENVIRONMENT,
    isReady: () => acceptsConnections(endpoint),
    startTimeout: START_MS,
    stopGrace: options.stopGrace,
  })
}

async function format({ installation, settings, clusterId, java }: BrokerOptions, dataDir: string): Promise<void> {
  mkdirSync(dataDir, { recursive: true })
  writeFileSync(propertiesFile(dataDir), serverProperties(settings, join(dataDir, 'log')), { mode: 0o600 })
  const shared = java.filter((argument) => argument.startsWith('-XX:SharedArchiveFile='))
  const tool = [...javaArguments(installation, FORMAT_HEAP_MB), ...shared, 'kafka.tools.StorageTool']
  await run('java', [...tool, ...formatArguments(clusterId, propertiesFile(dataDir), settings)], {
    env: { ...process.env, ...JAVA_ENVIRONMENT },
    maxBuffer: 1 << 24,
  })
}

function propertiesFile(dataDir: string): string {
  return join(dataDir, 'server.properties')
}
