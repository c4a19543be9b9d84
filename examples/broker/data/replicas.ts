/** All replicas on this broker: which there are, what role each has, and what requests of theirs are answered. */
import { readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Bell } from '../bell.ts'
import type { TopicPartition } from '../core/metadata.ts'
import { BrokerError } from '../errors.ts'
import { topicIdIn, writeTopicId } from '../log/log-dir.ts'
import { PartitionLog } from '../log/partition-log.ts'
import type { Topic } from '../store/topics.ts'
import type { Connection } from '../wire/connection.ts'
import type { LeaderPorts } from './leader.ts'
import { Partition } from './partition.ts'
import { ReplicaFetcher } from './replica-fetcher.ts'

export interface ReplicasSetup extends Omit<LeaderPorts, 'changed'> {
  readonly folder: string
  readonly flushMessages: number
  connectionTo(broker: number): Connection | undefined
  /** A leader could not be fetched from. @param isNew whether it could the time before. */
  failed(leader: number, error: unknown, isNew: boolean): void
}

const REMOVED = '-delete'

export class Replicas {
  /** Rings when there may be more to read. */
  readonly bell = new Bell()
  readonly #setup: ReplicasSetup
  readonly #partitions = new Map<string, Partition>()
  readonly #fetchers = new Map<number, ReplicaFetcher>()
  readonly #ticker: ReturnType<typeof setInterval>

  constructor(setup: ReplicasSetup) {
    this.#setup = setup
    this.#ticker = setInterval(() => this.tick(), Math.max(20, setup.maxLagMs / 4))
  }

  get all(): readonly Partition[] {
    return [...this.#partitions.values()]
  }

  /** @throws BrokerError NOT_LEADER of a partition that this broker has no replica of. */
  get({ topic, partition }: TopicPartition): Partition {
    const found = this.#partitions.get(`${topic}-${partition}`)
    if (found === undefined) {
      throw new BrokerError('NOT_LEADER', `broker ${this.#setup.me} has no replica of ${topic}-${partition}`)
    }
    return found
  }

  /** Does what the metadata say of a topic. @param topic undefined: there is none. */
  apply(name: string, topic: Topic | undefined): void {
    const wanted = new Map([...(topic?.partitions ?? [])].filter(([, { replicas }]) => this.#isMine(replicas)))
    let changed = false
    for (const held of this.all) {
      if (held.topic !== name) continue
      if (held.topicId !== topic?.id || !wanted.has(held.partition)) this.#remove(held)
    }
    if (topic !== undefined) {
      for (const [partition, { state, ...others }] of wanted) {
        if (state === undefined) continue
        const held = this.#hold({ topic: name, topicId: topic.id, partition })
        if (held.apply({ ...others, state: state.value, version: state.version })) changed = true
      }
    }
    if (changed) this.#arrangeFetchers()
  }

  /**
   * Removes what lies on disk of topics that are gone. @param names of those that there are. @param ids of those of them
   * that could be read.
   */
  removeStrays(names: ReadonlySet<string>, ids: ReadonlyMap<string, string>): void {
    for (const name of readdirSync(this.#setup.folder)) {
      const [, topic] = /^(.+)-\d+$/.exec(name) ?? []
      const folder = join(this.#setup.folder, name)
      if (name.endsWith(REMOVED)) rmSync(folder, { recursive: true, force: true })
      if (topic === undefined || this.#partitions.has(name)) continue
      const id = ids.get(topic)
      const isStray = id === undefined ? !names.has(topic) : topicIdIn(folder) !== id
      if (isStray) this.#removeFolder(name)
    }
  }

  tick(): void {
    for (const { leading } of this.#partitions.values()) leading?.tick()
  }

  async close(): Promise<void> {
    clearInterval(this.#ticker)
    await Promise.all([...this.#fetchers.values()].map((fetcher) => fetcher.close()))
    for (const partition of this.#partitions.values()) partition.close()
  }

  #isMine(replicas: readonly number[]): boolean {
    return replicas.includes(this.#setup.me)
  }

  #hold(of: TopicPartition & { readonly topicId: string }): Partition {
    const name = `${of.topic}-${of.partition}`
    const held = this.#partitions.get(name)
    if (held !== undefined) return held
    const folder = join(this.#setup.folder, name)
    const id = topicIdIn(folder)
    if (id !== undefined && id !== of.topicId) this.#removeFolder(name)
    // before the log: one without it is taken for a stray
    if (id !== of.topicId) writeTopicId(folder, of.topicId)
    const log = new PartitionLog({ folder, flushMessages: this.#setup.flushMessages })
    const partition = new Partition(of, log, { ...this.#setup, changed: () => this.bell.ring() })
    this.#partitions.set(name, partition)
    return partition
  }

  #remove(partition: Partition): void {
    partition.close()
    this.#partitions.delete(partition.name)
    this.#removeFolder(partition.name)
    this.bell.ring()
  }

  /** Out of the way first: a half removed log must not be taken for one. */
  #removeFolder(name: string): void {
    const folder = join(this.#setup.folder, name)
    const removed = `${folder}.${Date.now()}${REMOVED}`
    renameSync(folder, removed)
    rmSync(removed, { recursive: true, force: true })
  }

  #arrangeFetchers(): void {
    for (const { following } of this.#partitions.values()) {
      if (following !== undefined && !this.#fetchers.has(following.leader)) this.#startFetcher(following.leader)
    }
    for (const fetcher of this.#fetchers.values()) fetcher.changed()
  }

  #startFetcher(leader: number): void {
    const { me } = this.#setup
    const fetcher = new ReplicaFetcher({
      me,
      connection: () => this.#setup.connectionTo(leader),
      partitions: () => this.all.filter(({ following }) => following?.leader === leader),
      failed: (error, isNew) => this.#setup.failed(leader, error, isNew),
    })
    this.#fetchers.set(leader, fetcher)
  }
}
