/** A plugin just real enough to try the kit on: it holds one connection, and keys in its own process. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import {
  API_VERSION,
  type Capabilities,
  CoordinationError,
  defineConfig,
  type Entry,
  type GroupMembershipClient,
  type LeaderElectionClient,
  type ListenerRegistry,
  makeEntry,
  parseConfig,
  type PluginHost,
  type PluginLocator,
  type Session,
  type Storage,
  toBytes,
  versionOf,
} from '../../spi/index.ts'
import type { BackendHarness } from '../harness.ts'

export const FAKE_CAPABILITIES: Capabilities = {
  backend: 'fake',
  persistent: false,
  multiProcess: true,
  linearizableReads: true,
  atomicFencing: true,
  snapshotScan: true,
  transactions: false,
  notifications: { mode: 'push', maxLagMs: 50 },
  session: { minTtlMs: 1, granularityMs: 0 },
  limits: { maxKeyBytes: 512, maxValueBytes: 524_288 },
}

/** @param endpoints of something that accepts connections. */
export function fakeHarness(endpoints: readonly string[], more: Partial<BackendHarness> = {}): BackendHarness {
  return {
    name: 'fake',
    locator: `${import.meta.url}#FakeLocator`,
    endpoints,
    properties: (through) => ({ 'fake.endpoints': through.join(',') }),
    expect: FAKE_CAPABILITIES,
    sessionTtlMs: 200,
    expiryLagMs: 0,
    hooks: {},
    ...more,
  }
}

export class FakeLocator implements PluginLocator {
  static readonly apiVersion = API_VERSION
  static readonly configDef = defineConfig({
    'fake.endpoints': { type: 'list', default: '', doc: 'Where to connect.' },
    'fake.shutdown': { type: 'string', default: '', doc: '`hang` or `leak`: how it ends badly.' },
  })

  readonly session: Session = {
    id: 'fake-session',
    state: 'connected',
    ttlMs: 200,
    deadline: Infinity,
    addListener: () => undefined,
    removeListener: () => undefined,
  }
  readonly #entries = new Map<string, Entry>()
  #socket: Socket | undefined
  #shutdown = ''
  #writes = 0

  async startup(configFile: string, host: PluginHost = {}): Promise<void> {
    const config = parseConfig(FakeLocator.configDef, host.config ?? {}, { source: configFile })
    this.#shutdown = config['fake.shutdown']
    const [endpoint] = config['fake.endpoints']
    if (endpoint !== undefined) {
      const [address = '', port = ''] = endpoint.split(':')
      this.#socket = connect(Number(port), address).on('error', () => undefined)
      await once(this.#socket, 'connect')
    }
    host.logger?.info('started', { by: configFile === '' ? 'the kit' : 'a file' })
  }

  getStorage(): Storage {
    const storage: Partial<Storage> = {
      fetchEntry: async (key) => this.#entries.get(key),
      put: async (key, data) => {
        const current = this.#entries.get(key)
        if (current !== undefined) throw new CoordinationError('KEY_EXISTS', `${key} is there`, { key, current })
        const version = versionOf(String(++this.#writes))
        this.#entries.set(key, makeEntry(key, toBytes(data), version))
        return version
      },
      list: async () => new Set(this.#entries.keys()),
    }
    return storage as Storage
  }

  getListenerRegistry(): ListenerRegistry {
    return {} as unknown as ListenerRegistry
  }

  getGroupMembership(): GroupMembershipClient {
    throw new CoordinationError('UNSUPPORTED', 'the fake has no groups')
  }

  getLeaderElection(): LeaderElectionClient {
    throw new CoordinationError('UNSUPPORTED', 'the fake has no elections')
  }

  async shutdown(): Promise<void> {
    if (this.#shutdown === 'hang') {
      await new Promise((resolve) => {
        setTimeout(resolve, 60_000)
      })
    }
    if (this.#shutdown !== 'leak') this.#socket?.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }
}
