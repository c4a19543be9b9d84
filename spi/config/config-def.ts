/**
 * The table of a plugin's properties, after Kafka's ConfigDef: from one table come the check, the typed values, the
 * warning for a misspelt name, and the documentation.
 */
import type { Secret } from './secret.ts'

/** The types that a property may have, and what each becomes. */
export interface ConfigTypes {
  readonly string: string
  /** A whole number, exactly representable. */
  readonly int: number
  /** `true` or `false`, in any case. */
  readonly bool: boolean
  /** Comma-separated; blanks around the items and empty items are dropped. */
  readonly list: readonly string[]
  /** Kept as written, blanks too. Always secret. */
  readonly password: Secret
}

export type ConfigType = keyof ConfigTypes

/** One property. */
export interface ConfigItem<T extends ConfigType> {
  readonly type: T
  /** As it would stand in the file. Absent: the property is required. null: it may be missing; it is undefined then. */
  readonly default?: string | null
  /** Markdown; the first sentence is enough to choose a value. */
  readonly doc: string
  /** Older names, still accepted. */
  readonly aliases?: readonly string[]
  /** Never shown. A `password` is always. */
  readonly secret?: boolean
  /** What is wrong with the value, to go on from its name (`must be positive`); undefined if nothing is. */
  validate?(value: ConfigTypes[T]): string | undefined
}

/** By property name. */
export type ConfigDef = Readonly<Record<string, { [T in ConfigType]: ConfigItem<T> }[ConfigType]>>

/** The values that a table gives: each of its type, undefined only where the default is null. */
export type ConfigValues<D extends ConfigDef> = {
  readonly [K in keyof D]: ConfigTypes[D[K]['type']] | (D[K] extends { readonly default: null } ? undefined : never)
}

/** Lets a table keep its exact types: `static readonly configDef = defineConfig({ … })`. */
export function defineConfig<const D extends ConfigDef>(def: D): D {
  return def
}

export function isSecret(item: ConfigDef[string]): boolean {
  return item.type === 'password' || item.secret === true
}
