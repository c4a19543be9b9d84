/**
 * The composition root of a node whose log is in Kafka: brokers, topics, the group, the links to other nodes. It opens
 * what `main.ts` opens for a node with a log of its own, in the same order.
 */
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { KafkaSettings } from './config/kafka.ts'
import type { Config } from './config/options.ts'
import type { OpenedEngine } from './engine/api.ts'
import { openClusterEngine } from './engine/open-engine.ts'
import type { ReplayProgress } from './engine/ports.ts'
import { systemClock } from './engine/system-clock.ts'
import { createKafkaClient } from './kafka/client/kafka-client.ts'
import { untilReachable } from './kafka/client/until-reachable.ts'
import { createGroupCoordinator } from './kafka/group-coordinator.ts'
import { nameFile } from './kafka/name-file.ts'
import { ensureTopic, type TopicOptions } from './kafka/topic.ts'
import { openKafkaLog } from './log/kafka/kafka-log.ts'
import { openSnapshotTopic } from './log/kafka/snapshot-topic.ts'
import type { DataDir } from './log/local/data-dir.ts'
import { openSnapshotFiles } from './log/local/snapshot-files.ts'
import type { SharedLog } from './log/log.ts'
import type { EngineCounts } from './metrics/engine-counts.ts'
import type { PeerCounts } from './metrics/peer-metrics.ts'
import { engineOptions, openBacking } from './node-options.ts'
import type { Logger } from './observe/logger.ts'
import type { Opened } from './opened.ts'
import { createPeers } from './peer/peers.ts'
import { peerSecret } from './peer/secret.ts'
import type { NodeTls } from './tls/node-tls.ts'

export interface ClusterNodeParts {
  readonly config: Config
  readonly settings: KafkaSettings
  readonly directory: DataDir
  readonly logger: Logger
  /** What is opened here is closed there. */
  readonly opened: Opened
  readonly clientUrls: () => readonly string[]
  readonly tls: NodeTls
  readonly onReplay: ((progress: ReplayProgress) => void) | undefined
  readonly counts: EngineCounts
  readonly peerCounts: PeerCounts
  /** Gives up waiting for Kafka. */
  readonly signal: AbortSignal
}

export interface OpenedClusterNode {
  readonly engine: OpenedEngine
  /** See peer/secret.ts. */
  readonly peerSecret: string
}

/** Resolves when the log has been read. @throws KafkaError, LogError and others of openClusterEngine. */
export async function openClusterNode(parts: ClusterNodeParts): Promise<OpenedClusterNode> {
  const { config, directory, logger, opened, settings, signal } = parts
  const kafka = logger.child({ part: 'kafka' })
  const client = createKafkaClient(settings.client)
  opened.add('close the connections to Kafka', () => client.close())
  const topics = {
    client,
    replication: settings.replicationFactor,
    configs: settings.topicConfig,
    clock: systemClock,
    logger: kafka,
  }
  const { log, sharedSnapshots } = await untilReachable(() => openTopics(settings, topics), { ...topics, signal })
  opened.add('close the log', () => log.close())
  const logId = idOf(log, 16)
  directory.bindTo(log.logId)
  const snapshots = await openSnapshotFiles({ directory: directory.snapshotDirectory, logId })
  const backing = await openBacking(parts, log.logId)
  const secret = peerSecret(log.logId)
  const engine = await openClusterEngine({
    ...engineOptions(parts),
    identity: { clusterId: clusterIdOf(log), memberId: directory.memberId, name: config.name },
    snapshots,
    backing,
    cluster: {
      log,
      coordinator: createGroupCoordinator(client, {
        groupId: settings.groupId,
        sessionTimeoutMs: settings.sessionTimeoutMs,
        clock: systemClock,
        random: Math.random,
        logger: kafka,
        // Its lock shows that whoever had this name before is dead.
        memory: nameFile(join(directory.path, 'group-member'), kafka),
      }),
      peers: createPeers({
        secret,
        clock: systemClock,
        tls: parts.tls.link,
        observe: (memberId) => parts.peerCounts.of(memberId),
      }),
      clientUrls: parts.clientUrls,
      eligible: config.leaderEligibility,
      times: {
        tickIntervalMs: config.leaderTickInterval,
        silenceMs: config.leaderSilence,
        pingMs: config.leaderPing,
        readLeaseMs: config.readLease,
      },
      chance: Math.random,
      startedAt: Date.now(),
      sharedSnapshots,
    },
  })
  opened.add('stop the engine', () => engine.stop())
  return { engine, peerSecret: secret }
}

async function openTopics({ topic, snapshotTopic }: KafkaSettings, topics: Omit<TopicOptions, 'topic'>) {
  const { maxMessageBytes } = await ensureTopic({ ...topics, topic })
  const log = await openKafkaLog({ ...topics, topic, maxBatchBytes: maxMessageBytes })
  try {
    const sharedSnapshots = await openSnapshotTopic({
      ...topics,
      topic: snapshotTopic,
      logId: log.logId,
      wallClock: Date.now,
      random: randomBytes,
    })
    return { log, sharedSnapshots }
  } catch (error) {
    await log.close()
    throw error
  }
}

/** All members of a cluster have the same one, and no other cluster has. 63 bits, never 0. */
function clusterIdOf(log: SharedLog): bigint {
  const id = Buffer.from(idOf(log, 8)).readBigUInt64BE() & 0x7fff_ffff_ffff_ffffn
  return id === 0n ? 1n : id
}

function idOf({ logId }: SharedLog, bytes: number): Uint8Array {
  return createHash('sha256').update(logId).digest().subarray(0, bytes)
}
