/** What the cases work with: brokers in processes of their own, a client, and an observer of the store. */
import { expect } from 'chai'
import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Given, type Link, type Party, pauseProcess } from 'keta/conformance'
import { BrokerProcess } from '../broker-process.ts'
import { BrokerClient, type CreateTopicOptions } from '../client/client.ts'
import { decodeState, type PartitionState } from '../core/metadata.ts'
import { CONTROLLER_EPOCH, statePath } from '../core/paths.ts'
import type { ControllerStatus } from '../store/controller.ts'
import { BrokerError } from '../errors.ts'
import { type Address, Connection } from '../wire/connection.ts'

export interface BrokerStatus {
  readonly broker: number
  readonly broker_epoch: string
  readonly controller: ControllerStatus
  readonly configs: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly partitions: readonly {
    readonly name: string
    readonly role: 'leader' | 'follower' | 'idle'
    readonly leader_epoch: number
    readonly end_offset: number
    readonly high_watermark: number
  }[]
}

export type Properties = Readonly<Record<string, string>>

/** A broker needs a second or two to be loaded, and more on a busy machine. */
const START_MS = 60_000
/** Shorter ones are lost by processes that are merely slow. */
const SHORTEST_TTL_MS = 3_000
/** For a machine that has much else to do: nothing here measures how fast anything is. */
const SLACK_MS = 20_000
const ASK_MS = 2_000
/** Of each broker's output, in the message of a wait that was in vain. Characters. */
const SAID_SHOWN = 2_000
/** So long it waits for the store, too. */
const OBSERVER_TTL_MS = 30_000

export class BrokerCluster {
  readonly given: Given
  /** The brokers' sessions. Milliseconds. */
  readonly ttlMs: number
  readonly observer: Party
  readonly #folder: string
  readonly #properties: Properties
  readonly #processes = new Map<number, BrokerProcess>()
  readonly #addresses = new Map<number, Address>()
  readonly #links = new Map<number, Link>()

