/**
 * The composition root: the only file that knows every part. Opens data directory, log, snapshots and engine, puts the
 * services in front of them and listens; and takes it all down again in the opposite order, whether asked to or after a
 * failure.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { advertisedUrls, listeningUrls } from './config/addresses.ts'
import { embeddedConfig, type EmbeddedOptions } from './config/embedded.ts'
import type { Config } from './config/options.ts'
import { retentionMs } from './config/values.ts'
import type { OpenedEngine } from './engine/api.ts'
import { openEngine } from './engine/open-engine.ts'
import type { AutoCompaction, ReplayProgress } from './engine/ports.ts'
import { systemClock } from './engine/system-clock.ts'
import { type DataDir, openDataDir } from './log/local/data-dir.ts'
import { openLocalLog } from './log/local/local-log.ts'
import { openSnapshotFiles } from './log/local/snapshot-files.ts'
import type { Log } from './log/log.ts'
import { type Logger, silentLogger } from './observe/logger.ts'
import { NodeReadiness } from './observe/readiness.ts'
import { createServices } from './rpc/services.ts'
import { createGrpcJsTransport } from './transport/grpc-js/grpc-js-transport.ts'
import type { ListenAddress } from './transport/transport.ts'

/** After a failure of the disk, closing what lies on it may hang too: it is not waited for any longer. */
const CLOSE_AFTER_FAILURE_MS = 10_000

export interface KetaOptions extends EmbeddedOptions {
  /** Nothing is logged without one. */
  readonly logger?: Logger
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
export async function startKeta({ logger = silentLogger, ...given }: KetaOptions = {}): Promise<RunningKeta> {
  return startNode(embeddedConfig(given), { logger })
}

export interface NodePorts {
  readonly logger: Logger
  readonly onReplay?: (progress: ReplayProgress) => void
}

/** As `startKeta`, from a configuration that has been checked. */
export async function startNode(config: Config, { logger, onReplay }: NodePorts): Promise<RunningKeta> {
  const startedAt = performance.now()
  const opened = new Opened(logger)
  try {
    const directory = openDataDir(config.dataDir)
    opened.add('release the data directory', () => directory.close())
    const log = await openLog(config, directory, logger)
    opened.add('close the log', () => log.close())
    let addresses: readonly ListenAddress[] = config.listenClientUrls
    const clientUrls = (): readonly string[] => advertisedUrls(config, addresses, hostname())
    const engine = await openNodeEngine({ config, logger, directory, log, clientUrls, onReplay })
    opened.add('stop the engine', () => engine.stop())
    addresses = await serveClients(config, engine, logger, opened)
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

function openLog({ segmentBytes }: Config, directory: DataDir, logger: Logger): Promise<Log> {
  return openLocalLog({
    directory: directory.logDirectory,
    logId: directory.logId,
    segmentBytes,
    warn: (cut) => logger.warn('cut an unfinished write off the end of the log: it was never acknowledged', cut),
  })
}

interface NodeParts {
  readonly logger: Logger
  readonly config: Config
  readonly directory: DataDir
  readonly log: Log
  readonly clientUrls: () => readonly string[]
  readonly onReplay: NodePorts['onReplay']
}

async function openNodeEngine(parts: NodeParts): Promise<OpenedEngine> {
  const { config, logger, directory, log, clientUrls, onReplay } = parts
  const { clusterId, memberId, logId, snapshotDirectory } = directory
  const identity = { clusterId, memberId, name: config.name }
  return openEngine({
    identity,
    clientUrls,
    log,
    snapshots: await openSnapshotFiles({ directory: snapshotDirectory, logId }),
    clock: systemClock,
    random: randomBytes,
    logger: logger.child({ part: 'engine' }),
    quotaBytes: config.quotaBackendBytes,
    maxRequestBytes: config.maxRequestBytes,
    progressNotifyIntervalMs: config.watchProgressNotifyInterval,
    snapshotLogBytes: config.snapshotLogBytes,
    autoCompaction: autoCompactionOf(config),
    ...(onReplay === undefined ? {} : { onReplay }),
  })
}

/** What etcd grants to whatever is around a request of the largest size. */
const REQUEST_OVERHEAD_BYTES = 512 * 1024

/** etcd's version whose behaviour this server has; clients look at it to know what they may ask for. */
const API_VERSION = '3.6.16'

/** Puts services and transport in front of the engine. Resolves to the addresses that are open. */
async function serveClients(
  config: Config,
  engine: OpenedEngine,
  logger: Logger,
  opened: Opened,
): Promise<readonly ListenAddress[]> {
  const readiness = new NodeReadiness()
  const maxMessageBytes = config.maxRequestBytes + REQUEST_OVERHEAD_BYTES
  const services = createServices(engine, {
    version: API_VERSION,
    readiness,
    random: randomBytes,
    maxTxnOps: config.maxTxnOps,
    watchFragmentBytes: maxMessageBytes,
  })
  const transport = createGrpcJsTransport({
    services,
    maxRequestBytes: maxMessageBytes,
    onDefect: (error, method) => logger.error('a defect made a request fail', { method, error }),
  })
  const bound = await transport.listen(config.listenClientUrls)
  opened.add('stop serving clients', () => {
    readiness.set(false)
    return transport.close(config.shutdownGrace)
  })
  readiness.set(true)
  return bound
}

function autoCompactionOf({ autoCompactionMode, autoCompactionRetention }: Config): AutoCompaction {
  if (autoCompactionMode === 'revision') {
    const retention = Number(autoCompactionRetention)
    return retention === 0 ? { mode: 'off' } : { mode: 'revision', retention }
  }
  const period = retentionMs(autoCompactionRetention)
  return period === 0 ? { mode: 'off' } : { mode: 'periodic', retentionMs: period }
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

/** What has been opened, to be closed in the opposite order. */
class Opened {
  readonly #logger: Logger
  readonly #closers: { readonly what: string; readonly close: () => void | Promise<void> }[] = []
  #closing: Promise<Error | undefined> | undefined

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** @param what for the log, should it fail: "close the log". */
  add(what: string, close: () => void | Promise<void>): void {
    this.#closers.push({ what, close })
  }

  /** Closes everything, whatever fails on the way; resolves to the first failure. Idempotent. */
  closeAll(): Promise<Error | undefined> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  async #closeAll(): Promise<Error | undefined> {
    let first: Error | undefined
    for (const { what, close } of this.#closers.reverse()) {
      try {
        await close()
      } catch (error) {
        this.#logger.error(`could not ${what}`, { error })
        first ??= error instanceof Error ? error : new Error(String(error))
      }
    }
    return first
  }
}
