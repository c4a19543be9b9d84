/** The reference backend under test: served by a process of its own, and within one process. */
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BackendHarness, HarnessHooks } from '../../conformance/harness.ts'
import { pluginContext, Secret, silentLogger } from '../../spi/index.ts'
import { acceptsConnections, freePort } from '../../test-servers/ports.ts'
import { startProcessServer } from '../../test-servers/process-server.ts'
import type { TestServer } from '../../test-servers/server.ts'
import type { Seat } from '../shared/driver.ts'
import type { StoreAccess } from './access.ts'
import { memoryCapabilities } from './capabilities.ts'
import { MemoryDriver } from './memory-driver.ts'
import { ServedAccess } from './served-access.ts'

export interface MemoryHarness extends BackendHarness, AsyncDisposable {}

export const LOCATOR = `${new URL('./index.ts', import.meta.url).href}#MemoryPluginLocator`

/** T: its hundredth and the granularity leave a margin of 20 ms for a machine that is busy. */
const SESSION_TTL_MS = 800
/** T where nothing is to fail: a machine that stands still for a second does not end sessions. */
export const LONG_TTL_MS = 2_000
/** How late a timer of the store may be on a busy machine. */
const EXPIRY_LAG_MS = 150
const CALL_MS = 5_000

const SERVE = fileURLToPath(new URL('./serve.ts', import.meta.url))
const TYPESCRIPT_LOADER = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

const PASSWORD = 'open sesame'
const RESTRICTED_PASSWORD = 'open a little'
const FORBIDDEN_CLUSTER = 'forbidden'

/** @param sessionTtlMs T; the short default is for mutants, which are caught by waiting in vain. */
export async function startServedHarness(sessionTtlMs = SESSION_TTL_MS): Promise<MemoryHarness> {
  const server = await startServer()
  const control = new ServedAccess(
    { endpoints: [server.endpoint], password: new Secret(PASSWORD) },
    pluginContext({ logger: silentLogger }),
  )
  return {
    name: 'memory (served)',
    locator: LOCATOR,
    endpoints: [server.endpoint],
    properties: (endpoints) => ({
      'plugin.memory.endpoints': endpoints.join(','),
      'plugin.memory.password': PASSWORD,
    }),
    expect: memoryCapabilities({ persistent: true, multiProcess: true }),
    sessionTtlMs,
    expiryLagMs: EXPIRY_LAG_MS,
    hooks: servedHooks(server, control),
    async [Symbol.asyncDispose]() {
      await control.close()
      await server.stop()
    },
  }
}

export function makeInProcessHarness(sessionTtlMs: number): BackendHarness {
  return {
    name: 'memory (in process)',
    locator: LOCATOR,
    endpoints: [],
    properties: () => ({ 'plugin.memory.name': 'conformance' }),
    expect: memoryCapabilities({ persistent: false, multiProcess: false }),
    sessionTtlMs,
    expiryLagMs: EXPIRY_LAG_MS,
    hooks: {},
  }
}

async function startServer(): Promise<TestServer> {
  const endpoint = `127.0.0.1:${await freePort()}`
  return startProcessServer({
    name: 'memory',
    endpoint,
    command: process.execPath,
    arguments: (data) => ['--import', TYPESCRIPT_LOADER, SERVE, '--listen', endpoint, '--data', data],
    environment: {
      KETA_MEMORY_PASSWORD: PASSWORD,
      KETA_MEMORY_RESTRICTED_PASSWORD: RESTRICTED_PASSWORD,
      KETA_MEMORY_FORBIDDEN_CLUSTER: FORBIDDEN_CLUSTER,
    },
    isReady: () => acceptsConnections(endpoint),
  })
}

function servedHooks(server: TestServer, control: ServedAccess): HarnessHooks {
  return {
    servers: [
      {
        endpoint: server.endpoint,
        kill: () => server.kill(),
        start: () => server.restart(),
        pause: () => server.pause(),
        resume: () => server.resume(),
      },
    ],
    ...storeHooks(control),
    usage: async () => ({
      sessions: (await control.ask('sessions', [], call())).size,
      connections: await control.connections(call()),
    }),
    wrongCredentials: { 'plugin.memory.password': 'close sesame' },
    forbidden: { clusterId: FORBIDDEN_CLUSTER, properties: { 'plugin.memory.password': RESTRICTED_PASSWORD } },
  }
}

/** What an administrator of the store can do. */
function storeHooks(control: StoreAccess): HarnessHooks {
  const remove = async (clusterId: string, seat: Seat) => {
    const driver = new MemoryDriver(control, pluginContext({ clusterId, logger: silentLogger }))
    const seated = await driver.readSeat(seat, { ...call(), consistency: 'linearizable' })
    if (seated !== undefined) await driver.emptySeat(seat, seated.token, call())
  }
  return {
    expireSession: (id) => control.ask('endSession', [id], call()),
    removeLeader: (clusterId, service) => remove(clusterId, { kind: 'leader', service }),
    removeMember: (clusterId, group, id) => remove(clusterId, { kind: 'member', group, id }),
    compact: () => control.ask('forgetHistory', [], call()),
  }
}

function call() {
  return { signal: AbortSignal.timeout(CALL_MS), timeoutMs: CALL_MS }
}
