/** What administrators ask for: written down as wishes. A controller makes them true, whichever that is by then. */
import { randomBytes, randomInt } from 'node:crypto'
import { isCoordinationError, modify, type Storage } from 'keta/spi'
import { assignReplicas } from '../core/assign-replicas.ts'
import {
  type Assignment,
  decodeTopic,
  decodeTopicConfig,
  encodePreferredElection,
  encodeReassignment,
  encodeTopic,
  encodeTopicConfig,
  type Reassigned,
  type TopicConfig,
  type TopicPartition,
} from '../core/metadata.ts'
import * as paths from '../core/paths.ts'
import { checkTopicConfig } from '../core/topic-config.ts'
import { BrokerError } from '../errors.ts'

export interface NewTopic {
  readonly name: string
  readonly partitions?: number
  readonly replicationFactor?: number
  /** Instead of the two numbers. */
  readonly assignment?: Assignment
  readonly config?: TopicConfig
}

export class Admin {
  readonly #storage: Storage
  readonly #brokers: () => readonly number[]

  /** @param brokers the ids of those that are there. */
  constructor(storage: Storage, brokers: () => readonly number[]) {
    this.#storage = storage
    this.#brokers = brokers
  }

  /** Of two that create one topic one succeeds. @throws BrokerError TOPIC_EXISTS, INVALID_REQUEST */
  async createTopic({ name, config = {}, ...wish }: NewTopic): Promise<void> {
    if (!paths.isTopicName(name)) throw invalid(`${JSON.stringify(name)} cannot be the name of a topic`)
    checkTopicConfig(config)
    const record = {
      id: randomBytes(16).toString('base64url'),
      partitions: this.#assign(wish),
      adding: new Map(),
      removing: new Map(),
    }
    try {
      // the topic first: who loses must not touch the winner's configuration
      await this.#storage.put(paths.topicPath(name), encodeTopic(record))
    } catch (error) {
      if (isCoordinationError(error, 'KEY_EXISTS')) throw new BrokerError('TOPIC_EXISTS', `there is a topic ${name}`)
      throw error
    }
    if (Object.keys(config).length > 0) await this.alterConfig(name, config)
  }

  /** @throws BrokerError UNKNOWN_TOPIC */
  async deleteTopic(name: string): Promise<void> {
    const { id } = await this.#topic(name)
    await modify(this.#storage, paths.deletionPath(name), () => id)
  }

  /** Changes what is named; the empty text means the default again. @throws BrokerError UNKNOWN_TOPIC, INVALID_REQUEST */
  async alterConfig(name: string, changes: TopicConfig): Promise<void> {
    checkTopicConfig(changes)
    await this.#topic(name)
    await modify(this.#storage, paths.topicConfigPath(name), (now) => {
      const before = now === undefined ? {} : decodeTopicConfig(now.text)
      const after = Object.entries({ ...before, ...changes }).filter(([, value]) => value !== '')
      return encodeTopicConfig(Object.fromEntries(after))
    })
  }

  /** @throws BrokerError INVALID_REQUEST while another reassignment is under way */
  async reassign(partitions: readonly Reassigned[]): Promise<void> {
    for (const { replicas } of partitions) this.#checkReplicas(replicas)
    await this.#wish(paths.REASSIGNMENT, encodeReassignment(partitions), 'a reassignment')
  }

  /** @throws BrokerError INVALID_REQUEST while another one is under way */
  async electPreferred(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#wish(paths.PREFERRED_ELECTION, encodePreferredElection(partitions), 'a preferred leader election')
  }

  #assign({ assignment, partitions = 1, replicationFactor = 1 }: Omit<NewTopic, 'name' | 'config'>): Assignment {
    if (assignment === undefined) {
      const brokers = this.#brokers()
      const anywhere = Math.max(1, brokers.length)
      const start = { broker: randomInt(anywhere), shift: randomInt(anywhere) }
      return assignReplicas(brokers, { partitions, replicationFactor }, start)
    }
    if (assignment.size === 0) throw invalid('an assignment has at least one partition')
    for (const [at, partition] of [...assignment.keys()].sort((a, b) => a - b).entries()) {
      if (at !== partition) throw invalid('an assignment numbers its partitions from 0 on, without a gap')
    }
    for (const replicas of assignment.values()) this.#checkReplicas(replicas)
    return assignment
  }

  #checkReplicas(replicas: readonly number[]): void {
    if (replicas.length === 0 || new Set(replicas).size < replicas.length) {
      throw invalid(`[${replicas.join(',')}] is no list of replicas`)
    }
  }

  async #topic(name: string) {
    const text = paths.isTopicName(name) ? await this.#storage.fetch(paths.topicPath(name)) : undefined
    if (text === undefined) throw new BrokerError('UNKNOWN_TOPIC', `there is no topic ${JSON.stringify(name)}`)
    return decodeTopic(text)
  }

  async #wish(key: string, data: string, what: string): Promise<void> {
    try {
      await this.#storage.put(key, data)
    } catch (error) {
      if (isCoordinationError(error, 'KEY_EXISTS')) throw invalid(`${what} is under way`)
      throw error
    }
  }
}

function invalid(message: string): BrokerError {
  return new BrokerError('INVALID_REQUEST', message)
}
