/** What tests on a real Kafka need besides the cluster itself. */
import { readFileSync } from 'node:fs'
import type { KafkaCluster } from '../../../test-servers/kafka.ts'
import type { BrokerAddress, KafkaClient, KafkaClientSettings } from './client.ts'
import { createKafkaClient } from './kafka-client.ts'
import type { Clock, Logger } from './ports.ts'
import { toKafkaError } from './protocol-errors.ts'
import { untilReachable } from './until-reachable.ts'

export const realClock: Clock = {
  now: () => performance.now(),
  setTimer: (delayMs, fire) => {
    const timer = setTimeout(fire, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
}

export const quietLogger: Logger = { info: () => undefined, warn: () => undefined }

export function addresses(servers: string): readonly BrokerAddress[] {
  return servers.split(',').map((server) => {
    const colon = server.lastIndexOf(':')
    return { host: server.slice(0, colon), port: Number(server.slice(colon + 1)) }
  })
}

export function clientOf(cluster: KafkaCluster, settings: Partial<KafkaClientSettings> = {}): KafkaClient {
  const bootstrapServers = addresses(cluster.bootstrapServers)
  return createKafkaClient({ bootstrapServers, clientId: 'keta-test', requestTimeoutMs: 5000, ...settings })
}

/** The certificate authority of the cluster's brokers. */
export function authorityOf(cluster: KafkaCluster): string {
  if (cluster.tls === undefined) throw new Error('the cluster does not use TLS')
  return readFileSync(cluster.tls.caFile, 'utf8')
}

let topics = 0

/** A name that no other test of this run uses. */
export function newTopic(): string {
  return `test-${process.pid}-${++topics}`
}

/** As a node does it that starts: again as long as the cluster cannot be reached, or has to settle. */
export function untilSettled<Value>(attempt: () => Promise<Value>): Promise<Value> {
  const tried = async (): Promise<Value> => {
    try {
      return await attempt()
    } catch (error) {
      throw toKafkaError(error, 'a test')
    }
  }
  return untilReachable(tried, { clock: realClock, logger: quietLogger, signal: new AbortController().signal })
}
