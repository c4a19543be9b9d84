/** A keta server within this process: what is asked of it in properties, and its start. */
import { ConfigurationError, type KetaOptions, startKeta } from '../../keta/index.ts'
import { CoordinationError, type Logger, type Secret } from '../../spi/index.ts'
import { configError } from '../../spi/config/parse-config.ts'
import { serverLogger } from './server-logger.ts'

const PREFIX = 'plugin.keta.'
const FURTHER = `${PREFIX}server.options`

/** The properties that are options of the server, by the names that they have there. */
const OPTIONS = {
  dataDir: `${PREFIX}data.dir`,
  listenClientUrls: `${PREFIX}listen`,
  advertiseClientUrls: `${PREFIX}advertise`,
  kafkaBootstrapServers: `${PREFIX}kafka.bootstrap.servers`,
  kafkaTopic: `${PREFIX}kafka.topic`,
  clusterGroupId: `${PREFIX}cluster.group.id`,
  kafkaSaslPassword: `${PREFIX}kafka.sasl.password`,
  kafkaSslCaPassword: `${PREFIX}kafka.ssl.ca.password`,
  kafkaSslCertPassword: `${PREFIX}kafka.ssl.cert.password`,
  kafkaSslKeyPassword: `${PREFIX}kafka.ssl.key.password`,
} as const satisfies { readonly [K in keyof KetaOptions]?: string }

type OptionKey = keyof typeof OPTIONS

/** Empty lists are as if they were not given. */
export type EmbeddedConfig = Readonly<Record<OptionKey, string | readonly string[] | Secret | undefined>> & {
  /** `name=value`, with the names of the server's own configuration. */
  readonly further: readonly string[]
}

export interface EmbeddedNode {
  /** `host:port` for the client beside it. */
  readonly endpoints: readonly string[]
  /** Never rejects. */
  stop(): Promise<void>
}

/** @returns the server's options, or everything that is wrong with them that can be seen before its start. */
export function embeddedOptions({
  further,
  ...config
}: EmbeddedConfig): KetaOptions | { readonly problems: readonly string[] } {
  const problems: string[] = []
  const options = new Map<string, unknown>()
  for (const [key, value] of Object.entries(config)) if (isGiven(value)) options.set(key, revealed(value))
  for (const key of ['dataDir', 'listenClientUrls'] as const) {
    if (!options.has(key)) problems.push(`${OPTIONS[key]} must be given for an embedded server`)
  }
  for (const item of further) {
    const [, name, value] = /^([a-z][a-z.-]*)=(.*)$/.exec(item) ?? []
    if (name === undefined || value === undefined) {
      problems.push(`${FURTHER}: ${item} is not name=value`)
      continue
    }
    const key = inCamelCase(name)
    if (key in OPTIONS || name === 'listeners') problems.push(`${FURTHER}: ${name} has a property of its own`)
    else if (/jaas/.test(name)) problems.push(`${FURTHER}: ${name} holds a secret: use ${OPTIONS.kafkaSaslPassword}`)
    else options.set(key, value)
  }
  // the server checks them, texts too, and names what it does not know
  return problems.length > 0 ? { problems } : Object.fromEntries(options)
}

/**
 * @param signal gives up a start that waits for Kafka.
 * @throws CoordinationError CONFIG if the server does not start as it is configured; CONNECTION, AUTHENTICATION and
 *   AUTHORIZATION of its Kafka.
 */
export async function startEmbedded(options: KetaOptions, logger: Logger, signal: AbortSignal): Promise<EmbeddedNode> {
  const node = await startKeta({ ...options, logger: serverLogger(logger), signal }).catch((error: unknown) => {
    throw startFailure(error)
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

/** What a failure of Kafka is to a client of the server. */
const KAFKA_FAILURES = new Map<unknown, 'CONNECTION' | 'AUTHENTICATION' | 'AUTHORIZATION'>([
  ['UNREACHABLE', 'CONNECTION'],
  ['UNSETTLED', 'CONNECTION'],
  ['NOT_AUTHENTICATED', 'AUTHENTICATION'],
  ['NOT_AUTHORISED', 'AUTHORIZATION'],
])

function startFailure(error: unknown): CoordinationError {
  if (error instanceof ConfigurationError) return configError(error.message.split('\n').map(inProperties), error)
  const message = `the embedded server does not start: ${error instanceof Error ? error.message : String(error)}`
  const code = KAFKA_FAILURES.get((error as { readonly code?: unknown } | undefined)?.code)
  if (code === undefined) return configError([message], error)
  return new CoordinationError(code, message, { backend: 'keta', effect: 'none', cause: error })
}

/** The server speaks of its options, `dataDir: …`. */
function inProperties(line: string): string {
  const [key = ''] = line.split(':', 1)
  return key in OPTIONS ? line.replace(key, OPTIONS[key as OptionKey]) : `${FURTHER}: ${line}`
}

function isGiven(value: EmbeddedConfig[OptionKey]): boolean {
  return value !== undefined && !(Array.isArray(value) && value.length === 0)
}

function revealed(value: EmbeddedConfig[OptionKey]): string | readonly string[] | undefined {
  return typeof value === 'object' && 'reveal' in value ? value.reveal() : value
}

function inCamelCase(name: string): string {
  return name.replace(/[.-]([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
