/**
 * The configuration of a server that runs inside another program: values instead of texts, checked by the same table.
 */
import { ConfigurationError } from './configuration-error.ts'
import { crossChecks } from './cross-checks.ts'
import { defaultOf } from './defaults.ts'
import { InvalidValue } from './invalid-value.ts'
import { formatEntries } from './kafka-values.ts'
import { MASK, type Option } from './option.ts'
import { allOptions, type Config, type OptionKey } from './options.ts'

type ListKey = 'listenClientUrls' | 'listenClientHttpUrls' | 'advertiseClientUrls' | 'kafkaBootstrapServers'
type TextKey = 'kafkaSaslJaasConfig'
type MapKey = 'kafkaTopicConfig'

/**
 * Any option of the table, by its name in `Config`; what is left out has its default. Durations are in milliseconds.
 */
export type EmbeddedOptions = Partial<Omit<Config, ListKey | TextKey | MapKey | 'logLevel' | 'logFormat'>> & {
  readonly [K in ListKey]?: readonly string[]
} & { readonly [K in TextKey]?: string } & { readonly [K in MapKey]?: Readonly<Record<string, string>> }

/** @throws ConfigurationError */
export function embeddedConfig(given: EmbeddedOptions): Config {
  const config: Partial<Record<OptionKey, unknown>> = {}
  const problems: string[] = []
  const texts = new Map<string, string>()
  const entries = new Map<string, unknown>(
    Object.entries(given).filter(([, value]: [string, unknown]) => value !== undefined),
  )
  for (const [key, option] of allOptions()) {
    const text = entries.has(key) ? textOf(option, entries.get(key)) : defaultOf(option, undefined, texts)
    try {
      const value = option.kind.parse(text)
      config[key] = value
      texts.set(option.flag, option.kind.format(value))
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error
      const said = error.message === '' ? JSON.stringify(option.secret === true ? MASK : text) : error.message
      problems.push(`${key}: ${said}; expected ${option.kind.expected}`)
    }
  }
  const name = (key: OptionKey): string => key
  problems.push(
    ...crossChecks(config as Partial<Config>, { name, at: name, isAltered: (key) => entries.has(key) }).problems,
  )
  const known = new Set<string>(allOptions().map(([key]) => key))
  problems.push(...[...entries.keys()].filter((key) => !known.has(key)).map((key) => `${key}: there is no such option`))
  if (problems.length > 0) throw new ConfigurationError(problems.join('\n'))
  return config as unknown as Config
}

function textOf(option: Option<unknown>, value: unknown): string {
  if (Array.isArray(value)) return value.join(',')
  if (typeof value === 'object' && value !== null)
    return formatEntries(Object.entries(value).map(([k, v]) => [k, String(v)]))
  return typeof value === 'number' && option.kind.name === 'duration' ? `${value}ms` : String(value)
}
