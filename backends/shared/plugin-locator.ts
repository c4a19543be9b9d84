/** A backend's locator: its start and its end, and the services between them. A backend adds how it connects. */
import {
  checkConfig,
  checkId,
  CoordinationError,
  type GroupMembershipClient,
  type LeaderElectionClient,
  type ListenerRegistry,
  type OpOptions,
  type PluginContext,
  pluginContext,
  type PluginHost,
  type PluginLocator,
  type PluginLocatorClass,
  type Session,
  type Storage,
} from '../../spi/index.ts'
import { configError } from '../../spi/config/parse-config.ts'
import { readPropertiesFile } from '../../spi/node/index.ts'
import { type CallsOptions, closedError, makeCalls } from './calls.ts'
import type { Call, StoreDriver } from './driver.ts'
import { ElectionClient } from './election-client.ts'
import { GroupClient } from './group-client.ts'
import { inTime } from './in-time.ts'
import type { Kernel } from './kernel.ts'
import { makeKernelCore } from './make-kernel.ts'
import { RegistryClient } from './registry-client.ts'
import type { Service } from './service.ts'
import { SessionKeeper } from './session-keeper.ts'
import { StorageClient } from './storage-client.ts'

/** What is there between start and shutdown. */
interface Running {
  readonly kernel: Kernel
  readonly keeper: SessionKeeper
  readonly driver: StoreDriver
}

/**
 * A subclass is a PluginLocatorClass: it has `static readonly apiVersion = API_VERSION` and
 * `static readonly configDef`.
 */
export abstract class AbstractPluginLocator implements PluginLocator {
  readonly #closing = new AbortController()
  readonly #services = new Map<string, Service>()
  /** Of services that were closed one by one: shutdown waits for them. */
  readonly #leaving = new Set<Promise<void>>()
  #starting: Promise<void> | undefined
  #running: Running | undefined
  #closed: Promise<void> | undefined

  /**
   * Connects. Called again if it throws for want of a connection, until the time is up; what it has opened by then it
   * closes itself.
   * @param context its `config` has been checked against `configDef`: `parseConfig` gives the typed values.
   */
  protected abstract connect(context: PluginContext, call: Call): Promise<StoreDriver>

