/** The settings of the client as kafkajs wants them: it does the administration. */
import type { KafkaConfig, SASLOptions } from 'kafkajs'
import { logLevel } from 'kafkajs'
import type { KafkaClientSettings, SaslCredentials } from './client.ts'
import { tlsOptions } from './open-connection.ts'

/** @throws KafkaError 'NOT_AUTHENTICATED' if certificate and key are no use */
export function kafkajsConfig(settings: KafkaClientSettings): KafkaConfig {
  const { bootstrapServers, clientId, requestTimeoutMs, tls, sasl } = settings
  return {
    clientId,
    brokers: bootstrapServers.map(({ host, port }) => `${host}:${port}`),
    connectionTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // What fails is thrown, and told by whoever catches it.
    logLevel: logLevel.NOTHING,
    ...(tls === undefined ? {} : { ssl: tlsOptions(tls) }),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl) }),
  }
}

function saslOptions({ mechanism, username, password }: SaslCredentials): SASLOptions {
  switch (mechanism) {
    case 'PLAIN':
      return { mechanism: 'plain', username, password }
    case 'SCRAM-SHA-256':
      return { mechanism: 'scram-sha-256', username, password }
    case 'SCRAM-SHA-512':
      return { mechanism: 'scram-sha-512', username, password }
  }
}
