/** A client of the brokers: finds out who leads, and follows when that changes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerError, isBrokerError, isRetriable } from '../errors.ts'
import { decodeRecords, encodeRecords, HEADER_BYTES, splitBatches } from '../log/batch.ts'
import { type Address, Connections } from '../wire/connection.ts'
import type { Frame } from '../wire/frames.ts'

export interface PartitionMetadata {
  readonly leader: number
  readonly leader_epoch: number
  readonly isr: readonly number[]
  readonly replicas: readonly number[]
}

export interface TopicMetadata {
  readonly topic_id: string
  readonly config: Readonly<Record<string, string>>
  readonly partitions: Readonly<Record<string, PartitionMetadata>>
}

/** As one broker knows it. */
export interface Metadata {
  readonly brokers: readonly (Address & { readonly id: number; readonly epoch: string })[]
  /** -1: none is known. */
  readonly controller: number
  readonly topics: Readonly<Record<string, TopicMetadata>>
}

export interface CreateTopicOptions {
  readonly partitions?: number
  readonly replicationFactor?: number
  /** Brokers of each partition, instead of the two numbers. */
  readonly assignment?: Readonly<Record<string, readonly number[]>>
  readonly config?: Readonly<Record<string, string>>
}

export interface ConsumedRecord {
  readonly offset: number
  readonly value: Buffer
}

export interface ClientOptions {
  /** How long a call goes on trying. Milliseconds; default 30 000. */
  readonly timeoutMs?: number
  /** How long one try may take. Milliseconds; default 5 000. */
  readonly tryMs?: number
}

const PAUSE_MS = 50

export class BrokerClient {
  readonly #bootstrap: readonly Address[]
  readonly #connections = new Connections()
  readonly #timeoutMs: number
  readonly #tryMs: number
  #metadata: Metadata | undefined
  #asked = 0

  /** @param bootstrap some of the brokers. */
  constructor(bootstrap: readonly Address[], { timeoutMs = 30_000, tryMs = 5_000 }: ClientOptions = {}) {
    this.#bootstrap = bootstrap
    this.#timeoutMs = timeoutMs
    this.#tryMs = tryMs
  }

  /** Of the first broker that answers. @throws BrokerError of the last try. */
  async metadata(): Promise<Metadata> {
    return this.#trying(async () => this.#refresh())
  }

  /**
   * @returns the offset of the first record. Its promise: they are in the logs of all replicas that are in sync. A try
   * that got no answer is repeated, so they may be there twice.
   */
  async produce(topic: string, partition: number, values: readonly Uint8Array[]): Promise<number> {
    const body = encodeRecords(values)
    const header = { topic, partition, timeout_ms: this.#tryMs }
    const frame = await this.#toLeader(topic, partition, 'produce', header, body)
    return Number(frame.header['base_offset'])
  }

  /** Records from `offset` on; none if there are none after `maxWaitMs`. */
  async fetch(topic: string, partition: number, offset: number, maxWaitMs = 0): Promise<readonly ConsumedRecord[]> {
    const header = { topic, partition, offset, max_wait_ms: maxWaitMs }
    const { body } = await this.#toLeader(topic, partition, 'fetch', header)
    return splitBatches(body).flatMap(({ baseOffset, bytes }) =>
      decodeRecords(bytes.subarray(HEADER_BYTES)).flatMap((value, at) =>
        baseOffset + at < offset ? [] : [{ offset: baseOffset + at, value }],
      ),
    )
  }

  /** All that is there now, from the beginning. */
  async fetchAll(topic: string, partition: number): Promise<readonly ConsumedRecord[]> {
    const all: ConsumedRecord[] = []
    for (;;) {
      const more = await this.fetch(topic, partition, (all.at(-1)?.offset ?? -1) + 1)
      if (more.length === 0) return all
      all.push(...more)
    }
  }

  /** @throws BrokerError TOPIC_EXISTS, also if an earlier try of this very call, of which nothing was heard, did it. */
  async createTopic(name: string, options: CreateTopicOptions = {}): Promise<void> {
    const { partitions, replicationFactor, assignment, config } = options
    await this.ask('create_topic', { name, partitions, replication_factor: replicationFactor, assignment, config })
  }

  async deleteTopic(name: string): Promise<void> {
    await this.ask('delete_topic', { name })
  }

  async alterConfig(name: string, config: Readonly<Record<string, string>>): Promise<void> {
    await this.ask('alter_config', { name, config })
  }

  async reassign(topic: string, partition: number, replicas: readonly number[]): Promise<void> {
    await this.ask('reassign', { partitions: [{ topic, partition, replicas }] })
  }

  async electPreferred(topic: string, partition: number): Promise<void> {
    await this.ask('elect_preferred', { partitions: [{ topic, partition }] })
  }

  /** Of any broker. */
  async ask(api: string, header: object): Promise<Frame> {
    return this.#trying(async () => this.#any().request(api, header, undefined, this.#tryMs))
  }

  close(): void {
    this.#connections.close()
  }

  async #toLeader(topic: string, partition: number, api: string, header: object, body?: Uint8Array): Promise<Frame> {
    return this.#trying(async () => {
      const metadata = this.#metadata ?? (await this.#refresh())
      const { leader = -1 } = metadata.topics[topic]?.partitions[partition] ?? {}
      const address = metadata.brokers.find(({ id }) => id === leader)
      if (address === undefined) {
        throw new BrokerError('UNKNOWN_TOPIC', `no leader is known of ${topic}-${partition}`)
      }
      // the broker's own limit comes first, so that its answer is heard
      return this.#connections.to(address).request(api, header, body, this.#tryMs + 1_000)
    })
  }

  /** Until it succeeds, cannot succeed, or the time is up. */
  async #trying<T>(attempt: () => Promise<T>): Promise<T> {
    const end = Date.now() + this.#timeoutMs
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (!isBrokerError(error) || !isRetriable(error) || Date.now() >= end) throw error
        this.#metadata = undefined
        await sleep(PAUSE_MS)
      }
    }
  }

  async #refresh(): Promise<Metadata> {
    const { header } = await this.#any().request('metadata', {}, undefined, this.#tryMs)
    this.#metadata = header as unknown as Metadata
    return this.#metadata
  }

  /** Another one each time: one that does not answer is not asked again at once. */
  #any() {
    const known = [...this.#bootstrap, ...(this.#metadata?.brokers ?? [])]
    const address = known[this.#asked++ % known.length]
    if (address === undefined) throw new BrokerError('INVALID_REQUEST', 'no broker to begin with')
    return this.#connections.to(address)
  }
}
