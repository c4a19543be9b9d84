/** The harness that a command line describes. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Capabilities, CoordinationError, silentLogger } from '../spi/index.ts'
import { loadPlugin, readPropertiesFile } from '../spi/node/index.ts'
import type { BackendArguments } from './cli-arguments.ts'
import type { BackendHarness } from './harness.ts'

export interface OpenedHarness {
  readonly harness: BackendHarness
  close(): Promise<void>
}

/** Of a store of which nothing is known. */
const EXPIRY_LAG_MS = 1_000

/**
 * @throws CoordinationError CONFIG for what cannot be found or is no harness; what `startup` throws if the backend
 * cannot be reached.
 */
export async function openHarness(backend: BackendArguments): Promise<OpenedHarness> {
  if ('harness' in backend) return importHarness(backend.harness)
  const { locator, config, endpoints, ttlMs } = backend
  const written = config === undefined ? {} : readConfig(config)
  const missing = endpoints.filter((endpoint) => !Object.values(written).some((value) => value.includes(endpoint)))
  if (missing.length > 0) {
    const message = `${missing.join(', ')} of --endpoints does not stand in ${config ?? 'the configuration'}`
    throw new CoordinationError('CONFIG', message)
  }
  const classname = absolute(locator)
  const { capabilities, ttl } = await askBackend(classname, written, ttlMs)
  const harness: BackendHarness = {
    name: endpoints.length > 1 ? `${capabilities.backend} (${endpoints.length} endpoints)` : capabilities.backend,
    locator: classname,
    endpoints,
    properties: (through) => redirect(written, endpoints, through),
    expect: capabilities,
    sessionTtlMs: ttl,
    expiryLagMs: EXPIRY_LAG_MS,
    hooks: {},
  }
  return { harness, close: async () => undefined }
}

/** The properties with each endpoint replaced by the proxy in front of it. */
export function redirect(
  properties: Readonly<Record<string, string>>,
  endpoints: readonly string[],
  through: readonly string[],
): Readonly<Record<string, string>> {
  // longest first: host:23790 begins like host:2379
  const pairs = endpoints.map((from, at) => [from, through[at] ?? from] as const)
  const byLength = [...pairs].sort(([a], [b]) => b.length - a.length)
  const lead = (value: string) => {
    // marked first, so that a proxy's address is not taken for another endpoint
    const marked = byLength.reduce((text, [from], at) => text.replaceAll(from, `\0${at}\0`), value)
    return byLength.reduce((text, [, to], at) => text.replaceAll(`\0${at}\0`, to), marked)
  }
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, lead(value)]))
}

function readConfig(file: string): Readonly<Record<string, string>> {
  const { raw, problems } = readPropertiesFile(resolve(file), file)
  if (problems.length > 0) throw new CoordinationError('CONFIG', problems.join('; '), { problems })
  return raw
}

/** What the backend says of itself is what it is held to. */
async function askBackend(
  locator: string,
  config: Readonly<Record<string, string>>,
  ttlMs: number,
): Promise<{ readonly capabilities: Capabilities; readonly ttl: number }> {
  await using plugin = await loadPlugin(
    { 'plugin.locator.classname': locator },
    { config, sessionTimeoutMs: ttlMs, clusterId: 'conformance', logger: silentLogger },
  )
  return { capabilities: plugin.getStorage().capabilities, ttl: plugin.session.ttlMs }
}

async function importHarness(specifier: string): Promise<OpenedHarness> {
  const hash = specifier.lastIndexOf('#')
  const file = hash === -1 ? specifier : specifier.slice(0, hash)
  const name = hash === -1 ? 'default' : specifier.slice(hash + 1)
  const url = file.startsWith('file:') ? file : pathToFileURL(resolve(file)).href
  let exported: Readonly<Record<string, unknown>>
  try {
    exported = (await import(url)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    throw new CoordinationError('CONFIG', `${file} cannot be loaded: ${String(cause)}`, { cause })
  }
  const found = exported[name]
  const started: unknown = typeof found === 'function' ? await (found as () => unknown)() : found
  if (!isHarness(started)) {
    const why =
      found === undefined ? `there is none; it exports ${Object.keys(exported).join(', ')}` : 'it is no harness'
    throw new CoordinationError('CONFIG', `export ${name} of ${file}: ${why}`)
  }
  return {
    harness: started,
    close: async () => {
      if (Symbol.asyncDispose in started) await (started as AsyncDisposable)[Symbol.asyncDispose]()
    },
  }
}

function isHarness(value: unknown): value is BackendHarness {
  const needed = ['name', 'locator', 'endpoints', 'properties', 'expect', 'sessionTtlMs', 'expiryLagMs', 'hooks']
  return typeof value === 'object' && value !== null && needed.every((name) => name in value)
}

/** A relative path starts at the working directory, here as in the files that clients are loaded from. */
function absolute(locator: string): string {
  if (!/^\.{1,2}\//.test(locator)) return locator
  const hash = locator.lastIndexOf('#')
  const file = hash === -1 ? locator : locator.slice(0, hash)
  return `${pathToFileURL(resolve(file)).href}${hash === -1 ? '' : locator.slice(hash)}`
}
