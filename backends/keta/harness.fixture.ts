/**
 * Keta for the conformance suite: the server, one with access control, one that a plugin has embedded in a process,
 * three nodes on Kafka.
 */
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BackendHarness } from '../../conformance/harness.ts'
import { answersReads } from '../../test-servers/etcd-ready.ts'
import { startKafka } from '../../test-servers/kafka.ts'
import { startKetaCluster } from '../../test-servers/keta-cluster.ts'
import { startKeta } from '../../test-servers/keta.ts'
import { freePort } from '../../test-servers/ports.ts'
import { startProcessServer } from '../../test-servers/process-server.ts'
import type { TestServer } from '../../test-servers/server.ts'
import { asBroker, withAccessControl } from '../shared/etcd-v3/access-control.fixture.ts'
import { type Admin, adminOf } from '../shared/etcd-v3/admin.fixture.ts'
import { promisesOf, SESSION_TTL_MS } from '../shared/etcd-v3/promises.fixture.ts'

const LOCATOR = `${new URL('./index.ts', import.meta.url).href}#KetaPluginLocator`
const EMBEDDED_NODE = fileURLToPath(new URL('./embedded-node.fixture.ts', import.meta.url))
const TYPESCRIPT_LOADER = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const EXPIRY_LAG_MS = 1000

type StartedHarness = BackendHarness & AsyncDisposable

export async function startKetaHarness(): Promise<StartedHarness> {
  return harnessOf('keta', [await startKeta()])
}

export async function startKetaAccessControlHarness(): Promise<StartedHarness> {
  const server = await startKeta({ flags: ['--bcrypt-cost=4'] })
  const admin = await withAccessControl([server])
  const harness = harnessOf('keta (access control)', [server], { admin })
  return { ...harness, ...asBroker(harness, 'keta'), notRun: {} }
}

export async function startEmbeddedKetaHarness(): Promise<StartedHarness> {
  const endpoint = `127.0.0.1:${await freePort()}`
  const server = await startProcessServer({
    name: 'keta-embedded',
    endpoint,
    command: process.execPath,
    arguments: (dataDir) => ['--import', TYPESCRIPT_LOADER, EMBEDDED_NODE, dataDir, `http://${endpoint}`],
    isReady: () => answersReads(endpoint),
  })
  return harnessOf('keta (embedded)', [server])
}

/** What is done to the servers is done to the nodes: their Kafka, one broker, is well all the time. */
export async function startKetaClusterHarness(): Promise<StartedHarness> {
  const kafka = await startKafka()
  try {
    const { nodes } = await startKetaCluster({ bootstrapServers: () => kafka.bootstrapServers })
    const harness = harnessOf('keta (3 nodes on Kafka)', nodes, { release: () => kafka.stop() })
    return { ...harness, enoughServers: 1 }
  } catch (error) {
    await kafka.stop()
    throw error
  }
}

/** Broken: two stores that are taken for one. Each client is given one of them, in turn, so that none is left out. */
export async function startSplitHarness(): Promise<StartedHarness> {
  const harness = harnessOf('keta (split)', await Promise.all([startKeta(), startKeta()]))
  let clients = 0
  return {
    ...harness,
    properties: (endpoints) => ({ 'plugin.keta.endpoints': endpoints[clients++ % endpoints.length] ?? '' }),
  }
}

interface Parts {
  /** Of these servers. */
  readonly admin?: Admin
  /** Done last, after the servers were stopped. */
  readonly release?: () => Promise<void>
}

function harnessOf(name: string, servers: readonly TestServer[], parts: Parts = {}): StartedHarness {
  const { admin = adminOf(servers), release } = parts
  return {
    name,
    locator: LOCATOR,
    endpoints: servers.map(({ endpoint }) => endpoint),
    properties: (endpoints) => ({ 'plugin.keta.endpoints': endpoints.join(',') }),
    expect: promisesOf('keta'),
    sessionTtlMs: SESSION_TTL_MS,
    expiryLagMs: EXPIRY_LAG_MS,
    hooks: admin.hooks,
    notRun: { E8a: 'keta (access control) runs it', E8b: 'keta (access control) runs it' },
    [Symbol.asyncDispose]: async () => {
      admin.close()
      await Promise.all(servers.map((server) => server.stop()))
      await release?.()
    },
  }
}
