/** The log in a topic, read beside the servers that write it. Nothing is written, and no topic created. */
import { randomBytes } from 'node:crypto'
import type { KafkaSettings } from '../../config/kafka.ts'
import { systemClock } from '../../engine/system-clock.ts'
import type { KafkaClient } from '../../kafka/client/client.ts'
import { createKafkaClient } from '../../kafka/client/kafka-client.ts'
import type { Logger } from '../../kafka/client/ports.ts'
import { openKafkaLog } from '../../log/kafka/kafka-log.ts'
import { openSnapshotTopic } from '../../log/kafka/snapshot-topic.ts'
import type { LogRecord, SharedLog } from '../../log/log.ts'
import type { LogSource } from './log-source.ts'

const COMPLAINING: Logger = {
  info: () => undefined,
  warn: (message, fields) => {
    process.stderr.write(`keta: ${message}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}\n`)
  },
}

/** @throws KafkaError: also if there is no such topic */
export async function openKafkaSource(settings: KafkaSettings): Promise<LogSource> {
  const client = createKafkaClient(settings.client)
  try {
    const options = { client, topic: settings.topic, maxBatchBytes: 0, clock: systemClock, logger: COMPLAINING }
    const log = await openKafkaLog(options)
    return {
      startOffset: log.startOffset,
      records: (offset = 0) => log.read(Math.min(Math.max(log.startOffset, offset), log.endOffset)),
      tailOffset: (count) => log.endOffset - count,
      follow: (offset, signal) => following(log, offset, signal),
      snapshots: () => snapshotsOf(client, settings, log.logId),
      unfinished: undefined,
      close: async () => {
        await log.close()
        await client.close()
      },
    }
  } catch (error) {
    await client.close()
    throw error
  }
}

async function* following(log: SharedLog, offset: number, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
  for await (const { records } of log.follow(offset, signal)) yield records
}

async function snapshotsOf(client: KafkaClient, settings: KafkaSettings, logId: string) {
  const topic = settings.snapshotTopic
  if ((await client.topic(topic)) === undefined) throw new Error(`there is no topic ${topic}, which has the snapshots`)
  return openSnapshotTopic({
    ...{ client, topic, logId, clock: systemClock, logger: COMPLAINING, random: randomBytes, wallClock: Date.now },
    ...{ replication: settings.replicationFactor, configs: settings.topicConfig },
  })
}
