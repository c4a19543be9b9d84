/**
 * The Kafka client: finds out from any broker which one leads a partition or coordinates a group, and keeps one
 * connection per purpose to it. It needs Kafka 3.1 or newer: the versions of the requests are those that every broker
 * from there to the newest understands, so none are negotiated.
 */
import type { Connection } from '@platformatic/kafka'
import { findCoordinatorV4, metadataV12 } from '@platformatic/kafka'
import type { BrokerAddress, KafkaClient, KafkaClientSettings, TopicDescription } from './client.ts'
import { KafkaError } from './client.ts'
import { discard, openConnection } from './open-connection.ts'
import { answeredError, inWords, isAuthenticationFailure, toKafkaError } from './protocol-errors.ts'

/** Opens a connection that is ready for requests; tests bring their own. */
export type OpenConnection = typeof openConnection

export function createKafkaClient(settings: KafkaClientSettings, open: OpenConnection = openConnection): KafkaClient {
  return new BrokerDirectory(settings, open)
}

const GROUP_KEY = 0

type Metadata = metadataV12.MetadataResponse

/** What is handed out for one purpose; two callers share one that is being opened. */
interface Shared {
  readonly opening: Promise<Connection>
  connection?: Connection
}

class BrokerDirectory implements KafkaClient {
  readonly settings: KafkaClientSettings
  readonly #open: OpenConnection
  readonly #shares = new Map<string, Shared>()
  readonly #living = new Set<Connection>()
  /** Where the leaders and coordinators were when last asked for. */
  readonly #places = new Map<string, BrokerAddress>()
  readonly #topicIds = new Map<string, string>()
  /** All brokers of the last answer: what was given as bootstrap may be gone by now. */
  #brokers: readonly BrokerAddress[] = []
  /** The broker that answered last is asked first. */
  #answered: BrokerAddress | undefined
  /** The broker that was doubted last is asked last. */
  #doubted: BrokerAddress | undefined
  /** Grows with each doubt: a broker that is cut off from the others would give the same old answer for ever. */
  #doubts = 0
  readonly #closing = new AbortController()

  constructor(settings: KafkaClientSettings, open: OpenConnection) {
    this.settings = settings
    this.#open = open
  }

  async clusterId(): Promise<string> {
    const { clusterId } = await this.#metadata([], 'cannot learn the id of the Kafka cluster')
    if (typeof clusterId !== 'string') throw new KafkaError('PROTOCOL', 'the Kafka cluster has no id')
    return clusterId
  }

  async topic(name: string): Promise<TopicDescription | undefined> {
    try {
      const found = await this.#topic(name)
      return { id: found.topicId, partitions: found.partitions.length }
    } catch (error) {
      if (answeredError(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined
      throw error
    }
  }

  toLeader(
    topic: string,
    use: string,
    requestTimeoutMs = this.settings.requestTimeoutMs,
    partition = 0,
  ): Promise<Connection> {
    const role = `leader of topic ${topic}${partition === 0 ? '' : `, partition ${partition}`}`
    const find = (): Promise<BrokerAddress> => this.#findLeader(topic, partition)
    const open = (): Promise<Connection> => this.#connectTo(role, requestTimeoutMs, find)
    return this.#shared(`${use} to the ${role}`, open)
  }

  toCoordinator(groupId: string, use: string, requestTimeoutMs = this.settings.requestTimeoutMs): Promise<Connection> {
    const role = `coordinator of group ${groupId}`
    const open = (): Promise<Connection> =>
      this.#connectTo(role, requestTimeoutMs, () => this.#findCoordinator(groupId))
    return this.#shared(`${use} to the ${role}`, open)
  }

  distrust(connection: Connection): void {
    const { host, port } = connection
    this.#places.clear()
    this.#giveUp(connection)
    if (host !== undefined && port !== undefined) this.#doubt({ host, port })
  }

  close(): Promise<void> {
    this.#closing.abort()
    for (const connection of [...this.#living]) this.#giveUp(connection)
    return Promise.resolve()
  }

  #doubt(address: BrokerAddress): void {
    this.#doubts++
    this.#doubted = address
    this.#answered = undefined
    const control = this.#shares.get(controlOf(address))?.connection
    if (control !== undefined) this.#giveUp(control)
  }

  #isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  async #shared(purpose: string, open: () => Promise<Connection>): Promise<Connection> {
    const known = this.#shares.get(purpose)
    if (known !== undefined) return known.opening
    const share: Shared = { opening: open() }
    this.#shares.set(purpose, share)
    const forget = (): void => {
      if (this.#shares.get(purpose) === share) this.#shares.delete(purpose)
    }
    try {
      const connection = await share.opening
      share.connection = connection
      connection.once('close', forget)
      if (!connection.isConnected()) forget()
      return connection
    } catch (error) {
      forget()
      throw error
    }
  }

  async #connectTo(role: string, requestTimeoutMs: number, find: () => Promise<BrokerAddress>): Promise<Connection> {
    const address = this.#places.get(role) ?? (await find())
    this.#places.set(role, address)
    try {
      return await this.#connect(address, requestTimeoutMs)
    } catch (error) {
      this.#places.delete(role)
      this.#doubt(address)
      throw toKafkaError(error, `cannot connect to the ${role} at ${inText(address)}`)
    }
  }

  async #findLeader(topic: string, index: number): Promise<BrokerAddress> {
    const doing = `cannot find the leader of topic ${topic}`
    const found = await this.#topic(topic)
    const first = this.#topicIds.get(topic) ?? found.topicId
    this.#topicIds.set(topic, first)
    if (found.topicId !== first) {
      const message = `topic ${topic} was deleted and made anew (its id was ${first} and is ${found.topicId} now)`
      throw new KafkaError('UNSAFE_TOPIC', message)
    }
    const partition = found.partitions.find(({ partitionIndex }) => partitionIndex === index)
    const leader = found.brokers.find(({ nodeId }) => nodeId === partition?.leaderId)
    if (leader === undefined) throw new KafkaError('UNSETTLED', `${doing}: there is none at the moment`)
    return { host: leader.host, port: leader.port }
  }

  async #topic(name: string): Promise<Metadata['topics'][number] & Pick<Metadata, 'brokers'>> {
    const { topics, brokers } = await this.#metadata([name], `cannot find topic ${name}`)
    const found = topics.find((topic) => topic.name === name)
    if (found === undefined) throw new KafkaError('PROTOCOL', `the answer about topic ${name} does not contain it`)
    return { ...found, topicId: asPrinted(found.topicId), brokers }
  }

