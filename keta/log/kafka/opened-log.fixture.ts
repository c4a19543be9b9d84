/** A log in a topic of its own on a test cluster. */
import type { KafkaCluster } from '../../../test-servers/kafka.ts'
import type { KafkaClient, KafkaClientSettings } from '../../kafka/client/client.ts'
import { clientOf, newTopic, quietLogger, realClock, untilSettled } from '../../kafka/client/test-cluster.fixture.ts'
import { ensureTopic } from '../../kafka/topic.ts'
import type { SharedLog } from '../log.ts'
import { openKafkaLog } from './kafka-log.ts'

export interface LogOnCluster {
  readonly topic: string
  /** A handle with a client of its own. */
  open(): Promise<SharedLog>
  dispose(): Promise<void>
}

export async function logOn(cluster: KafkaCluster, settings: Partial<KafkaClientSettings> = {}): Promise<LogOnCluster> {
  const topic = newTopic()
  const clients: KafkaClient[] = []
  const logs: SharedLog[] = []
  const ports = { clock: realClock, logger: quietLogger }
  const newClient = (): KafkaClient => {
    const client = clientOf(cluster, settings)
    clients.push(client)
    return client
  }
  const topicOptions = { client: newClient(), topic, replication: 3, configs: new Map<string, string>(), ...ports }
  const { maxMessageBytes } = await untilSettled(() => ensureTopic(topicOptions))
  return {
    topic,
    open: async () => {
      const client = newClient()
      const options = { client, topic, maxBatchBytes: maxMessageBytes, beyondEndPatienceMs: 300, ...ports }
      const log = await untilSettled(() => openKafkaLog(options))
      logs.push(log)
      return log
    },
    dispose: async () => {
      await Promise.all(logs.map((log) => log.close()))
      await Promise.all(clients.map((client) => client.close()))
    },
  }
}
