/** What the story is played with: a store, brokers in processes of their own, a client, and a look into the store. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadPlugin } from 'keta/spi/node'
import { type PluginLocator, silentLogger } from 'keta/spi'
import { BrokerProcess } from '../broker/broker-process.ts'
import { BrokerClient } from '../broker/client/client.ts'
import type { Address } from '../broker/wire/connection.ts'
import type { StartedStore } from './backends.ts'

const TTL_MS = 3_000
const WAIT_MS = 60_000
const CLUSTER = 'demo'
const LOOK_EVERY_MS = 20

export class Stage implements AsyncDisposable {
  /** Through the SPI, as the brokers see it. */
  readonly plugin: PluginLocator
  readonly #store: StartedStore
  readonly #folder: string
  readonly #brokers = new Map<number, BrokerProcess>()
  readonly #addresses = new Map<number, Address>()

  private constructor(store: StartedStore, folder: string, plugin: PluginLocator) {
    this.#store = store
    this.#folder = folder
    this.plugin = plugin
  }

  static async build(start: () => Promise<StartedStore>): Promise<Stage> {
    const store = await start()
    const folder = await mkdtemp(join(tmpdir(), 'keta-demo-'))
    try {
      const options = { clusterId: CLUSTER, logger: silentLogger, config: store.properties }
      const plugin = await loadPlugin({ 'plugin.locator.classname': store.locator }, options)
      return new Stage(store, folder, plugin)
    } catch (error) {
      await store.stop()
      throw error
    }
  }

  get storeName(): string {
    return this.#store.name
  }

  /** Starts a broker, or starts it again where it was. */
  async startBroker(id: number): Promise<void> {
    const file = join(this.#folder, `server-${id}.properties`)
    const pluginFile = join(this.#folder, 'plugin.properties')
    await writeFile(pluginFile, textOf(this.#store.properties))
    await writeFile(
      file,
      textOf({
        'broker.id': String(id),
        listeners: `PLAINTEXT://127.0.0.1:${this.#addresses.get(id)?.port ?? 0}`,
        'log.dirs': join(this.#folder, `broker-${id}`),
        'replica.lag.time.max.ms': String(2 * TTL_MS),
        'plugin.locator.classname': this.#store.locator,
        'plugin.configuration.file': pluginFile,
        'plugin.cluster.id': CLUSTER,
        'plugin.session.timeout.ms': String(TTL_MS),
      }),
    )
    const broker = new BrokerProcess(file)
    this.#brokers.set(id, broker)
    const address = await this.until(`broker ${id} listens`, () => {
      if (!broker.isAlive) throw new Error(`broker ${id} ended at its start:\n${broker.output}`)
      return broker.address
    })
    this.#addresses.set(id, address)
  }

  async killBroker(id: number): Promise<void> {
    await this.#brokers.get(id)?.kill()
  }

  client(): BrokerClient {
    return new BrokerClient([...this.#addresses.values()], { tryMs: 2_000 })
  }

  /** Asks until there is an answer. @throws Error if there is none in a minute. */
  async until<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const end = performance.now() + WAIT_MS
    for (;;) {
      const answer = await ask()
      if (answer !== undefined) return answer
      if (performance.now() > end) throw new Error(`waited in vain: ${what}`)
      await sleep(LOOK_EVERY_MS)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#brokers.values()].map((broker) => broker.kill()))
    await this.plugin.shutdown()
    await this.#store.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function textOf(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
