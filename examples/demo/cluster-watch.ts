/** The cluster as it is now, and whenever it changes: told by the SPI's listeners, nothing is polled. */
import type { GroupChangeListener, LeaderChangeListener, PluginLocator } from 'keta/spi'
import { silentLogger } from 'keta/spi'
import { Topics } from '../broker/store/topics.ts'

export interface ClusterState {
  readonly brokers: readonly number[]
  /** -1: there is none. */
  readonly controller: number
  readonly controllerEpoch: string
  readonly partitions: readonly {
    readonly topic: string
    readonly partition: number
    readonly replicas: readonly number[]
    /** As it stands in the store; empty while there is none. */
    readonly leader: number
    readonly leaderEpoch: number
    readonly isr: readonly number[]
  }[]
}

export class ClusterWatch {
  readonly #topics: Topics
  readonly #plugin: PluginLocator
  readonly #changed: () => void
  #brokers: readonly number[] = []
  #controller = -1
  #controllerEpoch = ''

  /** @param changed is called when the state is another. */
  constructor(plugin: PluginLocator, changed: () => void) {
    this.#plugin = plugin
    this.#changed = changed
    this.#topics = new Topics({
      storage: plugin.getStorage(),
      registry: plugin.getListenerRegistry(),
      logger: silentLogger,
      changed,
    })
  }

  async start(): Promise<void> {
    const group: GroupChangeListener = {
      onGroupChange: (ids) => {
        this.#brokers = [...ids].map(Number).sort((a, b) => a - b)
        this.#changed()
      },
    }
    const election: LeaderChangeListener = {
      onLeaderChange: (leader) => {
        this.#controller = leader === undefined ? -1 : Number(leader)
        this.#changed()
      },
    }
    const epoch = {
      valueChanged: (text: string | undefined) => {
        this.#controllerEpoch = text ?? ''
        this.#changed()
      },
    }
    const initial = { initial: true }
    await this.#plugin.getGroupMembership('brokers').addListener(group, initial)
    await this.#plugin.getLeaderElection('controller').addListener(election, initial)
    await this.#plugin.getListenerRegistry().addValueChangeListener('/controller_epoch', epoch, initial)
    await this.#topics.start()
  }

  get state(): ClusterState {
    return {
      brokers: this.#brokers,
      controller: this.#controller,
      controllerEpoch: this.#controllerEpoch,
      partitions: [...this.#topics.all].flatMap(([topic, { partitions }]) =>
        [...partitions].map(([partition, { replicas, state }]) => {
          const { leader = -1, leaderEpoch = -1, isr = [] } = state?.value ?? {}
          return { topic, partition, replicas, leader, leaderEpoch, isr }
        }),
      ),
    }
  }

  async close(): Promise<void> {
    await this.#topics.close()
  }
}
