/** From a broker's server.properties to a running plugin. Everything is checked before anything connects. */
import { configError, checkConfig, type RawConfig } from '../config/parse-config.ts'
import { nearest } from '../config/nearest.ts'
import { CoordinationError, isCoordinationError } from '../errors.ts'
import { consoleLogger } from '../logger.ts'
import type { OpOptions } from '../options.ts'
import { type PluginContext, pluginContext, type PluginHost } from '../plugin-context.ts'
import { API_VERSION, type PluginLocator, type PluginLocatorClass } from '../plugin-locator.ts'
import { parseSpecifier, resolveModule } from './resolve-module.ts'
import { messageOf, readServerProperties, type ServerProperties } from './server-properties.ts'

/** A plugin that is found and correctly configured, but not started. */
export interface FoundPlugin {
  readonly locatorClass: PluginLocatorClass
  /** The module's URL. */
  readonly module: string
  /** Absolute path; empty if there is none. */
  readonly configFile: string
  readonly context: PluginContext
}

/**
 * The plugin that server.properties names, started.
 *
 * @param serverProperties the file, or the properties themselves (relative paths then start at the working directory).
 * Read are `plugin.locator.classname=<module>[#<export>]`, `plugin.configuration.file`, `plugin.additional.modules`
 * (or `plugin.additional.jars`), `plugin.session.timeout.ms`, `plugin.cluster.id`.
 * @param host what the host brings goes before what the files say; `host.config` adds to the plugin's own file.
 * @param options of the start.
 * @throws CoordinationError CONFIG with all that is wrong, before anything connects; what `startup` throws.
 */
export async function loadPlugin(
  serverProperties: string | URL | RawConfig,
  host: PluginHost = {},
  options: OpOptions = {},
): Promise<PluginLocator> {
  const { locatorClass, configFile, context } = await findPlugin(serverProperties, host)
  options.signal?.throwIfAborted()
  const locator = new locatorClass()
  try {
    await locator.startup(configFile, context, options)
    return locator
  } catch (error) {
    await locator.shutdown()
    if (isCoordinationError(error) || options.signal?.aborted === true) throw error
    const message = `${locatorClass.name} could not be started: ${messageOf(error)}`
    throw new CoordinationError('INTERNAL', message, { cause: error })
  }
}

/**
 * All that {@link loadPlugin} does before it connects: for a check without a cluster, or to print the documentation of
 * `locatorClass.configDef`. Warnings – unknown names, repeated ones – go to the host's logger.
 */
export async function findPlugin(
  serverProperties: string | URL | RawConfig,
  host: PluginHost = {},
): Promise<FoundPlugin> {
  const server = readServerProperties(serverProperties)
  const { plugin } = server
  const config = { ...plugin.raw, ...host.config }
  const problems = [...server.problems, ...plugin.problems]
  const warnings = [...server.warnings, ...plugin.warnings]
  const found = server.locator === undefined ? undefined : await importLocator(server, server.locator)
  if (found !== undefined && 'problem' in found) problems.push(found.problem)
  if (found !== undefined && 'locatorClass' in found) {
    const check = checkConfig(found.locatorClass.configDef, config, plugin.parse)
    // nothing is missing from a file that could not be read
    if (plugin.readable) problems.push(...check.problems)
    if (check.values !== undefined) problems.push(...(found.locatorClass.configProblems?.(check.values) ?? []))
    warnings.push(...check.warnings)
  }
  for (const warning of warnings) (host.logger ?? consoleLogger).warn(warning)
  if (problems.length > 0 || found === undefined || 'problem' in found) {
    throw configError(problems, found !== undefined && 'cause' in found ? found.cause : undefined)
  }
  const { clusterId, sessionTimeoutMs } = server
  const said = {
    ...(clusterId !== undefined && { clusterId }),
    ...(sessionTimeoutMs !== undefined && { sessionTimeoutMs }),
  }
  return { ...found, configFile: server.configFile, context: pluginContext({ ...said, ...host, config }) }
}

type Imported =
  | { readonly locatorClass: PluginLocatorClass; readonly module: string }
  | { readonly problem: string; readonly cause?: unknown }

async function importLocator(server: ServerProperties, locator: string): Promise<Imported> {
  const { module, exportName } = parseSpecifier(locator)
  const is = `${server.place('plugin.locator.classname')} is ${locator}, which`
  const resolution = resolveModule(module, server)
  if ('problem' in resolution) return { problem: `${is} ${resolution.problem}` }
  let exported: Readonly<Record<string, unknown>>
  try {
    exported = (await import(resolution.url)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    return { problem: `${is} cannot be loaded from ${resolution.url}: ${messageOf(cause)}`, cause }
  }
  const candidate = Object.hasOwn(exported, exportName) ? exported[exportName] : undefined
  if (candidate === undefined) {
    const names = Object.keys(exported)
    const meant = nearest(exportName, names)
    const advice = meant === undefined ? `it exports: ${names.join(', ') || 'nothing'}` : `did you mean #${meant}?`
    return {
      problem: `${is} has no ${exportName === 'default' ? 'default export' : `export ${exportName}`}; ${advice}`,
    }
  }
  const fault = notALocator(candidate)
  if (fault !== undefined) return { problem: `${is} ${fault}` }
  return { locatorClass: candidate as PluginLocatorClass, module: resolution.url }
}

const METHODS = [
  'startup',
  'shutdown',
  'getGroupMembership',
  'getLeaderElection',
  'getStorage',
  'getListenerRegistry',
] as const satisfies readonly (keyof PluginLocator)[]

function notALocator(candidate: unknown): string | undefined {
  if (typeof candidate !== 'function') return 'is not a class'
  const { apiVersion, configDef } = candidate as Partial<PluginLocatorClass>
  if (apiVersion !== API_VERSION) {
    return `has apiVersion ${String(apiVersion)}, but this host speaks version ${API_VERSION}`
  }
  if (typeof configDef !== 'object' || Object.is(configDef, null)) return 'has no static configDef'
  const methods = ((candidate as { readonly prototype?: unknown }).prototype ?? {}) as Readonly<Record<string, unknown>>
  const lacking = METHODS.filter((name) => typeof methods[name] !== 'function')
  return lacking.length === 0 ? undefined : `is not a PluginLocator: it lacks ${lacking.join(', ')}`
}
