/** A connection whose answers a test decides, and a client that gives such connections out. */
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { Callback, ResponseParser, Writer } from '@platformatic/kafka'
import { Connection, NetworkError, protocolErrors, ResponseError } from '@platformatic/kafka'
import type { BrokerAddress, KafkaClient, KafkaClientSettings, TopicDescription } from './client.ts'

/** One request, waiting for the test's answer. */
export interface ScriptedRequest {
  readonly key: number
  readonly payload: Buffer
  answer(value: unknown): void
  /** @param name as Kafka names it: "NOT_LEADER_OR_FOLLOWER" */
  refuse(name: string): void
  /** The connection is lost before the answer arrives. */
  breakOff(): void
}

export class ScriptedConnection extends Connection {
  readonly #address: BrokerAddress
  readonly #onRequest: (request: ScriptedRequest) => void
  readonly #socket: Socket
  #lost = false
  readonly #pending = new Set<ScriptedRequest>()

  constructor(onRequest: (request: ScriptedRequest) => void, address: BrokerAddress = { host: 'broker', port: 9092 }) {
    super('scripted')
    this.#onRequest = onRequest
    this.#address = address
    const socket = Object.assign(new EventEmitter(), { destroy: () => this.lose() })
    this.#socket = socket as unknown as Socket
  }

  override get host(): string {
    return this.#address.host
  }

  override get port(): number {
    return this.#address.port
  }

  override get socket(): Socket {
    return this.#socket
  }

  override isConnected(): boolean {
    return !this.#lost
  }

  lose(): void {
    if (this.#lost) return
    this.#lost = true
    this.emit('close')
    for (const request of [...this.#pending]) request.breakOff()
  }

  override send<Answer>(
    key: number,
    version: number,
    createPayload: () => Writer,
    _parser: ResponseParser<Answer>,
    _hasRequestTags: boolean,
    _hasResponseTags: boolean,
    callback: Callback<Answer>,
  ): void {
    const settle = (error: Error | null, answer?: unknown): void => {
      if (this.#pending.delete(request)) callback(error, answer as Answer)
    }
    const request: ScriptedRequest = {
      key,
      payload: createPayload().buffer,
      answer: (value) => settle(null, value),
      refuse: (name) => {
        const code = protocolErrors[name]?.code ?? Number.NaN
        settle(new ResponseError(key, version, { '/': [code, null] }, undefined))
      },
      breakOff: () => settle(new NetworkError('Connection closed')),
    }
    this.#pending.add(request)
    if (this.#lost) request.breakOff()
    else this.#onRequest(request)
  }
}

/** Gives a new connection to whoever needs one after the last was distrusted. */
export class ScriptedClient implements KafkaClient {
  readonly settings: KafkaClientSettings = { bootstrapServers: [], clientId: 'scripted', requestTimeoutMs: 1000 }
  /** What the next call of `toLeader` fails with. */
  readonly failures: Error[] = []
  connections = 0
  readonly #onRequest: (request: ScriptedRequest) => void
  #connection: ScriptedConnection | undefined

  constructor(onRequest: (request: ScriptedRequest) => void) {
    this.#onRequest = onRequest
  }

  clusterId(): Promise<string> {
    return Promise.resolve('cluster')
  }

  topic(): Promise<TopicDescription> {
    return Promise.resolve({ id: 'AAAAAAAAAAAAAAAAAAAAAQ', partitions: 1 })
  }

  toLeader(): Promise<Connection> {
    const failure = this.failures.shift()
    if (failure !== undefined) return Promise.reject(failure)
    if (this.#connection?.isConnected() !== true) {
      this.connections++
      this.#connection = new ScriptedConnection(this.#onRequest)
    }
    return Promise.resolve(this.#connection)
  }

  toCoordinator(): Promise<Connection> {
    return this.toLeader()
  }

  distrust(connection: Connection): void {
    connection.socket.destroy()
  }

  close(): Promise<void> {
    this.#connection?.lose()
    return Promise.resolve()
  }
}
