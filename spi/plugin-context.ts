/** KIP-30's `context: Any`, "TBD" there: all that a plugin may use of its host. Nothing is global. */
import { type Clock, systemClock } from './clock.ts'
import { CoordinationError } from './errors.ts'
import { consoleLogger, type Logger } from './logger.ts'

export interface PluginContext {
  /**
   * Root of everything that the plugin stores: two clusters on one store never meet. Any text; a backend escapes it, or
   * refuses with CONFIG what it cannot tell apart.
   */
  readonly clusterId: string
  /** The contents of `plugin.configuration.file`, checked against the locator's ConfigDef but not converted. */
  readonly config: Readonly<Record<string, string>>
  /** The wished time to live of the session, milliseconds; `Session.ttlMs` is what the store granted. */
  readonly sessionTimeoutMs: number
  readonly logger: Logger
  readonly clock: Clock
  /** Uniform in [0, 1); for jitter and ids' spread, not for secrets. */
  readonly random: () => number
}

/** What a host brings; {@link pluginContext} adds the rest. */
export type PluginHost = Partial<PluginContext>

export const DEFAULT_CLUSTER_ID = 'kafka'

/** Kafka's own default for `zookeeper.session.timeout.ms` when KIP-30 was written. */
export const DEFAULT_SESSION_TIMEOUT_MS = 6_000

/** @throws CoordinationError CONFIG if the host's session timeout is not a positive number or its cluster id empty. */
export function pluginContext(host: PluginHost = {}): PluginContext {
  const { sessionTimeoutMs = DEFAULT_SESSION_TIMEOUT_MS, clusterId = DEFAULT_CLUSTER_ID } = host
  if (!(sessionTimeoutMs > 0 && sessionTimeoutMs < Infinity)) {
    throw new CoordinationError('CONFIG', `sessionTimeoutMs must be a positive number, not ${sessionTimeoutMs}`)
  }
  if (clusterId === '') throw new CoordinationError('CONFIG', 'clusterId must not be empty')
  return {
    clusterId,
    config: host.config ?? {},
    sessionTimeoutMs,
    logger: host.logger ?? consoleLogger,
    clock: host.clock ?? systemClock,
    random: host.random ?? Math.random,
  }
}
