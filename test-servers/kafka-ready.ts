/** Which brokers a Kafka broker knows to be alive. */
import { Connection, metadataV12 } from '@platformatic/kafka'

const TIMEOUT_MS = 2000

/**
 * @param port of a plaintext listener on 127.0.0.1
 * @returns their node ids in ascending order; none if the broker does not answer
 */
export async function knownBrokers(port: number): Promise<readonly number[]> {
  const connection = new Connection('test-servers', { connectTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS })
  // the request that it fails says so too
  connection.on('error', () => undefined)
  try {
    await connection.connect('127.0.0.1', port)
    const { brokers } = await metadataV12.api.async(connection, [], false, false)
    return brokers.map(({ nodeId }) => nodeId).sort((one, other) => one - other)
  } catch {
    return []
  } finally {
    await connection.close().catch(() => undefined)
  }
}
