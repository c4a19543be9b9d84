/** A raw backend: the interfaces themselves, as a third party might write them. Elections just enough for fences. */
import {
  API_VERSION,
  type Clock,
  CoordinationError,
  defineConfig,
  type Entry,
  type GroupMembershipClient,
  type LeaderElectionClient,
  type Leadership,
  type ListenerRegistry,
  parseConfig,
  pluginContext,
  type PluginHost,
  type PluginLocator,
  type ReadOptions,
  type Session,
  type Storage,
} from '../../spi/index.ts'
import type { BackendHarness } from '../harness.ts'
import { type Fault, RAW_CAPABILITIES, turn } from './raw-faults.fixture.ts'
import { RawRegistry } from './raw-registry.fixture.ts'
import {
  childrenOf,
  deleteKey,
  putKey,
  type RawStore,
  scanKeys,
  storeOf,
  transactKeys,
  updateKey,
} from './raw-store.fixture.ts'

export function rawHarness(): BackendHarness {
  return {
    name: 'raw',
    locator: `${import.meta.url}#RawLocator`,
    endpoints: [],
    properties: () => ({}),
    expect: RAW_CAPABILITIES,
    sessionTtlMs: 500,
    expiryLagMs: 0,
    hooks: {},
  }
}

export class RawLocator implements PluginLocator {
  static readonly apiVersion = API_VERSION
  static readonly configDef = defineConfig({ 'raw.fault': { type: 'string', default: '', doc: 'What is wrong.' } })

  #store: RawStore | undefined
  #registry: RawRegistry | undefined
  #storage: Storage | undefined
  #clock: Clock | undefined
  #writing = 0
  readonly #closing = new AbortController()

  async startup(configFile: string, host: PluginHost = {}): Promise<void> {
    const { clusterId, config, logger, clock } = pluginContext(host)
    const fault = parseConfig(RawLocator.configDef, config, { source: configFile })['raw.fault'] as Fault
    this.#clock = clock
    this.#store = storeOf(clusterId, fault)
    this.#registry = new RawRegistry(this.#store, logger, () => this.#writing > 0)
    this.#storage = this.#makeStorage(this.#store)
  }

  get session(): Session {
    const { now } = this.#clock ?? { now: () => 0 }
    const nothing = () => undefined
    return {
      id: 'raw',
      state: 'connected',
      ttlMs: 500,
      deadline: now() + 500,
      addListener: nothing,
      removeListener: nothing,
    }
  }

  getStorage(): Storage {
    return this.#storage ?? notStarted()
  }

  getListenerRegistry(): ListenerRegistry {
    const registry = this.#registry ?? notStarted()
    return Object.assign(registry, this.#lifecycle())
  }

  getGroupMembership(): GroupMembershipClient {
    return notStarted()
  }

  getLeaderElection(service: string): LeaderElectionClient {
    const store = this.#store ?? notStarted()
    const election: Partial<LeaderElectionClient> = {
      nominate: async (candidate, { takeover = false } = {}) => {
        if (store.leaders.has(service) && !takeover) return false
        store.leaders.set(service, { candidate, token: ++store.tokens, client: this })
        return true
      },
      leadership: (candidate) => {
        const leader = store.leaders.get(service)
        if (leader?.client !== this || leader.candidate !== candidate) return undefined
        const handle: Partial<Leadership> = { service, token: leader.token, candidate, held: true }
        return handle as Leadership
      },
      resign: async () => {
        store.leaders.delete(service)
      },
      withdraw: async () => undefined,
    }
    return election as LeaderElectionClient
  }

  async shutdown(): Promise<void> {
    this.#closing.abort(new CoordinationError('CLOSED', 'closed'))
    this.#registry?.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }

  #lifecycle() {
    return {
      capabilities: RAW_CAPABILITIES,
      closing: this.#closing.signal,
      init: () => Promise.reject(new CoordinationError('INVALID_ARGUMENT', 'it is initialised')),
      close: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    }
  }

  #makeStorage(store: RawStore): Storage {
    const named = (key: string) => (store.fault === 'keys-in-lower-case' ? key.toLowerCase() : key)
    const own = async <T>(write: Promise<T>): Promise<T> => {
      this.#writing++
      try {
        return await write
      } finally {
        setImmediate(() => this.#writing--)
      }
    }
    const read = makeReader(store)
    return {
      ...this.#lifecycle(),
      fetch: async (key, options) => {
        const entry = await read(named(key), options)
        return entry === undefined && store.fault === 'absent-is-empty' ? '' : entry?.text
      },
      fetchEntry: (key, options) => read(named(key), options),
      put: (key, data, options = {}) => own(putKey(store, named(key), data, options)),
      update: (key, data, options = {}) => own(updateKey(store, named(key), data, options)),
      delete: (key, options = {}) => own(deleteKey(store, named(key), options)),
      transact: (operations, options = {}) => own(transactKeys(store, operations, options)),
      list: async (namespace) => {
        await turn()
        return childrenOf(store, namespace)
      },
      scan: (namespace, options) => scanKeys(store, namespace, options?.signal),
    }
  }
}

/** How long ago the state was that a wrong read shows. */
const STALE_MS = 20

function makeReader(store: RawStore): (key: string, options?: ReadOptions) => Promise<Entry | undefined> {
  let reads = 0
  let before: Entry | undefined
  return async (key, options) => {
    options?.signal?.throwIfAborted()
    const isBehind =
      store.fault === 'stale-reads' ||
      (store.fault === 'sequential-reads-go-back' && options?.consistency === 'sequential' && reads++ % 3 === 0)
    const asked = performance.now()
    await turn()
    const now = isBehind ? asOf(store, key, asked - STALE_MS) : store.entries.get(key)
    const crossed = store.fault === 'crossed-answers' && ++reads % 5 === 0 ? before : now
    before = now
    // a copy: what the caller does to it must not reach the store
    return crossed === undefined || store.fault === 'shared-buffers' ? crossed : copyOf(crossed)
  }
}

function copyOf(entry: Entry): Entry {
  const copy = Object.create(entry, { bytes: { value: new Uint8Array(entry.bytes) } }) as Entry
  return copy
}

function asOf(store: RawStore, key: string, time: number): Entry | undefined {
  const next = store.past.find((state) => state.key === key && state.at > time)
  return next === undefined ? store.entries.get(key) : next.entry
}

function notStarted(): never {
  throw new CoordinationError('NOT_INITIALIZED', 'the raw backend is not started, or has no such service')
}
