/**
 * The topics, as this broker knows them: kept up to date by listeners on every key. A listener's call is a hint; what
 * counts is then read from the store, one reading of a topic after the other, so that no older state follows a newer.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Entry, KeySetChangeListener, ListenerRegistry, Logger, Storage, ValueChangeListener } from 'keta/spi'
import { Bell } from '../bell.ts'
import type { PartitionState, TopicConfig } from '../core/metadata.ts'
import { decodeState, decodeTopic, decodeTopicConfig } from '../core/metadata.ts'
import { parseStatePath, statePath, topicConfigPath, topicPath, TOPICS } from '../core/paths.ts'
import type { Versioned } from '../core/view.ts'
import { messageOf } from '../errors.ts'

export interface TopicPartitionView {
  readonly replicas: readonly number[]
  readonly removing: readonly number[]
  /** Undefined until a controller has made it. */
  readonly state: Versioned<PartitionState> | undefined
}

export interface Topic {
  readonly id: string
  readonly config: TopicConfig
  readonly partitions: ReadonlyMap<number, TopicPartitionView>
}

export interface TopicsSetup {
  readonly storage: Storage
  readonly registry: ListenerRegistry
  readonly logger: Logger
  /** After each reading. @param topic undefined: it is gone. */
  changed(name: string, topic: Topic | undefined): void
}

const RETRY_MS = 200
/** What is changed together is read together. */
const GATHER_MS = 10
/** Topics that are read at a time. */
const READERS = 8

export class Topics {
  readonly #setup: TopicsSetup
  readonly #topics = new Map<string, Topic>()
  readonly #records = new Map<string, Entry>()
  readonly #listeners = new Map<string, Map<string, ValueChangeListener>>()
  readonly #dirty = new Set<string>()
  readonly #work = new Bell()
  readonly #names: KeySetChangeListener
  /** The names of all topics, as the listener was told last. */
  #told: ReadonlySet<string> | undefined
  readonly #workers: Promise<unknown>
  #isOver = false

  constructor(setup: TopicsSetup) {
    this.#setup = setup
    this.#names = { keySetChanged: (names) => this.#look(names) }
    this.#workers = Promise.all(Array.from({ length: READERS }, () => this.#read()))
  }

  get all(): ReadonlyMap<string, Topic> {
    return this.#topics
  }

  /** Resolves when all topics have been tried to read once. @returns the names that there are. */
  async start(): Promise<ReadonlySet<string>> {
    await this.#setup.registry.addKeySetChangeListener(TOPICS, this.#names)
    const names = await this.#setup.storage.list(TOPICS)
    await Promise.all([...names].map((name) => this.#tryToRefresh(name)))
    return names
  }

  /** What is known of it is out of date. */
  hint(name: string): void {
    this.#dirty.add(name)
    this.#work.ring()
  }

  async close(): Promise<void> {
    this.#isOver = true
    this.#work.ring()
    await this.#workers
  }

  #look(names: ReadonlySet<string>): void {
    this.#told = names
    for (const name of new Set([...names, ...this.#topics.keys()])) {
      if (names.has(name) !== this.#topics.has(name)) this.hint(name)
    }
  }

  async #read(): Promise<void> {
    while (!this.#isOver) {
      const more = this.#work.next(60_000)
      const [name] = this.#dirty
      if (name === undefined) {
        await more
        continue
      }
      this.#dirty.delete(name)
      await sleep(GATHER_MS)
      const isRead = await this.#tryToRefresh(name)
      if (!isRead) await sleep(RETRY_MS)
    }
  }

  /** What could not be read is read again. */
  async #tryToRefresh(name: string): Promise<boolean> {
    try {
      await this.#refresh(name)
      return true
    } catch (error) {
      if (!this.#isOver) this.#setup.logger.warn(`topic ${name} could not be read: ${messageOf(error)}`)
      this.hint(name)
      return false
    }
  }

  readonly #reading = new Map<string, Promise<void>>()

  /** One after the other of each topic. */
  async #refresh(name: string): Promise<void> {
    const before = this.#reading.get(name)
    const reading = (before ?? Promise.resolve()).catch(() => undefined).then(() => this.#readTopic(name))
    this.#reading.set(name, reading)
    try {
      await reading
    } finally {
      if (this.#reading.get(name) === reading) this.#reading.delete(name)
    }
  }

  async #readTopic(name: string): Promise<void> {
    const topic = await this.#load(name)
    if (this.#isOver) return
    if (topic === undefined) this.#topics.delete(name)
    else this.#topics.set(name, topic)
    const wasFollowed = await this.#follow(name, topic)
    this.#setup.changed(name, topic)
    // what happened before the listeners were there, nobody has told
    if (!wasFollowed) this.hint(name)
    // nor that it went and came again between two tellings: until the two agree, it is looked at again
    else if (this.#told !== undefined && this.#told.has(name) !== this.#topics.has(name)) this.#hintLater(name)
  }

  #hintLater(name: string): void {
    setTimeout(() => {
      if (!this.#isOver) this.hint(name)
    }, RETRY_MS).unref()
  }

  /** The record, and states that belong to that record and not to one before or after it: it is the same at the end. */
  async #load(name: string): Promise<Topic | undefined> {
    const { storage } = this.#setup
    let record = this.#records.get(name) ?? (await storage.fetchEntry(topicPath(name)))
    for (;;) {
      const states = new Map<number, Versioned<PartitionState>>()
      for await (const { key, text, version } of storage.scan(topicPath(name))) {
        const at = parseStatePath(key)
        if (at !== undefined) states.set(at.partition, { value: decodeState(text), version })
      }
      const [again, config] = await Promise.all([
        storage.fetchEntry(topicPath(name)),
        storage.fetch(topicConfigPath(name)),
      ])
      if (again === undefined) this.#records.delete(name)
      else this.#records.set(name, again)
      if (again === undefined) return undefined
      if (again.version === record?.version) return topicOf(again, states, config)
      record = again
    }
  }

  /** Listens to all keys of the topic, and to no others. @returns whether it did already. */
  async #follow(name: string, topic: Topic | undefined): Promise<boolean> {
    const { registry } = this.#setup
    const wanted = new Set<string>()
    if (topic !== undefined) {
      wanted.add(topicPath(name)).add(topicConfigPath(name))
      for (const partition of topic.partitions.keys()) wanted.add(statePath(name, partition))
    }
    const held = this.#listeners.get(name) ?? new Map<string, ValueChangeListener>()
    this.#listeners.set(name, held)
    const fresh = [...wanted].filter((key) => !held.has(key))
    await Promise.all([
      ...fresh.map(async (key) => {
        const listener = { valueChanged: () => this.hint(name) }
        await registry.addValueChangeListener(key, listener)
        held.set(key, listener)
      }),
      ...[...held].map(async ([key, listener]) => {
        if (wanted.has(key)) return
        await registry.removeValueChangeListener(key, listener)
        held.delete(key)
      }),
    ])
    if (held.size === 0) this.#listeners.delete(name)
    return fresh.length === 0
  }
}

function topicOf(
  record: Entry,
  states: ReadonlyMap<number, Versioned<PartitionState>>,
  config: string | undefined,
): Topic {
  const { id, partitions, removing } = decodeTopic(record.text)
  const views = [...partitions].map(([partition, replicas]) => {
    const view = { replicas, removing: removing.get(partition) ?? [], state: states.get(partition) }
    return [partition, view] as const
  })
  return { id, config: config === undefined ? {} : decodeTopicConfig(config), partitions: new Map(views) }
}
