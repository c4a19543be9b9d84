/**
 * The configuration of a server that runs inside another program: values instead of texts, checked by the same table.
 */
import { InvalidValue } from './invalid-value.ts'
import { allOptions, type Config, type Option, type OptionKey } from './options.ts'

type UrlKey = 'listenClientUrls' | 'advertiseClientUrls'

/**
 * Any option of the table, by its name in `Config`; what is left out has its default. Durations are in milliseconds.
 */
export type EmbeddedOptions = Partial<Omit<Config, UrlKey | 'logLevel' | 'logFormat'>> & {
  readonly [K in UrlKey]?: readonly string[]
}

/** A given value is not one that the option takes. The message names every such option. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly code = 'INVALID_CONFIGURATION'
}

/** @throws ConfigurationError */
export function embeddedConfig(given: EmbeddedOptions): Config {
  const config: Partial<Record<OptionKey, unknown>> = {}
  const problems: string[] = []
  const entries = new Map<string, unknown>(
    Object.entries(given).filter(([, value]: [string, unknown]) => value !== undefined),
  )
  for (const [key, option] of allOptions()) {
    const text = entries.has(key)
      ? textOf(option, entries.get(key))
      : option.default.replace('${name}', String(config.name))
    entries.delete(key)
    try {
      config[key] = option.kind.parse(text)
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error
      problems.push(
        `${key}: ${error.message === '' ? JSON.stringify(text) : error.message}; expected ${option.kind.expected}`,
      )
    }
  }
  problems.push(...[...entries.keys()].map((name) => `${name}: there is no such option`))
  if (problems.length > 0) throw new ConfigurationError(problems.join('\n'))
  return config as unknown as Config
}

function textOf(option: Option<unknown>, value: unknown): string {
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'number' && option.kind.name === 'duration' ? `${value}ms` : String(value)
}
