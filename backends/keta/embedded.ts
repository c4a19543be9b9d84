/** A keta server within this process. */
import { ConfigurationError, type KetaOptions, startKeta } from '../../keta/index.ts'
import type { Logger } from '../../spi/index.ts'
import { configError } from '../../spi/config/parse-config.ts'

export interface EmbeddedConfig {
  readonly dataDir: string | undefined
  readonly listen: readonly string[]
  /** `name=value`, with the names of the server's own configuration. */
  readonly further: readonly string[]
}

export interface EmbeddedNode {
  /** `host:port` for the client beside it. */
  readonly endpoints: readonly string[]
  /** Never rejects. */
  stop(): Promise<void>
}

/** What has a property of its own. */
const TAKEN: ReadonlySet<string> = new Set(['data-dir', 'listen-client-urls', 'listeners'])

/** @returns the server's options, or everything that is wrong with them that can be seen before its start. */
export function embeddedOptions({
  dataDir,
  listen,
  further,
}: EmbeddedConfig): KetaOptions | { readonly problems: readonly string[] } {
  const problems: string[] = []
  if (dataDir === undefined) problems.push('plugin.keta.data.dir must be given for an embedded server')
  if (listen.length === 0) problems.push('plugin.keta.listen must name an address')
  const options = new Map<string, string>()
  for (const item of further) {
    const [, name, value] = /^([a-z][a-z.-]*)=(.*)$/.exec(item) ?? []
    if (name === undefined || value === undefined)
      problems.push(`plugin.keta.server.options: ${item} is not name=value`)
    else if (TAKEN.has(name)) problems.push(`plugin.keta.server.options: ${name} has a property of its own`)
    else options.set(inCamelCase(name), value)
  }
  if (problems.length > 0) return { problems }
  // the server checks them, texts too, and names what it does not know
  return { ...(Object.fromEntries(options) as KetaOptions), ...(dataDir && { dataDir }), listenClientUrls: listen }
}

/** @throws CoordinationError CONFIG if the server does not start. */
export async function startEmbedded(options: KetaOptions, logger: Logger): Promise<EmbeddedNode> {
  const node = await startKeta(options).catch((error: unknown) => {
    throw configError(problemsOf(error), error)
  })
  let stopping = false
  node.stopped
    .then((failure) => {
      if (!stopping) logger.error(`the embedded server has ended: ${failure?.message ?? 'it was stopped'}`)
    })
    .catch(() => undefined)
  return {
    endpoints: node.clientUrls.map((url) => new URL(url).host),
    stop: () => {
      stopping = true
      return node.stop()
    },
  }
}

function problemsOf(error: unknown): string[] {
  if (error instanceof ConfigurationError) {
    return error.message.split('\n').map((line) => `plugin.keta.server.options: ${line}`)
  }
  return [`the embedded server does not start: ${error instanceof Error ? error.message : String(error)}`]
}

function inCamelCase(name: string): string {
  return name.replace(/[.-]([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
