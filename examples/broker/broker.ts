/** A broker: all its parts, their start in order, and their end in order. */
import {
  type LeaderChangeListener,
  type Logger,
  type OpOptions,
  type PluginLocator,
  requireCapabilities,
  systemClock,
} from 'keta/spi'
import { loadPlugin } from 'keta/spi/node'
import { checkConfiguration } from './check-configuration.ts'
import type { BrokerConfig } from './config.ts'
import { Replicas } from './data/replicas.ts'
import { BrokerError, messageOf } from './errors.ts'
import { type LogDir, openLogDir } from './log/log-dir.ts'
import { answer, type RequestPorts } from './requests.ts'
import { Admin } from './store/admin.ts'
import { Brokers, GROUP } from './store/brokers.ts'
import { clusterIdOf } from './store/cluster-id.ts'
import { Controller, SERVICE } from './store/controller.ts'
import { askToLeave, ledBy, resignLed } from './store/own-leaderships.ts'
import { Topics } from './store/topics.ts'
import { type Address, Connections } from './wire/connection.ts'
import { WireServer } from './wire/server.ts'

export interface RunningBroker {
  readonly id: number
  readonly address: Address
  /** Has others lead first, then ends everything. */
  stop(): Promise<void>
}

export interface BrokerHost {
  readonly logger: Logger
}

/** Given up after so long: a controller that is not there. */
const START_MS = 60_000
const POLL_MS = 20

/**
 * Starts the broker that a server.properties describes. @throws CoordinationError CONFIG with everything that is wrong,
 * before anything is touched; MEMBER_EXISTS if a living broker has the id; BrokerError LOG_DIR; what the store throws.
 */
export async function startBroker(serverProperties: string, { logger }: BrokerHost): Promise<RunningBroker> {
  const config = await checkConfiguration(serverProperties, logger)
  const plugin = await loadPlugin(serverProperties, { logger }, { timeoutMs: START_MS })
  const broker = new Broker(config, plugin, logger)
  try {
    await broker.start()
    return broker
  } catch (error) {
    await broker.abandon()
    throw error
  }
}

class Broker implements RunningBroker {
  readonly id: number
  readonly #config: BrokerConfig
  readonly #plugin: PluginLocator
  readonly #logger: Logger
  readonly #connections = new Connections()
  readonly #server: WireServer
  readonly #brokers: Brokers
  #address: Address | undefined
  #logDir: LogDir | undefined
  #replicas: Replicas | undefined
  #topics: Topics | undefined
  #controller: Controller | undefined
  #requests: RequestPorts | undefined
  /** For whoever asks; not for acting on. */
  #controllerId: number | undefined

  constructor(config: BrokerConfig, plugin: PluginLocator, logger: Logger) {
    this.id = config.id
    this.#config = config
    this.#plugin = plugin
    this.#logger = logger
    this.#server = new WireServer(async (api, frame) => answer(this.#ready(), api, frame))
    this.#brokers = new Brokers(plugin.getGroupMembership(GROUP), logger, () => this.#brokersChanged())
  }

