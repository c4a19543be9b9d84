/** Real Kafka clusters in KRaft mode for tests and benches: one broker or three, secured or not. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeCertificates, type ClientTls } from './certificates.ts'
import { ensureArchive, type JavaInstallation } from './java-installation.ts'
import { startBroker } from './kafka-broker.ts'
import { installKafka, kafkaRelease, type KafkaVersion } from './kafka-installation.ts'
import type { BrokerSettings, KafkaNode } from './kafka-properties.ts'
import { knownBrokers } from './kafka-ready.ts'
import { usesTls, type KafkaSecurity } from './kafka-security.ts'
import { guardDirectory } from './reaper.ts'
import { freePorts, isRunning, startTogether, stopAll } from './server-group.ts'
import type { TestServer } from './server.ts'

export interface KafkaOptions {
  /** Default '3.9'. */
  readonly version?: KafkaVersion
  /** Default 1. Three hold every topic on all of them and need two in sync. */
  readonly brokers?: 1 | 3
  /** Further properties of every broker; they win over all others. */
  readonly properties?: Readonly<Record<string, string>>
  /**
   * true: Kafka's own timeouts of groups, brokers and elections, for what must work on a broker as it is shipped.
   * Default false: short ones, so that groups join and brokers fail over quickly.
   */
  readonly stock?: boolean
  /** How clients connect. Default 'plaintext'. */
  readonly security?: KafkaSecurity
  /** Passwords by name, of letters, digits, '_', '.' and '-'. Default { keta: 'secret' }. */
  readonly users?: Readonly<Record<string, string>>
  /** Of each broker. Default 256. */
  readonly heapMb?: number
  /**
   * What clients are told to connect to for a broker ('host:port'), when it is not its endpoint: a proxy before it.
   * Asked once per broker before it starts. Certificates are for 127.0.0.1 and localhost.
   */
  readonly advertised?: (index: number, endpoint: string) => string | Promise<string>
}

export interface KafkaCluster {
  /**
   * A restart resolves when the broker accepts clients, which takes a majority of the brokers: of three that are down,
   * restart two or more at the same time. After a kill it waits until the cluster has given up the old process: 2 s,
   * with stock timeouts 9 s.
   */
  readonly brokers: readonly TestServer[]
  /** As advertised, for clients: 'host:port,…'. */
  readonly bootstrapServers: string
  /** Of each broker, 'host:port,…': plaintext, past all proxies and security, for tests that look from behind. */
  readonly internalServers: string
  /** With 'ssl' and 'sasl_ssl'. Brokers ask for a certificate with listener.name.client.ssl.client.auth=required. */
  readonly tls: ClientTls | undefined
  /**
   * Resolves when every broker that runs knows just those that run to be alive: after a kill, when its partitions have
   * other leaders. A paused broker runs, but does not answer. @throws after 30 s
   */
  ready(): Promise<void>
  /** Kills all brokers and removes their data. May be called twice. */
  stop(): Promise<void>
}

const HEAP_MB = 256
const READY_MS = 30_000
/** Java writes its archive when it ends, which takes some seconds. */
const ARCHIVE_MS = 60_000
const installations = new Map<KafkaVersion, Promise<JavaInstallation>>()

/**
 * Fetches Kafka, or finds it fetched by an earlier run, and records its classes so that brokers start quickly.
 * The first time takes up to two minutes.
 * @throws MissingToolchainError without Java 17 or later, or without Maven
 */
export function ensureKafka(version: KafkaVersion): Promise<JavaInstallation> {
  const known = installations.get(version)
  if (known) return known
  const installation = installWithArchive(version)
  installations.set(version, installation)
  installation.catch(() => installations.delete(version))
  return installation
}

/**
 * A fresh cluster, ready.
 * @throws MissingToolchainError as ensureKafka, and without openssl if it needs certificates
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const installation = await ensureKafka(options.version ?? '3.9')
  const directory = mkdtempSync(join(tmpdir(), 'keta-test-kafka-'))
  guardDirectory(directory)
  let brokers: readonly TestServer[] = []
  const stop = async (): Promise<void> => {
    await stopAll(brokers)
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const certificates = usesTls(options.security ?? 'plaintext') ? await makeCertificates(directory) : undefined
    const plans = await settings(options, certificates?.server)
    const clusterId = randomBytes(16).toString('base64url')
    const java = [`-XX:SharedArchiveFile=${installation.archive}`]
    const heapMb = options.heapMb ?? HEAP_MB
    brokers = await startTogether(
      plans.map((plan) => startBroker({ installation, settings: plan, clusterId, heapMb, java, stopGrace: 0 })),
    )
    const nodes = plans.map(({ node }) => node)
    const ready = (): Promise<void> => allKnown(brokers, nodes)
    await ready()
    return {
      brokers,
      bootstrapServers: plans.map(({ advertised }) => advertised).join(','),
      internalServers: nodes.map(({ internalPort }) => `127.0.0.1:${internalPort}`).join(','),
      tls: certificates?.client,
      ready,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function settings(options: KafkaOptions, tls: BrokerSettings['tls']): Promise<readonly BrokerSettings[]> {
  const { brokers = 1, stock = false, security = 'plaintext', users = { keta: 'secret' }, properties = {} } = options
  const nodes = await planNodes(brokers)
  return Promise.all(
    nodes.map(async (node, index) => {
      const endpoint = `127.0.0.1:${node.clientPort}`
      const advertised = (await options.advertised?.(index, endpoint)) ?? endpoint
      return { node, nodes, advertised, stock, security, users, tls, properties }
    }),
  )
}

async function planNodes(count: number): Promise<readonly KafkaNode[]> {
  const ports = await freePorts(count * 3)
  return Array.from({ length: count }, (_, index) => {
    const [clientPort = 0, internalPort = 0, controllerPort = 0] = ports.slice(index * 3)
    return { id: index + 1, clientPort, internalPort, controllerPort }
  })
}

async function allKnown(brokers: readonly TestServer[], nodes: readonly KafkaNode[]): Promise<void> {
  const deadline = performance.now() + READY_MS
  for (;;) {
    const running = nodes.filter((_, index) => brokers.slice(index, index + 1).some(isRunning))
    const expected = running.map(({ id }) => id).join()
    const views = await Promise.all(running.map(({ internalPort }) => knownBrokers(internalPort)))
    if (views.every((view) => view.join() === expected)) return
    if (performance.now() > deadline) {
      const known = running.map(({ id }, index) => `${id} knows [${(views[index] ?? []).join()}]`)
      throw new Error(`the brokers have not found each other after ${READY_MS} ms: ${known.join(', ')}`)
    }
    await delay(50)
  }
}

async function installWithArchive(version: KafkaVersion): Promise<JavaInstallation> {
  const installation = await installKafka(version)
  await ensureArchive(kafkaRelease(version), installation, (file) => recordClasses(installation, file))
  return installation
}

async function recordClasses(installation: JavaInstallation, file: string): Promise<void> {
  const [plan] = await settings({}, undefined)
  if (!plan) throw new Error('a cluster without a broker')
  const broker = await startBroker({
    installation,
    settings: plan,
    clusterId: randomBytes(16).toString('base64url'),
    heapMb: HEAP_MB,
    java: [`-XX:ArchiveClassesAtExit=${file}`],
    stopGrace: ARCHIVE_MS,
  })
  await broker.stop()
}
