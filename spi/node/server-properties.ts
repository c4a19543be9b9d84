/** What a broker's server.properties says of its plugin, and the files that it names. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from '../config/config-def.ts'
import { checkConfig, placeOf, type ParseOptions, type RawConfig } from '../config/parse-config.ts'
import { DEFAULT_CLUSTER_ID, DEFAULT_SESSION_TIMEOUT_MS } from '../plugin-context.ts'
import { parseProperties } from './properties.ts'

/** The properties that the loader reads; all others of a server.properties are the broker's. */
export const SERVER_PROPERTIES = defineConfig({
  'plugin.locator.classname': {
    type: 'string',
    doc: 'The locator: `module#export`, or the short name of a built-in backend.',
    validate: (value) => (value === '' ? 'must name a module' : undefined),
  },
  'plugin.configuration.file': {
    type: 'string',
    default: null,
    doc: 'The plugin’s own properties. Relative to this file, else to the working directory.',
  },
  'plugin.additional.modules': {
    type: 'list',
    default: '',
    aliases: ['plugin.additional.jars'],
    doc: 'Folders that are, or hold, packages of plugins outside of `node_modules`. Java archives are passed over.',
  },
  'plugin.session.timeout.ms': {
    type: 'int',
    default: String(DEFAULT_SESSION_TIMEOUT_MS),
    doc: 'Wished time to live of the session, milliseconds: how soon a dead broker is noticed.',
    validate: (value) => (value > 0 ? undefined : 'must be positive'),
  },
  'plugin.cluster.id': {
    type: 'string',
    default: DEFAULT_CLUSTER_ID,
    doc: 'Root of everything stored: clusters that share one store need different ones.',
    validate: (value) => (value === '' ? 'must not be empty' : undefined),
  },
})

/** A file's properties, and where they stand. */
export interface LoadedProperties {
  /** false: there is nothing in `raw` because nothing could be read. */
  readonly readable: boolean
  readonly raw: RawConfig
  readonly parse: ParseOptions
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/** What server.properties says, as far as it is right. */
export interface ServerProperties {
  /** Folder that relative paths start from. */
  readonly base: string
  /** undefined iff `problems` says why. */
  readonly locator: string | undefined
  /** Absolute path; empty if none is given. */
  readonly configFile: string
  /** Its contents; empty with the reason in `plugin.problems` if it cannot be read, without one if none is given. */
  readonly plugin: LoadedProperties
  /** Folders, absolute. */
  readonly additional: readonly string[]
  readonly sessionTimeoutMs: number | undefined
  readonly clusterId: string | undefined
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
  /** `server.properties:12: plugin.locator.classname`: how a message about that property begins. */
  place(name: string): string
}

/** @param from the file, or the properties themselves, whose relative paths start at the working directory. */
export function readServerProperties(from: string | URL | RawConfig): ServerProperties {
  if (typeof from === 'object' && !(from instanceof URL)) {
    return settingsOf(
      { readable: true, raw: from, parse: { source: 'server.properties' }, problems: [], warnings: [] },
      process.cwd(),
    )
  }
  const file = resolve(from instanceof URL || from.startsWith('file:') ? fileURLToPath(from) : from)
  return settingsOf(readPropertiesFile(file, file), dirname(file))
}

/** Reads a `.properties` file. Whatever is wrong with it is in `problems`. @param source its name in messages. */
export function readPropertiesFile(file: string, source: string): LoadedProperties {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    const why = error instanceof TypeError ? 'it is not UTF-8' : messageOf(error)
    return {
      readable: false,
      raw: {},
      parse: { source },
      problems: [`${source}: cannot be read: ${why}`],
      warnings: [],
    }
  }
  const { properties, problems, repeated } = parseProperties(text)
  const told = (all: typeof problems) => all.map(({ line, message }) => `${source}:${line}: ${message}`)
  return {
    readable: true,
    raw: Object.fromEntries([...properties].map(([name, { value }]) => [name, value])),
    parse: { source, lineOf: (name) => properties.get(name)?.line },
    problems: told(problems),
    warnings: told(repeated),
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function settingsOf(loaded: LoadedProperties, base: string): ServerProperties {
  const parse = { ...loaded.parse, foreign: (name: string) => !name.startsWith('plugin.') }
  const checked = checkConfig(SERVER_PROPERTIES, loaded.raw, parse)
  // nothing is missing from a file that could not be read
  const problems = [...loaded.problems, ...(loaded.readable ? checked.problems : [])]
  const warnings = [...loaded.warnings, ...checked.warnings]
  const place = (name: string) => placeOf(loaded.parse, name)

  const wanted = checked.valid['plugin.configuration.file']
  const configFile = wanted === undefined ? '' : (locate(wanted, base) ?? resolve(base, wanted))
  const aliased = Object.hasOwn(loaded.raw, 'plugin.additional.jars')
  const additionalName = place(aliased ? 'plugin.additional.jars' : 'plugin.additional.modules')
  const additional: string[] = []
  for (const entry of checked.valid['plugin.additional.modules'] ?? []) {
    const folder = locate(entry, base)
    if (entry.endsWith('.jar')) warnings.push(`${additionalName} has ${entry}, a Java archive, which is passed over`)
    else if (folder !== undefined && statSync(folder).isDirectory()) additional.push(folder)
    else problems.push(`${additionalName} has ${entry}, which is not a folder`)
  }
  return {
    base,
    locator: checked.valid['plugin.locator.classname'],
    configFile,
    plugin: readPluginFile(configFile, wanted, place('plugin.configuration.file')),
    additional,
    sessionTimeoutMs: checked.valid['plugin.session.timeout.ms'],
    clusterId: checked.valid['plugin.cluster.id'],
    problems,
    warnings,
    place,
  }
}

function readPluginFile(file: string, wanted: string | undefined, place: string): LoadedProperties {
  if (wanted === undefined) return { readable: true, raw: {}, parse: { source: place }, problems: [], warnings: [] }
  if (existsSync(file)) return readPropertiesFile(file, file)
  const where = isAbsolute(wanted) ? '' : `: neither ${file} nor ${resolve(wanted)}`
  return {
    readable: false,
    raw: {},
    parse: {},
    problems: [`${place} is ${wanted}, which does not exist${where}`],
    warnings: [],
  }
}

/** Beside server.properties, or – as Kafka's own relative paths – below the working directory. */
function locate(path: string, base: string): string | undefined {
  const candidates = isAbsolute(path) ? [path] : [resolve(base, path), resolve(path)]
  return candidates.find((candidate) => existsSync(candidate))
}
