/**
 * The server's log: one JSON object per line with etcd's field names (level, ts, msg), or on a terminal one readable
 * line. Either way it goes to standard error, synchronously: the last words before an exit are not lost.
 */
import { pino } from 'pino'
import type { LogLevel } from './log-level.ts'
import { plainFields } from './plain-fields.ts'
import { prettyLine } from './pretty-line.ts'

export type { LogLevel } from './log-level.ts'

/** Fields are data, not text: errors, bigints (printed as hex, as etcd prints ids) and nested objects are fine. */
export interface Logger {
  debug(message: string, fields?: object): void
  info(message: string, fields?: object): void
  warn(message: string, fields?: object): void
  error(message: string, fields?: object): void
  /** A logger that adds these fields to every line. */
  child(fields: object): Logger
}

export interface LoggerOptions {
  readonly level: LogLevel
  readonly format: 'json' | 'pretty'
  readonly colour: boolean
  /** Takes whole lines, each with its newline. */
  readonly write: (line: string) => void
  /** The time of a line; for tests. */
  readonly now?: () => Date
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** Fields whose names sound like secrets are masked, at any depth. */
export function createLogger(options: LoggerOptions): Logger {
  const least = LEVELS.indexOf(options.level)
  const emit = options.format === 'json' ? jsonEmitter(options) : prettyEmitter(options)
  return loggerOver((level, message, fields) => {
    if (LEVELS.indexOf(level) >= least) emit(level, message, plainFields(fields))
  })
}

/** For embedders that want no log. */
export const silentLogger: Logger = loggerOver(() => undefined)

type Emit<Fields> = (level: LogLevel, message: string, fields: Fields) => void

function loggerOver(emit: Emit<object>): Logger {
  return {
    debug: (message, fields = {}) => emit('debug', message, fields),
    info: (message, fields = {}) => emit('info', message, fields),
    warn: (message, fields = {}) => emit('warn', message, fields),
    error: (message, fields = {}) => emit('error', message, fields),
    child: (own) => loggerOver((level, message, fields) => emit(level, message, { ...own, ...fields })),
  }
}

function jsonEmitter(options: LoggerOptions): Emit<Record<string, unknown>> {
  const now = options.now ?? (() => new Date())
  const logger = pino(
    {
      // The level was checked before the fields were prepared.
      level: 'debug',
      base: null,
      messageKey: 'msg',
      timestamp: () => `,"ts":"${now().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    { write: options.write },
  )
  return (level, message, fields) => logger[level](fields, message)
}

function prettyEmitter(options: LoggerOptions): Emit<Record<string, unknown>> {
  const now = options.now ?? (() => new Date())
  return (level, message, fields) =>
    options.write(prettyLine({ time: now(), level, message, fields, colour: options.colour }))
}
