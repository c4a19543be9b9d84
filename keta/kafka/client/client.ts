/**
 * The contract of the Kafka client: connections to the brokers of one cluster, found by what they are needed for.
 * Everything else (batches, fetches, the group) is the raw protocol of @platformatic/kafka on such a connection.
 * `kafka-client.ts` implements it.
 */
import type { Connection } from '@platformatic/kafka'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export interface SaslCredentials {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  /** Never printed. */
  readonly password: string
}

export interface TlsSettings {
  /** PEM texts. Without `ca` the certificates that Node trusts. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
  /** Whether the broker's certificate must name the host that was connected to. */
  readonly verifyHostname: boolean
}

export interface KafkaClientSettings {
  readonly bootstrapServers: readonly BrokerAddress[]
  readonly clientId: string
  readonly sasl?: SaslCredentials
  readonly tls?: TlsSettings
  /** How long one request may take before its connection is given up, in milliseconds. */
  readonly requestTimeoutMs: number
}

export interface KafkaClient {
  readonly settings: KafkaClientSettings
  /** Kafka's own id of the cluster. @throws KafkaError */
  clusterId(): Promise<string>
  /** What the brokers know of a topic; undefined if there is none of that name. Creates none. @throws KafkaError */
  topic(name: string): Promise<TopicDescription | undefined>
  /**
   * A connection of its own for `use` ("produce", "fetch", "group") to the broker that leads the topic's partition (0);
   * the same one again while it lives. Requests on one connection are answered in order, so a request that the broker
   * holds back (a fetch, a join) delays those behind it.
   * @param requestTimeoutMs of this connection, where it differs from that of the settings.
   * @throws KafkaError; 'UNSAFE_TOPIC' when the topic is not the one any more that this client saw first.
   */
  toLeader(topic: string, use: string, requestTimeoutMs?: number, partition?: number): Promise<Connection>
  /** The same to the coordinator of a group. @throws KafkaError */
  toCoordinator(groupId: string, use: string, requestTimeoutMs?: number): Promise<Connection>
  /**
   * What was learnt of leaders and coordinators is doubtful (NOT_LEADER, NOT_COORDINATOR, a time-out): it is asked for
   * again, and this connection is closed: what is still under way on it fails.
   */
  distrust(connection: Connection): void
  /** Closes every connection. What is under way fails; so does every later call. Idempotent. */
  close(): Promise<void>
}

export interface TopicDescription {
  /** As Kafka's tools print it. Another topic of the same name, made after this one was deleted, has another id. */
  readonly id: string
  readonly partitions: number
}

/** What to do about it, apart from trying again. */
export type KafkaErrorCode =
  /** No broker can be reached; it may pass. */
  | 'UNREACHABLE'
  /** Credentials, certificates. */
  | 'NOT_AUTHENTICATED'
  | 'NOT_AUTHORISED'
  /** The topic is set up so that data could be lost, or is another one than it was; the message has the command. */
  | 'UNSAFE_TOPIC'
  /** It may pass: a leader is being elected, a request timed out. */
  | 'UNSETTLED'
  /** An answer that the protocol does not allow here. */
  | 'PROTOCOL'

export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly code: KafkaErrorCode
  constructor(code: KafkaErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