  async startup(configFile: string, host: PluginHost = {}, options: OpOptions = {}): Promise<void> {
    if (this.#closing.signal.aborted) throw closedError(this.#name(), { effect: 'none' })
    if (this.#starting !== undefined) {
      throw new CoordinationError('INVALID_ARGUMENT', 'startup is called once', { backend: this.#name() })
    }
    const starting = this.#start(configFile, host, options)
    this.#starting = starting
    try {
      await starting
    } catch (error) {
      this.#starting = undefined
      throw error
    }
  }

  get session(): Session {
    if (this.#running === undefined) throw this.#notInitialized()
    return this.#running.keeper.current
  }

  getGroupMembership(group: string): GroupMembershipClient {
    const kernel = this.#kernel()
    checkId('group', group, kernel.capabilities)
    return this.#service(`group ${group}`, () => new GroupClient(kernel, group))
  }

  getLeaderElection(service: string): LeaderElectionClient {
    const kernel = this.#kernel()
    checkId('service', service, kernel.capabilities)
    return this.#service(`election ${service}`, () => new ElectionClient(kernel, service))
  }

  getStorage(): Storage {
    const kernel = this.#kernel()
    return this.#service('storage', () => new StorageClient(kernel))
  }

  getListenerRegistry(): ListenerRegistry {
    const kernel = this.#kernel()
    return this.#service('registry', () => new RegistryClient(kernel))
  }

  shutdown(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort(closedError(this.#name()))
    this.#closed ??= this.#shutdown()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  async #start(configFile: string, host: PluginHost, options: OpOptions): Promise<void> {
    options.signal?.throwIfAborted()
    const context = checkedContext(this.constructor as unknown as Configured, configFile, host)
    const limits = remaining(context, options)
    const driver = await this.#connect(context, limits())
    const core = makeKernelCore({ context, driver, closing: this.#closing.signal })
    const keeper = new SessionKeeper(core)
    try {
      await keeper.open(limits())
      this.#running = { kernel: { ...core, sessions: keeper }, keeper, driver }
    } catch (error) {
      await closeAll(context, keeper, driver)
      throw error
    }
  }

  /** One that comes when nobody waits for it any more is closed. */
  async #connect(context: PluginContext, options: OpOptions): Promise<StoreDriver> {
    const calls: CallsOptions = {
      context,
      capabilities: { backend: this.#name(), linearizableReads: true },
      closing: this.#closing.signal,
    }
    return makeCalls(calls).repeat({ what: 'connect' }, options, async (call) => {
      const driver = await this.connect(context, call)
      if (!call.signal.aborted) return driver
      await driver.close()
      throw closedError(this.#name())
    })
  }

  async #shutdown(): Promise<void> {
    await this.#starting?.catch(() => undefined)
    await Promise.all([...[...this.#services.values()].map((service) => service.close()), ...this.#leaving])
    if (this.#running === undefined) return
    const { keeper, driver, kernel } = this.#running
    await closeAll(kernel.context, keeper, driver)
  }

  /** Under one name the same one, until it is closed alone. */
  #service<S extends Service>(name: string, make: () => S): S {
    const present = this.#services.get(name)
    const isOver = this.#closing.signal.aborted
    if (present !== undefined && (isOver || !present.closing.aborted)) return present as S
    if (present !== undefined) this.#leave(present)
    const made = make()
    this.#services.set(name, made)
    if (isOver) this.#leave(made)
    return made
  }

  #leave(service: Service): void {
    const leaving = service.close().finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
  }

  /** Also after the end: services that are given out then are closed, and say so at their first call. */
  #kernel(): Kernel {
    if (this.#running !== undefined) return this.#running.kernel
    if (this.#closing.signal.aborted) throw closedError(this.#name(), { effect: 'none' })
    throw this.#notInitialized()
  }

  #notInitialized(): CoordinationError {
    return new CoordinationError('NOT_INITIALIZED', 'startup comes first', { backend: this.#name() })
  }

  /** In errors: the driver's name for itself, or what the class is called as long as there is no driver. */
  #name(): string {
    return (
      this.#running?.driver.capabilities.backend ?? this.constructor.name.replace(/PluginLocator$/, '').toLowerCase()
    )
  }
}

/** The session's end is something to ask the store for. */
async function closeAll(context: PluginContext, keeper: SessionKeeper, driver: StoreDriver): Promise<void> {
  await inTime(context, 'ending the session', keeper.close())
  await inTime(context, 'closing the connection', driver.close())
}

type Configured = Pick<PluginLocatorClass, 'configDef' | 'configProblems'>

/** Reads and checks everything, and says all that is wrong in one error. */
function checkedContext(locatorClass: Configured, configFile: string, host: PluginHost): PluginContext {
  const file =
    host.config !== undefined || configFile === ''
      ? { readable: true, raw: host.config ?? {}, parse: { source: configFile }, problems: [], warnings: [] }
      : readPropertiesFile(configFile, configFile)
  const context = pluginContext({ ...host, config: file.raw })
  const checked = checkConfig(locatorClass.configDef, file.raw, file.parse)
  for (const warning of [...file.warnings, ...checked.warnings]) context.logger.warn(warning)
  // nothing is missing from a file that could not be read
  const problems = [...file.problems, ...(file.readable ? checked.problems : [])]
  if (checked.values !== undefined) problems.push(...(locatorClass.configProblems?.(checked.values) ?? []))
  if (problems.length > 0) throw configError(problems)
  return context
}

/** What is left of the time, at each call. */
function remaining({ clock, sessionTimeoutMs }: PluginContext, options: OpOptions): () => OpOptions {
  const until = clock.now() + (options.timeoutMs ?? sessionTimeoutMs)
  return () => ({ ...options, timeoutMs: Math.max(0, until - clock.now()) })
}
