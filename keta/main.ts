/**
 * The composition root: the only file that knows every part. Opens data directory, log, snapshots and engine, puts the
 * services in front of them and listens; and takes it all down again in the opposite order, whether asked to or after a
 * failure.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { openClusterNode } from './cluster-node.ts'
import { advertisedUrls, listeningUrls } from './config/addresses.ts'
import { embeddedConfig, type EmbeddedOptions } from './config/embedded.ts'
import type { Config } from './config/options.ts'
import { kafkaSettings } from './config/kafka.ts'
import type { Credentials } from './credentials/credentials.ts'
import type { OpenedEngine } from './engine/api.ts'
import { openEngine } from './engine/open-engine.ts'
import type { ReplayProgress } from './engine/ports.ts'
import { type DataDir, openDataDir } from './log/local/data-dir.ts'
import { openLocalLog } from './log/local/local-log.ts'
import { openSnapshotFiles } from './log/local/snapshot-files.ts'
import type { Log } from './log/log.ts'
import { createHttp } from './http-service.ts'
import { EngineCounts } from './metrics/engine-counts.ts'
import { PeerCounts } from './metrics/peer-metrics.ts'
import { credentialsOf } from './node-credentials.ts'
import { engineOptions, openBacking } from './node-options.ts'
import { type Logger, silentLogger } from './observe/logger.ts'
import { NodeReadiness } from './observe/readiness.ts'
import { Opened } from './opened.ts'
import { PEER_SERVICE } from './peer/protocol.ts'
import { peerService } from './peer/service.ts'
import { createServices } from './rpc/services.ts'
import { connectionRules } from './connection-rules.ts'
import { createGrpcJsTransport } from './transport/grpc-js/grpc-js-transport.ts'
import { createHttp2Transport } from './transport/http2/http2-transport.ts'
import { type NodeTls, openTls } from './tls/node-tls.ts'
import type { ListenAddress } from './transport/transport.ts'

/** After a failure of the disk, closing what lies on it may hang too: it is not waited for any longer. */
const CLOSE_AFTER_FAILURE_MS = 10_000

export interface KetaOptions extends EmbeddedOptions {
  /** Nothing is logged without one. */
  readonly logger?: Logger
  /** Gives the start up while it waits for Kafka. */
  readonly signal?: AbortSignal
}

export interface RunningKeta {
  /** Where clients reach it, with the ports that were bound. */
  readonly clientUrls: readonly string[]
  /** Finishes the requests in progress, within the grace, and gives everything back. Idempotent; never rejects. */
  stop(): Promise<void>
  /** Resolves when all is given back: undefined after `stop`, the error if a failure ended the server. */
  readonly stopped: Promise<Error | undefined>
}

/**
 * Starts a server inside this process, as etcd's `embed` does. Resolves when clients are served.
 * @throws ConfigurationError; LogError 'LOCKED' if another process uses the data directory, 'CORRUPT' and others if its
 *   content cannot be trusted; the operating system's error if an address cannot be bound. Nothing is left open then.
 */
export async function startKeta({ logger = silentLogger, signal, ...given }: KetaOptions = {}): Promise<RunningKeta> {
  return startNode(embeddedConfig(given), { logger, ...(signal && { signal }) })
}

export interface NodePorts {
  readonly logger: Logger
  readonly onReplay?: (progress: ReplayProgress) => void
  /** Gives the start up while it waits for Kafka. */
  readonly signal?: AbortSignal
}

const NEVER = new AbortController().signal

/** As `startKeta`, from a configuration that has been checked. */
export async function startNode(config: Config, { logger, onReplay, signal = NEVER }: NodePorts): Promise<RunningKeta> {
  const startedAt = performance.now()
  const credentials = credentialsOf(config)
  const opened = new Opened(logger)
  try {
    const directory = openDataDir(config.dataDir)
    opened.add('release the data directory', () => directory.close())
    const tls = openTls(config, directory.path, logger)
    let addresses = grpcAddresses(config)
    const clientUrls = (): readonly string[] => advertisedUrls(config, addresses, hostname())
    const counts = new EngineCounts()
    const peerCounts = new PeerCounts()
    const parts = { config, logger, directory, opened, clientUrls, onReplay, counts }
    const settings = kafkaSettings(config)
    const { engine, peerSecret } =
      settings === undefined
        ? { engine: await openSoleNode(parts), peerSecret: undefined }
        : await openClusterNode({ ...parts, peerCounts, settings, signal, tls })
    const serving = { config, credentials, engine, peerSecret, logger, opened, counts, peerCounts, tls }
    addresses = await serveClients(serving)
    opened.add('hand the lead over', () => engine.resign())
    engine.join()
    logger.info('ready to serve client requests', {
      'listen-client-urls': listeningUrls(addresses),
      'advertise-client-urls': clientUrls(),
      'data-dir': config.dataDir,
      revision: engine.revision,
      'took-ms': Math.round(performance.now() - startedAt),
    })
    return running(listeningUrls(addresses), engine, opened)
  } catch (error) {
    await opened.closeAll()
    throw error
  }
}

interface SoleNodeParts {
  readonly config: Config
  readonly logger: Logger
  readonly directory: DataDir
  readonly opened: Opened
  readonly clientUrls: () => readonly string[]
  readonly onReplay: NodePorts['onReplay']
  readonly counts: EngineCounts
}

