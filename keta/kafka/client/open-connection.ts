/** Opens one authenticated connection to one broker. */
import { isIP } from 'node:net'
import type { ConnectionOptions as TlsConnectionOptions } from 'node:tls'
import type { ConnectionOptions } from '@platformatic/kafka'
import { createSecureContext } from 'node:tls'
import { Connection } from '@platformatic/kafka'
import type { BrokerAddress, KafkaClientSettings, TlsSettings } from './client.ts'
import { KafkaError } from './client.ts'
import { inWords } from './protocol-errors.ts'

/**
 * The connection is ready for requests. It never throws unheard errors: whoever uses it sees its requests fail.
 * @param signal gives the opening up; what is open stays open.
 * @throws the library's error; see `toKafkaError`
 */
export async function openConnection(
  address: BrokerAddress,
  settings: KafkaClientSettings,
  requestTimeoutMs: number,
  signal: AbortSignal,
): Promise<Connection> {
  const connection = new Connection(settings.clientId, optionsFor(address, settings, requestTimeoutMs))
  // Without a listener an error would end the process.
  connection.on('error', () => undefined)
  const abort = (): void => discard(connection)
  signal.addEventListener('abort', abort)
  try {
    await connection.connect(address.host, address.port)
    return connection
  } catch (error) {
    discard(connection)
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Closes a connection at once; requests under way on it fail. */
export function discard(connection: Connection): void {
  connection.socket.destroy(new Error('given up'))
}

function optionsFor(
  address: BrokerAddress,
  settings: KafkaClientSettings,
  requestTimeoutMs: number,
): ConnectionOptions {
  const options: ConnectionOptions = { connectTimeout: settings.requestTimeoutMs, requestTimeout: requestTimeoutMs }
  const { sasl, tls } = settings
  if (tls !== undefined) {
    options.tls = tlsOptions(tls)
    options.tlsServerName = isIP(address.host) === 0
  }
  if (sasl !== undefined) {
    options.sasl = { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password }
  }
  return options
}

/** For node:tls; kafkajs takes the same. @throws KafkaError 'NOT_AUTHENTICATED' if certificate and key are no use */
export function tlsOptions(tls: TlsSettings): TlsConnectionOptions {
  const options = withoutUndefined(tls)
  try {
    createSecureContext(options)
  } catch (error) {
    throw new KafkaError('NOT_AUTHENTICATED', `TLS certificates or key: ${inWords(error)}`, { cause: error })
  }
  return options
}

function withoutUndefined(tls: TlsSettings): TlsConnectionOptions {
  return {
    rejectUnauthorized: true,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }),
    ...(tls.verifyHostname ? {} : { checkServerIdentity: () => undefined }),
  }
}