  private constructor(given: Given, observer: Party, folder: string, properties: Properties, ttlMs: number) {
    this.given = given
    this.ttlMs = ttlMs
    this.observer = observer
    this.#folder = folder
    this.#properties = properties
    given.after(() => this.#end())
  }

  /**
   * Starts brokers. The first is the controller, whatever the others do, as it is alone when it starts.
   * @param properties of all brokers, besides what they must have. @param leastTtlMs of their sessions.
   */
  static async start(
    given: Given,
    ids: readonly number[],
    properties: Properties = {},
    leastTtlMs = SHORTEST_TTL_MS,
  ): Promise<BrokerCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'keta-brokers-'))
    const observer = await given.party('observer', { sessionTtlMs: OBSERVER_TTL_MS })
    const cluster = new BrokerCluster(given, observer, folder, properties, Math.max(given.T, leastTtlMs))
    const [first, ...others] = ids
    if (first !== undefined) {
      await cluster.start(first)
      await cluster.until(`broker ${first} controls`, async () => (await cluster.status(first)).controller.epoch === 1)
    }
    await Promise.all(others.map((id) => cluster.start(id)))
    return cluster
  }

  /** By when a death has been noticed, and what follows from it is done. Milliseconds. */
  get failoverMs(): number {
    return 2 * this.ttlMs + this.given.graceMs + SLACK_MS
  }

  /** Waits as Given.until does, but by default as long as anything may take here, on a machine that is busy. */
  async until<R>(
    what: string,
    condition: () => R | Promise<R>,
    withinMs = this.failoverMs,
  ): Promise<Exclude<R, false | undefined>> {
    try {
      return await this.given.until(what, condition, withinMs)
    } catch (error) {
      const about = await Promise.all([...this.#processes].map((one) => this.#about(one)))
      throw new Error([error instanceof Error ? error.message : String(error), ...about].join('\n'), { cause: error })
    }
  }

  /** What helps to understand why something has not come about. */
  async #about([id, { output }]: readonly [number, BrokerProcess]): Promise<string> {
    const status = await this.status(id).then(
      (known) => JSON.stringify(known),
      (error: unknown) => String(error),
    )
    return `broker ${id}: ${status}\n${output.slice(-SAID_SHOWN)}`
  }

  get storage() {
    return this.observer.storage
  }

  /** A start, or a start again with the same folder and address. */
  async start(id: number): Promise<void> {
    const broker = await this.spawn(id)
    this.#processes.set(id, broker)
    const address = await this.given.until(`broker ${id} has started`, () => startedAt(broker), START_MS)
    this.#addresses.set(id, address)
  }

  /** Starts a process and does not wait for it. */
  async spawn(id: number, properties: Properties = {}): Promise<BrokerProcess> {
    const link = await this.link(id)
    const file = await this.given.serverProperties(link, { sessionTtlMs: this.ttlMs })
    const all = {
      'broker.id': String(id),
      listeners: `PLAINTEXT://127.0.0.1:${this.#addresses.get(id)?.port ?? 0}`,
      'log.dirs': this.logDir(id),
      'replica.lag.time.max.ms': String(2 * this.ttlMs),
      ...this.#properties,
      ...properties,
    }
    await appendFile(
      file,
      Object.entries(all)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
    const broker = new BrokerProcess(file)
    this.given.after(async () => {
      broker.continue()
      await broker.kill()
    })
    return broker
  }

  logDir(id: number): string {
    return join(this.#folder, `broker-${id}`)
  }

  /** A broker's way to the store. */
  async link(id: number): Promise<Link> {
    const link = this.#links.get(id) ?? (await this.given.link())
    this.#links.set(id, link)
    return link
  }

  process(id: number): BrokerProcess {
    return this.#processes.get(id) ?? expect.fail(`broker ${id} was never started`)
  }

  /** It stands still until its process is told to continue. */
  stop(id: number): void {
    pauseProcess(this.process(id).pid)
  }

  client(timeoutMs?: number): BrokerClient {
    const client = new BrokerClient([...this.#addresses.values()], {
      tryMs: ASK_MS,
      timeoutMs: timeoutMs ?? this.failoverMs + START_MS,
    })
    this.given.after(() => client.close())
    return client
  }

  async status(id: number): Promise<BrokerStatus> {
    const connection = new Connection(this.#addresses.get(id) ?? expect.fail(`broker ${id} was never started`))
    try {
      return (await connection.request('status', {}, undefined, ASK_MS)).header as unknown as BrokerStatus
    } catch (error) {
      return expect.fail(`broker ${id} does not say how it is: ${String(error)}`)
    } finally {
      connection.close()
    }
  }

  /** The state as it stands in the store. */
  async stateText(topic: string, partition = 0): Promise<string | undefined> {
    return this.storage.fetch(statePath(topic, partition))
  }

  async state(topic: string, partition = 0): Promise<PartitionState> {
    return decodeState((await this.stateText(topic, partition)) ?? expect.fail(`${topic}-${partition} has no state`))
  }

  async controllerEpoch(): Promise<string | undefined> {
    return this.storage.fetch(CONTROLLER_EPOCH)
  }

  async untilState(topic: string, text: string, partition = 0): Promise<void> {
    const look = async () => {
      expect(await this.stateText(topic, partition)).to.equal(text)
      return true
    }
    await this.until(`the state of ${topic}-${partition} is ${text}`, look)
  }

  /** Creates it, and waits until each partition has a leader and all of its replicas in sync. */
  async createTopic(name: string, ...replicas: readonly (readonly number[])[]): Promise<void> {
    await this.make(name, { assignment: Object.fromEntries(replicas.entries()) })
    await this.untilInSync(name, replicas)
  }

  /** Creates one that nobody else creates; on a busy machine a try whose answer came too late may have done it. */
  async make(name: string, options: CreateTopicOptions, client = this.client()): Promise<void> {
    await client.createTopic(name, options).catch((error: unknown) => {
      if (!(error instanceof BrokerError) || error.code !== 'TOPIC_EXISTS') throw error
    })
  }

  async untilInSync(name: string, replicas: readonly (readonly number[])[]): Promise<void> {
    const look = async () => {
      for (const [partition, ids] of replicas.entries()) {
        const { leader, isr } = await this.state(name, partition)
        expect([...isr].sort()).to.deep.equal([...ids].sort())
        expect(ids).to.include(leader)
      }
      return true
    }
    await this.until(`all replicas of ${name} are in sync`, look)
  }

  async #end(): Promise<void> {
    // kept if the case has failed
    for (const [id, { output }] of this.#processes) this.given.history.note({ broker: id, said: output })
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function startedAt(broker: BrokerProcess): Address | undefined {
  if (!broker.isAlive) throw new Error(`a broker ended at its start: ${broker.output}`)
  return broker.address
}

export function stateText(
  [controllerEpoch, leader, leaderEpoch]: readonly [number, number, number],
  isr: readonly number[],
): string {
  return (
    `{"controller_epoch":${controllerEpoch},"leader":${leader},"version":1,` +
    `"leader_epoch":${leaderEpoch},"isr":[${isr.join(',')}]}`
  )
}

export function values(...texts: readonly string[]): readonly Buffer[] {
  return texts.map((text) => Buffer.from(text))
}

export async function textsOf(client: BrokerClient, topic: string, partition = 0): Promise<readonly string[]> {
  return (await client.fetchAll(topic, partition)).map(({ value }) => value.toString())
}