async function openSoleNode(parts: SoleNodeParts): Promise<OpenedEngine> {
  const { config, directory, logger, opened, clientUrls } = parts
  const { clusterId, logId, memberId, snapshotDirectory } = directory
  directory.bindTo(undefined)
  const log = await openLog(config, directory, logger)
  opened.add('close the log', () => log.close())
  const backing = await openBacking(parts, Buffer.from(logId).toString('hex'))
  const engine = await openEngine({
    ...engineOptions(parts),
    identity: { clusterId, memberId, name: config.name },
    clientUrls,
    log,
    snapshots: await openSnapshotFiles({ directory: snapshotDirectory, logId }),
    backing,
  })
  opened.add('stop the engine', () => engine.stop())
  return engine
}

function openLog({ segmentBytes }: Config, directory: DataDir, logger: Logger): Promise<Log> {
  return openLocalLog({
    directory: directory.logDirectory,
    logId: directory.logId,
    segmentBytes,
    warn: (cut) => logger.warn('cut an unfinished write off the end of the log: it was never acknowledged', cut),
  })
}

/** What etcd grants to whatever is around a request of the largest size. */
const REQUEST_OVERHEAD_BYTES = 512 * 1024

/** etcd's version whose behaviour this server has; clients look at it to know what they may ask for. */
const API_VERSION = '3.6.16'

interface ServingParts {
  readonly config: Config
  readonly credentials: Credentials
  readonly engine: OpenedEngine
  /** Of a node that has others beside it. */
  readonly peerSecret: string | undefined
  readonly logger: Logger
  readonly opened: Opened
  readonly counts: EngineCounts
  readonly peerCounts: PeerCounts
  readonly tls: NodeTls
}

/** Puts services and transport in front of the engine. Resolves to the addresses where gRPC is served. */
async function serveClients(parts: ServingParts): Promise<readonly ListenAddress[]> {
  const { config, credentials, engine, peerSecret, logger, opened, counts, peerCounts, tls } = parts
  const readiness = new NodeReadiness()
  const maxMessageBytes = config.maxRequestBytes + REQUEST_OVERHEAD_BYTES
  const onDefect = (error: unknown, method: string): void =>
    logger.error('a defect made a request fail', { method, error })
  const { table, peerHandler } = createServices(engine, {
    version: API_VERSION,
    readiness,
    random: randomBytes,
    credentials,
    maxTxnOps: config.maxTxnOps,
    watchFragmentBytes: maxMessageBytes,
  })
  const http = await createHttp({
    ...{ config, engine, counts, peerCounts, table, maxMessageBytes, onDefect },
    version: API_VERSION,
    tls: tls.server,
  })
  opened.add('stop measuring', () => http.stop())
  const services = new Map(http.services)
  if (peerSecret !== undefined) {
    const peers = peerService(peerHandler, {
      secret: peerSecret,
      onDefect: (error) => onDefect(error, PEER_SERVICE),
      maxRequestBytes: maxMessageBytes,
      onlyNodes: tls.nodesHaveCertificates,
    })
    services.set(PEER_SERVICE, peers)
  }
  const createTransport = config.transport === 'grpc-js' ? createGrpcJsTransport : createHttp2Transport
  const transport = createTransport({
    services,
    maxRequestBytes: maxMessageBytes,
    onDefect,
    ...(tls.server === undefined ? {} : { tls: tls.server }),
    onFull: (connections) => logger.warn('refused a connection: there are too many', { connections }),
    http: http.handler,
    upgrade: http.upgrade,
    rules: connectionRules(config),
  })
  const bound = await transport.listen([...grpcAddresses(config), ...httpAddresses(config)])
  const showReadiness = (): void => readiness.set(engine.leaderId !== 0n)
  const unsubscribe = engine.onLeaderChange(showReadiness)
  opened.add('stop serving clients', () => {
    unsubscribe()
    readiness.set(false)
    http.endStreams()
    return transport.close(config.shutdownGrace)
  })
  showReadiness()
  return bound.filter(({ traffic }) => traffic !== 'http')
}

function grpcAddresses({ listenClientUrls, listenClientHttpUrls }: Config): readonly ListenAddress[] {
  const split = listenClientHttpUrls.length > 0
  return listenClientUrls.map((url) => ({ ...addressOf(url), ...(split ? { traffic: 'grpc' } : {}) }))
}

function httpAddresses({ listenClientHttpUrls }: Config): readonly ListenAddress[] {
  return listenClientHttpUrls.map((url) => ({ ...addressOf(url), traffic: 'http' }))
}

function addressOf({ scheme, host, port }: Config['listenClientUrls'][number]): ListenAddress {
  return { host, port, secure: scheme === 'https' }
}

function running(clientUrls: readonly string[], engine: OpenedEngine, opened: Opened): RunningKeta {
  // However the end begins, by `stop` or by a failure of the engine, it is taken down once, from the top.
  const stopped = engine.stopped.then(async (failure) => {
    if (failure === undefined) return opened.closeAll()
    await Promise.race([opened.closeAll(), delay(CLOSE_AFTER_FAILURE_MS, undefined, { ref: false })])
    return failure
  })
  return {
    clientUrls,
    stopped,
    stop: async () => {
      await opened.closeAll()
      await stopped
    },
  }
}