  async #findCoordinator(groupId: string): Promise<BrokerAddress> {
    const doing = `cannot find the coordinator of group ${groupId}`
    const { coordinators } = await this.#ask(doing, (connection) =>
      findCoordinatorV4.api.async(connection, GROUP_KEY, [groupId]),
    )
    const [found] = coordinators
    if (found === undefined) throw new KafkaError('PROTOCOL', `${doing}: the answer is empty`)
    return { host: found.host, port: found.port }
  }

  async #metadata(topics: string[], doing: string): Promise<Metadata> {
    const answer = await this.#ask(doing, (connection) => metadataV12.api.async(connection, topics))
    if (answer.brokers.length > 0) this.#brokers = answer.brokers.map(({ host, port }) => ({ host, port }))
    return answer
  }

  /** Asks one broker after the other until one answers. */
  async #ask<Answer>(doing: string, ask: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    const { requestTimeoutMs } = this.settings
    const failures: string[] = []
    for (const address of this.#candidates()) {
      let connection: Connection | undefined
      try {
        connection = await this.#shared(controlOf(address), () => this.#connect(address, requestTimeoutMs))
        const answer = await ask(connection)
        this.#answered = address
        return answer
      } catch (error) {
        if (answeredError(error) !== undefined || isAuthenticationFailure(error) || this.#isClosed()) {
          throw toKafkaError(error, `${doing} at ${inText(address)}`)
        }
        if (connection !== undefined) this.#giveUp(connection)
        failures.push(`${inText(address)}: ${inWords(error)}${this.#hint(error)}`)
      }
    }
    throw new KafkaError('UNREACHABLE', `${doing}: no broker can be reached (${failures.join('; ')})`)
  }

  /** The one that answered last comes first, the one that was doubted last comes last. */
  #candidates(): readonly BrokerAddress[] {
    const known = [...this.#brokers, ...this.settings.bootstrapServers]
    const distinct = [...new Map(known.map((address) => [inText(address), address])).values()]
    const turn = this.#doubts % distinct.length
    const inTurn = [...distinct.slice(turn), ...distinct.slice(0, turn)]
    const rank = (address: BrokerAddress): number => {
      if (isSame(address, this.#answered)) return 0
      return isSame(address, this.#doubted) ? 2 : 1
    }
    return inTurn.sort((a, b) => rank(a) - rank(b))
  }

  async #connect(address: BrokerAddress, requestTimeoutMs: number): Promise<Connection> {
    if (this.#isClosed()) throw closedError()
    const connection = await this.#open(address, this.settings, requestTimeoutMs, this.#closing.signal)
    this.#living.add(connection)
    connection.once('close', () => this.#living.delete(connection))
    if (this.#isClosed()) {
      this.#giveUp(connection)
      throw closedError()
    }
    return connection
  }

  /** At once, not when the socket says so: nobody may be given this connection from here on. */
  #giveUp(connection: Connection): void {
    this.#living.delete(connection)
    for (const [purpose, share] of this.#shares) {
      if (share.connection === connection) this.#shares.delete(purpose)
    }
    discard(connection)
  }

  /** A broker that speaks another security protocol only closes the connection; it cannot say so. */
  #hint(error: unknown): string {
    if (!inWords(error).startsWith('Connection closed')) return ''
    const asked = [this.settings.tls === undefined ? 'no TLS' : 'TLS', this.settings.sasl?.mechanism ?? 'no SASL']
    return ` by the broker (this client uses ${asked.join(' and ')}: does its listener?)`
  }
}

function closedError(): KafkaError {
  return new KafkaError('UNREACHABLE', 'the Kafka client is closed')
}

/** The library writes ids in hexadecimal with hyphens, Kafka in base64 without padding. */
function asPrinted(uuid: string): string {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url')
}

function controlOf(address: BrokerAddress): string {
  return `questions to ${inText(address)}`
}

function isSame(a: BrokerAddress, b: BrokerAddress | undefined): boolean {
  return a.host === b?.host && a.port === b.port
}

function inText({ host, port }: BrokerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
