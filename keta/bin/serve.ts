/** `keta serve` as a process: its log, its signals, its last words. */
import { performance } from 'node:perf_hooks'
import type { Config } from '../config/options.ts'
import type { EffectiveOption, Resolved } from '../config/resolve.ts'
import { type RunningKeta, startNode } from '../main.ts'
import { createLogger, type Logger } from '../observe/logger.ts'
import { createProgress, type Progress } from '../observe/progress.ts'
import { adviceFor } from './explain.ts'
import { FAILED, OK } from './outcome.ts'

/** How much longer than the grace a stop may take before the process ends without it. */
const STOP_MARGIN_MS = 10_000

/** Resolves to the exit code when the server has stopped. */
export async function serve({ config, effective, warnings }: Resolved): Promise<number> {
  const format = logFormatOf(config)
  const logger = processLogger(config, format)
  endOnDefects(logger)
  logger.info('effective configuration', configurationFields(effective, format))
  for (const warning of warnings) logger.warn(warning)

  const stopOnSignal = listenForSignals(logger, config.shutdownGrace)
  const progress = processProgress(logger)
  let keta: RunningKeta
  try {
    keta = await startNode(config, {
      logger,
      onReplay: ({ phase, done, total }) => progress.update(PHASES[phase].name, PHASES[phase].unit, done, total),
    })
  } catch (error) {
    return failed(logger, 'could not start', error)
  } finally {
    progress.finish()
  }
  stopOnSignal(keta)
  offerFirstCommand(keta)
  const error = await keta.stopped
  if (error !== undefined) {
    // An operation that hangs on a failed disk would keep the process alive.
    setTimeout(() => process.exit(FAILED), STOP_MARGIN_MS).unref()
    return failed(logger, 'stopped because of a failure', error)
  }
  logger.info('stopped')
  return OK
}

/** What a start shows of its progress. */
const PHASES = {
  state: { name: 'state', unit: 'versions' },
  snapshot: { name: 'snapshot', unit: 'bytes' },
  log: { name: 'replay', unit: 'records' },
} as const

type LogFormat = 'json' | 'pretty'

function logFormatOf({ logFormat }: Config): LogFormat {
  return logFormat === 'auto' ? (process.stderr.isTTY ? 'pretty' : 'json') : logFormat
}

/** Every value, and where it comes from unless that is the default. For a person, only what is not the default. */
function configurationFields(effective: readonly EffectiveOption[], format: LogFormat): object {
  const set = effective.filter(({ source }) => source !== 'default')
  if (format === 'pretty') {
    return Object.fromEntries(set.map(({ flag, value, source }) => [flag, `${value} (${source})`]))
  }
  return {
    ...Object.fromEntries(effective.map(({ flag, value }) => [flag, value])),
    'set-by': Object.fromEntries(set.map(({ flag, source }) => [flag, source])),
  }
}

function processLogger({ logLevel }: Config, format: LogFormat): Logger {
  // Whoever reads the log may go away; that is no reason to end.
  process.stderr.on('error', () => undefined)
  return createLogger({
    level: logLevel,
    format,
    colour: process.stderr.isTTY && (process.env['NO_COLOR'] ?? '') === '',
    write: (line) => process.stderr.write(line),
  })
}

function processProgress(logger: Logger): Progress {
  return createProgress({
    now: () => performance.now(),
    terminal: process.stderr.isTTY ? (text) => process.stderr.write(text) : undefined,
    line: (text) => logger.info(text),
  })
}

/** A defect may have left anything half done, except the log: what was acknowledged is on the disk. */
function endOnDefects(logger: Logger): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      logger.error('a defect ended the server', { event, error })
      process.exit(FAILED)
    })
  }
}

/** The first signal stops the server, a second one the process. Before there is a server, the first one suffices. */
function listenForSignals(logger: Logger, graceMs: number): (keta: RunningKeta) => void {
  let running: RunningKeta | undefined
  let stopping = false
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) {
      logger.warn('second signal: ending at once', { signal })
      process.exit(FAILED)
    }
    stopping = true
    if (running === undefined) {
      logger.info('stopped before the server was ready', { signal })
      process.exit(OK)
    }
    logger.info('stopping', { signal })
    setTimeout(() => {
      logger.error('could not stop in time; ending without')
      process.exit(FAILED)
    }, graceMs + STOP_MARGIN_MS).unref()
    running.stop().catch((error: unknown) => {
      logger.error('could not stop', { error })
      process.exit(FAILED)
    })
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal)
  return (keta) => {
    running = keta
  }
}

/** One line to copy, where a person is likely to see it. */
function offerFirstCommand({ clientUrls }: RunningKeta): void {
  const endpoint = clientUrls[0]?.replace(/^https?:\/\//, '')
  const watched = process.stdout.isTTY || process.env['npm_lifecycle_event'] === 'start'
  if (watched && endpoint !== undefined) {
    process.stdout.write(`etcdctl --endpoints=${endpoint} put greeting hello\n`)
  }
}

function failed(logger: Logger, message: string, error: unknown): number {
  const advice = adviceFor(error)
  logger.error(message, advice === undefined ? { error } : { error, advice })
  return FAILED
}
