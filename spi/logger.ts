/** Where a plugin reports what it cannot throw: a listener's exception, a reconnect, an unknown property. */

/** `fields` are for machines; the message alone must make sense. Neither ever holds a secret. */
export interface Logger {
  debug(message: string, fields?: object): void
  info(message: string, fields?: object): void
  warn(message: string, fields?: object): void
  error(message: string, fields?: object): void
}

/** Drops everything. */
export const silentLogger: Logger = Object.freeze({
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
})

/** Warnings and errors to the console's error stream, one line each: the default of a host that brings no logger. */
export const consoleLogger: Logger = Object.freeze({
  ...silentLogger,
  warn: (message: string, fields?: object) => print('warn', message, fields),
  error: (message: string, fields?: object) => print('error', message, fields),
})

function print(level: string, message: string, fields: object | undefined): void {
  if (fields === undefined) console.error(`${level}: ${message}`)
  else console.error(`${level}: ${message}`, fields)
}
