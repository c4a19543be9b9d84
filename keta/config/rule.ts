/** What a rule about the values of several options is made of. */
import type { Config, OptionKey } from './options.ts'

/** How an option is spoken of to whoever wrote the configuration. */
export interface Wording {
  /** Where its value stands, and its name, as the beginning of a line; only the name if it is the default. */
  readonly at: (key: OptionKey) => string
  /** The same within a sentence. */
  readonly name: (key: OptionKey) => string
  /** Whether its value was set, to another one than the default. */
  readonly isAltered: (key: OptionKey) => boolean
}

export interface Finding {
  readonly isProblem: boolean
  readonly text: string
}

export interface Rule {
  readonly needs: readonly OptionKey[]
  readonly check: (config: Config, wording: Wording) => readonly Finding[]
}

export function rule<K extends OptionKey>(
  needs: readonly K[],
  check: (config: Pick<Config, K>, wording: Wording) => readonly Finding[],
): Rule {
  return { needs, check }
}

/** Holds only where a Kafka is configured. */
export function ofKafka<K extends OptionKey>(
  needs: readonly K[],
  check: (config: Pick<Config, K | 'kafkaBootstrapServers'>, wording: Wording) => readonly Finding[],
): Rule {
  return rule<K | 'kafkaBootstrapServers'>([...needs, 'kafkaBootstrapServers'], (config, wording) =>
    config.kafkaBootstrapServers.length === 0 ? [] : check(config, wording),
  )
}

export function problem(text: string): readonly Finding[] {
  return [{ isProblem: true, text }]
}

export function warning(text: string): readonly Finding[] {
  return [{ isProblem: false, text }]
}
