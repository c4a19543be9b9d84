/** How severe a log line is, from the least to the most. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
