/**
 * KIP-30's coordination SPI: the four interfaces between a broker and whatever coordinates its cluster.
 * Types and pure functions; imports nothing, not even `node:`. Loading a plugin is `spi/node`.
 */
export { type Capabilities, type Limited, requireCapabilities, type Requirements } from './capabilities.ts'
export { type Clock, type ClockSources, steadyNow, systemClock } from './clock.ts'
export {
  type ConfigDef,
  type ConfigItem,
  type ConfigType,
  type ConfigTypes,
  type ConfigValues,
  defineConfig,
} from './config/config-def.ts'
export { configTable } from './config/config-table.ts'
export {
  checkConfig,
  type ConfigCheck,
  parseConfig,
  type ParseOptions,
  printableConfig,
} from './config/parse-config.ts'
export { Secret } from './config/secret.ts'
export { checkData, type Data, sameBytes, toBytes, toText } from './data.ts'
export { makeEntry, parseToken, versionOf } from './entry.ts'
export {
  CoordinationError,
  type Effect,
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  isCoordinationError,
} from './errors.ts'
export type {
  GroupChangeListener,
  GroupMembershipClient,
  JoinOptions,
  Member,
  Membership,
} from './group-membership.ts'
export { type IterateOptions, keySets, values } from './helpers/latest.ts'
export { lead } from './helpers/lead.ts'
export { modify, type ModifyOptions } from './helpers/modify.ts'
export { checkId, checkKey, checkNamespace, childOf, compareKeys, MAX_ID_BYTES, prefixOf } from './keys.ts'
export type {
  LeaderChangeListener,
  LeaderElectionClient,
  LeaderInfo,
  Leadership,
  NominateOptions,
} from './leader-election.ts'
export type { Lifecycle } from './lifecycle.ts'
export type { KeySetChangeListener, ListenerRegistry, ValueChangeListener } from './listener-registry.ts'
export { consoleLogger, type Logger, silentLogger } from './logger.ts'
export type { CreateOptions, ListenOptions, OpOptions, ReadOptions, WriteOptions } from './options.ts'
export {
  DEFAULT_CLUSTER_ID,
  DEFAULT_SESSION_TIMEOUT_MS,
  type PluginContext,
  pluginContext,
  type PluginHost,
} from './plugin-context.ts'
export { API_VERSION, type PluginLocator, type PluginLocatorClass } from './plugin-locator.ts'
export {
  CLOCK_RATE_ERROR,
  leaseDeadline,
  type LossReason,
  type Renewal,
  type Session,
  type SessionListener,
  type SessionState,
} from './session.ts'
export type { Storage, StorageOp } from './storage.ts'
export type { Entry, Fence, FencingToken, Version } from './values.ts'