  get address(): Address {
    if (this.#address === undefined) throw new BrokerError('STARTING', 'the broker does not listen yet')
    return this.#address
  }

  async start(): Promise<void> {
    const { id, listen, advertise, logDir } = this.#config
    const storage = this.#plugin.getStorage()
    requireCapabilities(storage.capabilities, { linearizableReads: true, atomicFencing: true })
    this.#logDir = openLogDir(logDir, id, await clusterIdOf(storage))
    const former = await ledBy(storage, id)
    this.#address = await this.#server.listen(listen)
    const { host, port } = advertise ?? this.#address
    await this.#brokers.register({ id, host, port, directoryId: this.#logDir.id })
    await resignLed(storage, former)
    const replicas = this.#makeReplicas(this.#logDir.path)
    const topics = this.#makeTopics(replicas)
    const ids = () => [...this.#brokers.all.keys()]
    this.#requests = {
      me: id,
      ...{ topics, replicas, brokers: this.#brokers, minInSyncReplicas: this.#config.minInSyncReplicas },
      admin: new Admin(storage, ids),
      controller: () => this.#controllerId,
      controllerStatus: () => this.#controllerStatus(),
    }
    const names = await topics.start()
    replicas.removeStrays(names, new Map([...topics.all].map(([name, topic]) => [name, topic.id])))
    await this.#followController()
    this.#controller = this.#makeController()
    this.#logger.info(`broker ${id}, epoch ${String(this.#brokers.epoch)}, on ${host}:${port}`)
  }

  async stop(): Promise<void> {
    const { id, shutdownMs } = this.#config
    const epoch = this.#brokers.epoch
    try {
      if (epoch !== undefined) await this.#handOver(epoch, { timeoutMs: shutdownMs })
    } catch (error) {
      this.#logger.warn(`broker ${id} ends without having others lead instead: ${messageOf(error)}`)
    }
    await this.abandon()
  }

  /** Ends everything at once, as far as there is something. */
  async abandon(): Promise<void> {
    await this.#controller?.close()
    // who has left the group is not waited for by anybody
    const leaving = this.#plugin.shutdown()
    await this.#topics?.close()
    await this.#brokers.close()
    await leaving
    await this.#server.close()
    this.#connections.close()
    await this.#replicas?.close()
    this.#logDir?.release()
  }

  /** Waits until nobody can take over any more of what this broker leads. */
  async #handOver(epoch: bigint, { timeoutMs = 0 }: OpOptions): Promise<void> {
    const end = Date.now() + timeoutMs
    await askToLeave(this.#plugin.getStorage(), this.id, epoch)
    this.#controller?.hint()
    while (Date.now() < end && this.#isReplaceable()) {
      await new Promise((resolve) => {
        setTimeout(resolve, POLL_MS)
      })
    }
  }

  #isReplaceable(): boolean {
    return [...(this.#topics?.all.values() ?? [])].some(({ partitions }) =>
      [...partitions.values()].some(({ state, replicas }) => {
        if (state?.value.leader !== this.id) return false
        const { isr } = state.value
        return replicas.some((other) => other !== this.id && isr.includes(other) && this.#brokers.all.has(other))
      }),
    )
  }

  #makeReplicas(folder: string): Replicas {
    const replicas = new Replicas({
      me: this.id,
      folder,
      flushMessages: this.#config.flushMessages,
      storage: this.#plugin.getStorage(),
      maxLagMs: this.#config.maxLagMs,
      now: () => systemClock.now(),
      live: () => new Set(this.#brokers.all.keys()),
      stale: (topic) => this.#topics?.hint(topic),
      connectionTo: (broker) => {
        const address = this.#brokers.all.get(broker)
        return address === undefined ? undefined : this.#connections.to(address)
      },
      failed: (leader, error, isNew) => {
        if (isNew) this.#logger.info(`fetching from broker ${leader}: ${messageOf(error)}`)
        // it may have come back elsewhere
        this.#brokers.refresh()
      },
    })
    this.#replicas = replicas
    return replicas
  }

  #makeTopics(replicas: Replicas): Topics {
    const topics = new Topics({
      storage: this.#plugin.getStorage(),
      registry: this.#plugin.getListenerRegistry(),
      logger: this.#logger,
      changed: (name, topic) => {
        replicas.apply(name, topic)
        this.#controller?.hint()
      },
    })
    this.#topics = topics
    return topics
  }

  #makeController(): Controller {
    return new Controller({
      brokerId: this.id,
      election: this.#plugin.getLeaderElection(SERVICE),
      storage: this.#plugin.getStorage(),
      registry: this.#plugin.getListenerRegistry(),
      group: this.#plugin.getGroupMembership(GROUP),
      logger: this.#logger,
      lookEveryMs: this.#config.lookEveryMs,
    })
  }

  async #followController(): Promise<void> {
    const listener: LeaderChangeListener = {
      onLeaderChange: (leader) => {
        this.#controllerId = leader === undefined ? undefined : Number(leader)
      },
    }
    await this.#plugin.getLeaderElection(SERVICE).addListener(listener, { initial: true })
  }

  #brokersChanged(): void {
    this.#controller?.hint()
    this.#replicas?.tick()
  }

  #ready(): RequestPorts {
    if (this.#requests === undefined) throw new BrokerError('STARTING', `broker ${this.id} is not ready yet`)
    return this.#requests
  }

  #controllerStatus() {
    if (this.#controller === undefined) throw new BrokerError('STARTING', `broker ${this.id} is not ready yet`)
    return this.#controller.status
  }
}
