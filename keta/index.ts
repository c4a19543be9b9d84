/**
 * Keta inside another program.
 *
 *     const keta = await startKeta({ dataDir: '/var/lib/app/keta', listenClientUrls: ['http://127.0.0.1:0'] })
 *     // … any etcd client on keta.clientUrls …
 *     await keta.stop()
 */
export { ConfigurationError } from './config/configuration-error.ts'
export { LogError, type LogErrorCode } from './log/log.ts'
export { type KetaOptions, type RunningKeta, startKeta } from './main.ts'
export { createLogger, type Logger, type LoggerOptions, type LogLevel } from './observe/logger.ts'
