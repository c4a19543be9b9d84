/** Real ZooKeeper for tests and benches: one server or an ensemble of three, secured or not. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { makeCertificates, type ClientTls } from './certificates.ts'
import { installJars, type JavaInstallation } from './java-installation.ts'
import { guardDirectory } from './reaper.ts'
import { freePorts, isRunning, startTogether, stopAll } from './server-group.ts'
import type { TestServer } from './server.ts'
import type { ZooKeeperNode } from './zookeeper-configuration.ts'
import { modeOf, type ZooKeeperMode } from './zookeeper-ready.ts'
import { startServer } from './zookeeper-server.ts'

export interface ZooKeeperOptions {
  /** Default 1. */
  readonly servers?: 1 | 3
  /**
   * Milliseconds, default 500: sessions last from 2 ticks to 60 s, and end at a full tick; a server that its leader
   * does not hear for 4 ticks is shut out.
   */
  readonly tickMs?: number
  /**
   * true: clients must say who they are by the digest scheme. Any name and password will do: it is the nodes that say
   * who may touch them. Only `SUPERUSER` may do everything. Default false.
   */
  readonly accessControl?: boolean
  /** true: TLS at `secureEndpoints`, and connections served by Netty. Default false. */
  readonly tls?: boolean
  /** Further entries of every server's zoo.cfg; they win over all others. */
  readonly properties?: Readonly<Record<string, string>>
  /** Of each server. Default 64. */
  readonly heapMb?: number
}

export interface ZooKeeperEnsemble {
  /**
   * A restart resolves when the server serves clients; while fewer than two of three run, when it listens, for it can't
   * serve them.
   */
  readonly servers: readonly TestServer[]
  /** For clients: 'host:port,…'. */
  readonly connectString: string
  /** Of the servers, for clients with TLS: 'host:port'. Their certificates are for 127.0.0.1 and localhost. */
  readonly secureEndpoints: readonly string[]
  /** With `tls`; clients show a certificate if the property `ssl.clientAuth` asks. */
  readonly tls: ClientTls | undefined
  /**
   * Resolves when every server that runs serves clients, one of them as the leader. A paused server runs, but does not
   * answer. @throws after 30 s
   */
  ready(): Promise<void>
  /** Kills all servers and removes their data. May be called twice. */
  stop(): Promise<void>
}

export { SUPERUSER } from './zookeeper-configuration.ts'

const VERSION = '3.9.5'
const RELEASE = {
  product: 'ZooKeeper',
  name: `zookeeper-${VERSION}`,
  pom: join(fileURLToPath(new URL('./zookeeper', import.meta.url)), 'pom.xml'),
}
const TICK_MS = 500
const HEAP_MB = 64
const READY_MS = 30_000
let installation: Promise<JavaInstallation> | undefined

/**
 * Fetches ZooKeeper, or finds it fetched by an earlier run. The first time takes up to a minute.
 * @throws MissingToolchainError without Java 17 or later, or without Maven
 */
export function ensureZooKeeper(): Promise<JavaInstallation> {
  if (installation) return installation
  const installed = installJars(RELEASE)
  installation = installed
  installed.catch(() => (installation = undefined))
  return installed
}

/**
 * A fresh ensemble, ready.
 * @throws MissingToolchainError as ensureZooKeeper, and without openssl if it needs certificates
 */
export async function startZooKeeper(options: ZooKeeperOptions = {}): Promise<ZooKeeperEnsemble> {
  const installed = await ensureZooKeeper()
  const directory = mkdtempSync(join(tmpdir(), 'keta-test-zookeeper-'))
  guardDirectory(directory)
  let servers: readonly TestServer[] = []
  const ready = (): Promise<void> => allServe(servers)
  const stop = async (): Promise<void> => {
    await stopAll(servers)
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const certificates = options.tls ? await makeCertificates(directory) : undefined
    const nodes = await planNodes(options.servers ?? 1)
    servers = await startTogether(
      nodes.map((node) => {
        const { tickMs = TICK_MS, accessControl = false, properties = {} } = options
        const settings = { node, nodes, tickMs, accessControl, tls: certificates?.server, properties }
        return startServer(installed, settings, options.heapMb ?? HEAP_MB)
      }),
    )
    await ready()
    return {
      servers,
      connectString: servers.map(({ endpoint }) => endpoint).join(','),
      secureEndpoints: certificates ? nodes.map(({ securePort }) => `127.0.0.1:${securePort}`) : [],
      tls: certificates?.client,
      ready,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function planNodes(count: number): Promise<readonly ZooKeeperNode[]> {
  const ports = await freePorts(count * 4)
  return Array.from({ length: count }, (_, index) => {
    const [clientPort = 0, securePort = 0, quorumPort = 0, electionPort = 0] = ports.slice(index * 4)
    return { id: index + 1, clientPort, securePort, quorumPort, electionPort }
  })
}

async function allServe(servers: readonly TestServer[]): Promise<void> {
  const deadline = performance.now() + READY_MS
  for (;;) {
    const running = servers.filter(isRunning)
    const modes = await Promise.all(running.map(({ endpoint }) => modeOf(endpoint)))
    if (areServing(modes)) return
    if (performance.now() > deadline) {
      const found = running.map(({ name }, index) => `${name} is ${modes[index]}`)
      throw new Error(`ZooKeeper does not serve clients after ${READY_MS} ms: ${found.join(', ')}`)
    }
    await delay(50)
  }
}

function areServing(modes: readonly ZooKeeperMode[]): boolean {
  const leaders = modes.filter((mode) => mode === 'leader' || mode === 'standalone')
  const followers = modes.filter((mode) => mode === 'follower')
  return leaders.length === 1 && followers.length === modes.length - 1
}
