/** The log of the server within this process goes where the plugin's goes. */
import type { Logger as ServerLogger } from '../../keta/index.ts'
import type { Logger } from '../../spi/index.ts'

/** Every line says that it is the server's. @param own fields of every line. */
export function serverLogger(logger: Logger, own: object = {}): ServerLogger {
  const line = (message: string, fields: object = {}) => [`embedded server: ${message}`, { ...own, ...fields }] as const
  return {
    debug: (message, fields) => logger.debug(...line(message, fields)),
    info: (message, fields) => logger.info(...line(message, fields)),
    warn: (message, fields) => logger.warn(...line(message, fields)),
    error: (message, fields) => logger.error(...line(message, fields)),
    child: (fields) => serverLogger(logger, { ...own, ...fields }),
  }
}
